"""What is sent to Airflow: as the person, and as Airflow's own description of its API wants it."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from openlakes_portal.testing import FakeUpstream, PortalUnderTest

from .conftest import RUN, RUN_PATH

API = "/api/plugins/airflow_dbt/"
VENDOR: dict[str, Any] = json.loads(Path(__file__).with_name("airflow_openapi.json").read_text())
"""Of Airflow 3.3.2's own description, the parts that are used here."""


def documented(method: str, path: str) -> dict[str, Any]:
    """The operation that a request is, by its path's pattern; raises `AssertionError` for one that does not exist."""
    asked = path.split("/")
    for pattern, operations in VENDOR["paths"].items():
        parts = pattern.split("/")
        fits = len(parts) == len(asked) and all(p.startswith("{") or p == a for p, a in zip(parts, asked, strict=True))
        if fits and method.lower() in operations:
            operation: dict[str, Any] = operations[method.lower()]
            return operation
    raise AssertionError(f"Airflow has no {method} {path}")


def check(fake: FakeUpstream) -> None:
    """Every request is one that Airflow documents: its path, its parameters, the fields of its body."""
    for request in fake.requests:
        operation = documented(request.method, request.path)
        known = {p["name"] for p in operation.get("parameters", []) if p["in"] == "query"}
        assert set(request.query) <= known, (request.path, set(request.query) - known)
        if not request.body:
            assert "requestBody" not in operation, request.path
            continue
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schema = VENDOR["components"]["schemas"][reference.rpartition("/")[2]]
        body = request.json()
        assert set(schema.get("required", [])) <= set(body) <= set(schema["properties"]), (request.path, body)


def of_people(fake: FakeUpstream) -> list[Any]:
    """Requests that carry a token: all but those of the health checks."""
    return [request for request in fake.requests if "authorization" in request.headers]


async def test_everything_is_asked_as_the_person_with_a_token_for_airflow_alone(
    portal: PortalUnderTest, airflow: FakeUpstream
) -> None:
    engineer = portal.signed_in("data-engineer")
    airflow.get(f"{RUN_PATH}/taskInstances").answers({"task_instances": [], "total_entries": 0})
    log = f"{RUN_PATH}/taskInstances/write/logs/1"
    airflow.get(log).answers({"content": [], "continuation_token": None})
    run = quote(str(RUN["dag_run_id"]), safe="")
    for path in (
        "dags?search=li&paused=false",
        "dags/lines",
        "dags/lines/runs?limit=10",
        f"dags/lines/runs/{run}",
        f"dags/lines/runs/{run}/tasks/write/log?attempt=1&token=t.t",
    ):
        answer = await engineer.get(API + path)
        assert answer.status_code == 200, (path, answer.text)
    for action, body in (("start-run", {"dag": "lines", "conf": '{"lines": 1}'}), ("pause-dag", {"dag": "lines"})):
        answer = await engineer.post(f"/api/actions/airflow_dbt.{action}", json=body)
        assert answer.status_code == 200, answer.text
    check(airflow)
    asked = of_people(airflow)
    assert len(asked) >= 9
    for request in asked:
        claims = request.token.claims
        assert (claims["sub"], claims["aud"]) == ("data-engineer", "airflow")
        assert claims["roles"] == ["data-engineer"]
    assert airflow.on("GET", "/api/v2/dags").status == 200
    searched = next(request for request in asked if request.path == "/api/v2/dags")
    assert searched.query["dag_id_pattern"] == "li"
    assert searched.query["paused"] == "false"
    followed = next(request for request in asked if request.path == log)
    assert followed.query == {"map_index": "-1", "token": "t.t"}


async def test_a_run_is_started_with_its_configuration_and_a_dry_run_starts_none(
    portal: PortalUnderTest, airflow: FakeUpstream
) -> None:
    engineer = portal.signed_in("analytics-engineer")
    given = {"dag": "lines", "conf": '{"lines": 7}', "note": " why "}
    dry = await engineer.post("/api/actions/airflow_dbt.start-run?dry_run=true", json=given)
    assert dry.json()["effects"] == ["lines runs once, as analytics-engineer", 'configuration: {"lines": 7}']
    assert not any(request.method in ("POST", "PATCH") for request in airflow.requests)
    done = await engineer.post("/api/actions/airflow_dbt.start-run", json=given)
    assert done.json()["output"] == {"dag": "lines", "run": RUN["dag_run_id"], "state": "queued"}
    sent = [request for request in airflow.requests if request.method == "POST"]
    assert [request.json() for request in sent] == [
        {"logical_date": None, "conf": {"lines": 7}, "note": "why", "dag_run_id": None}
    ]
    records = (await portal.signed_in("platform-admin").get("/api/audit?action=airflow_dbt.start-run")).json()["items"]
    assert {(record["phase"], record["actor_name"]) for record in records} == {
        ("intent", "analytics-engineer"),
        ("outcome", "analytics-engineer"),
    }
    found = await portal.signed_in("platform-admin").get("/api/audit?action=airflow_dbt.run.started")
    (started,) = found.json()["items"]
    assert (started["actor_name"], started["object"]) == ("analytics-engineer", f"lines/{RUN['dag_run_id']}")


@pytest.mark.parametrize(
    ("conf", "words"),
    [("{", "no JSON"), ("[1]", "no JSON object"), ("3", "no JSON object"), ("[" * 3000, "no JSON|too deeply")],
)
async def test_a_configuration_that_is_none_is_said_at_its_field(
    portal: PortalUnderTest, airflow: FakeUpstream, conf: str, words: str
) -> None:
    answer = await portal.signed_in("data-engineer").post(
        "/api/actions/airflow_dbt.start-run", json={"dag": "lines", "conf": conf}
    )
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "/conf"
    assert any(word in error["detail"] for word in words.split("|"))
    assert not any(request.method == "POST" for request in airflow.requests)


async def test_who_may_not_is_refused_before_airflow_is_asked(portal: PortalUnderTest, airflow: FakeUpstream) -> None:
    for persona in ("bi-analyst", "viewer"):
        person = portal.signed_in(persona)
        assert (await person.get(f"{API}dags")).status_code == 403
        for action in ("start-run", "pause-dag", "resume-dag"):
            answer = await person.post(f"/api/actions/airflow_dbt.{action}", json={"dag": "lines"})
            assert answer.status_code in (403, 404)
    assert of_people(airflow) == []


async def test_the_newest_runs_of_all_dags_come_in_one_call(portal: PortalUnderTest, airflow: FakeUpstream) -> None:
    quiet = {**RUN, "dag_id": "quiet", "dag_run_id": "old", "state": "failed"}
    dags = [{**DAG_OF, "dag_id": name, "dag_display_name": name} for name in ("lines", "quiet")]
    airflow.get("/api/v2/dags").answers({"dags": dags, "total_entries": 2})
    busy = [{**RUN, "dag_run_id": f"r{number}"} for number in range(100)]
    airflow.post("/api/v2/dags/~/dagRuns/list").answers({"dag_runs": busy, "total_entries": 900})
    airflow.get("/api/v2/dags/quiet/dagRuns").answers({"dag_runs": [quiet], "total_entries": 1})
    items = (await portal.signed_in("data-engineer").get(f"{API}dags")).json()["items"]
    assert [len(item["runs"]) for item in items] == [10, 1]
    assert items[1]["runs"][0]["state"] == "failed"
    assert len(of_people(airflow)) == 3, "one more for the DAG whose runs are older than the newest hundred"


DAG_OF = {"dag_id": "", "dag_display_name": "", "is_paused": False}


async def test_lists_go_on_by_their_cursor(portal: PortalUnderTest, airflow: FakeUpstream) -> None:
    airflow.get("/api/v2/dags/lines/dagRuns").answers({"dag_runs": [RUN] * 5, "total_entries": 12})
    engineer = portal.signed_in("data-engineer")
    first = (await engineer.get(f"{API}dags/lines/runs?limit=5")).json()
    assert (len(first["items"]), first["next_cursor"], first["total"]) == (5, "5", 12)
    await engineer.get(f"{API}dags/lines/runs?limit=5&cursor=5")
    assert of_people(airflow)[-1].query["offset"] == "5"
    for wrong in ("cursor=-1", "cursor=x", "limit=0", "limit=101", "order=x"):
        assert (await engineer.get(f"{API}dags/lines/runs?{wrong}")).status_code == 422, wrong


async def test_a_name_is_one_segment_of_airflows_path(portal: PortalUnderTest, airflow: FakeUpstream) -> None:
    engineer = portal.signed_in("data-engineer")
    for name in ("a%2Fb", "a%3Fb", "a%23b", "%E2%82%AC"):
        answer = await engineer.get(f"{API}dags/{name}")
        assert answer.status_code in (400, 404), name
    assert all(request.path.count("/") <= 5 for request in of_people(airflow))
    asked = await engineer.post("/api/actions/airflow_dbt.pause-dag", json={"dag": "connections?x#y"})
    assert asked.status_code == 404
    assert of_people(airflow)[-1].path == "/api/v2/dags/connections%3Fx%23y/details"
    before = len(of_people(airflow))
    for name in ("../connections", "a/dagRuns", "a\\b"):
        asked = await engineer.post("/api/actions/airflow_dbt.pause-dag", json={"dag": name})
        assert asked.status_code == 404, name
    assert len(of_people(airflow)) == before, "servers decode a slash before they route, so none is sent"


async def test_without_an_address_it_is_said_and_nothing_else_is_there(tmp_path: Path) -> None:
    from openlakes_portal.testing import candidate_for, portal_for
    from openlakes_portal_airflow_dbt import plugin

    async with portal_for(tmp_path, {}, [candidate_for("airflow_dbt", plugin)]) as portal:
        engineer = portal.signed_in("data-engineer")
        answer = await engineer.get(f"{API}dags")
        assert (answer.status_code, answer.json()["remedy"]) == (404, "Set plugins.airflow_dbt.address.")
        assert (await engineer.get("/api/actions")).json()["items"] == []
        navigation = (await engineer.get("/api/bootstrap")).json()["nav"]
        assert not any("airflow" in line["path"] for line in navigation)

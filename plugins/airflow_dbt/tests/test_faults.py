"""Whatever is wrong with Airflow, or stands in its place, is said in words, soon, and with what to do."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal.testing import FakeUpstream, PortalUnderTest, candidate_for, portal_for
from openlakes_portal_airflow_dbt import plugin

from .conftest import MONITOR, RUN_PATH
from .faulty import failing

API = "/api/plugins/airflow_dbt/"
TIMEOUT = 1.0
SAID = {
    "refused": (503, "refuses connections", "address"),
    "reset": (503, "broke off", "log"),
    "hang": (503, "did not answer within 1 s", "overloaded"),
    "error": (502, "Airflow failed (500)", "log"),
    "limited": (429, "limits the rate", ""),
    "away": (503, "Database is locked", "health"),
    "redirect": (502, "redirects (302)", "plugins.airflow_dbt.address"),
    "truncated": (503, "broke off", "log"),
    "html": (502, "text/html", "plugins.airflow_dbt.address"),
    "another shape": (502, "not as Airflow 3 does", "plugins.airflow_dbt.address"),
    "a number": (502, "not as Airflow 3 does", "plugins.airflow_dbt.address"),
    "nothing": (502, "not as Airflow 3 does", "plugins.airflow_dbt.address"),
    "drip": (503, "did not answer within 1 s", "overloaded"),
    "huge": (502, "more than 33554432 bytes", ""),
}


@pytest.mark.parametrize("fault", SAID)
async def test_a_fault_is_said_in_words_and_in_time(fault: str, tmp_path: Path) -> None:
    status, words, remedy = SAID[fault]
    async with failing(fault) as address:
        settings = {"plugins": {"airflow_dbt": {"address": address, "timeout": TIMEOUT}}}
        async with portal_for(tmp_path, settings, [candidate_for("airflow_dbt", plugin)]) as portal:
            engineer = portal.signed_in("data-engineer")
            for method, path in (("GET", f"{API}dags"), ("POST", "/api/actions/airflow_dbt.start-run")):
                async with asyncio.timeout(2 * TIMEOUT + 3):
                    answer = await engineer.request(method, path, json={"dag": "lines"} if method == "POST" else None)
                if "in a row" in answer.text:  # the health checks have met it so often that nobody waits any more
                    assert answer.status_code == 503
                    continue
                problem = answer.json()
                assert answer.status_code == status, problem
                assert words in problem["detail"], problem
                assert remedy in problem.get("remedy", ""), problem
                assert "Traceback" not in answer.text
            state = await _state(portal, "api-server")
            assert state["state"] == "down", state
            assert state["cause"], state


async def _state(portal: PortalUnderTest, name: str) -> dict[str, Any]:
    """A check's answer, as soon as there is one."""
    admin = portal.signed_in("platform-admin")
    async with asyncio.timeout(15):
        while True:
            items = (await admin.get("/api/components")).json()["items"]
            (found,) = (one for one in items if one["id"] == f"airflow_dbt.{name}")
            if found["checked_at"] is not None and found["state"] != "unknown":
                return dict(found)
            await asyncio.sleep(0.05)


async def test_an_airflow_2_is_said_to_be_one(portal: PortalUnderTest, airflow: FakeUpstream) -> None:
    for path in ("version", "dags", "monitor/health"):
        airflow.get(f"/api/v2/{path}").answers({"detail": None, "status": 404, "title": "Not Found"}, 404)
    airflow.get("/api/v1/version").answers({"version": "2.10.5", "git_version": None})
    answer = await portal.signed_in("data-engineer").get(f"{API}dags")
    assert answer.status_code == 502
    assert answer.json()["detail"] == "This is Airflow 2.10.5; the portal works with Airflow 3, whose API is another."
    state = await _state(portal, "api-server")
    assert (state["state"], "2.10.5" in state["cause"]) == ("down", True)


@pytest.mark.parametrize(
    ("said", "name", "state", "words"),
    [
        ({"scheduler": {"status": "unhealthy"}}, "scheduler", "down", "has not reported for long. No DAG runs."),
        (
            {"triggerer": {"status": "unhealthy", "latest_triggerer_heartbeat": "2026-11-26T03:04:26+00:00"}},
            "triggerer",
            "down",
            "has not reported since 2026-11-26 03:04:26 UTC",
        ),
        (
            {"triggerer": {"status": None, "latest_triggerer_heartbeat": None}},
            "triggerer",
            "missing",
            "has ever reported",
        ),
        ({"dag_processor": None}, "dag-processor", "missing", "New and changed DAGs are not seen"),
        ({"metadatabase": {"status": "unhealthy"}}, "api-server", "down", "metadata database"),
    ],
)
async def test_each_process_is_named_also_one_that_is_not_there(
    said: dict[str, Any], name: str, state: str, words: str, portal: PortalUnderTest, airflow: FakeUpstream
) -> None:
    airflow.get("/api/v2/monitor/health").answers({**MONITOR, **said})
    found = await _state(portal, name)
    assert (found["state"], words in found["cause"]) == (state, True), found
    assert found["remedy"]
    other = "scheduler" if name != "scheduler" else "dag-processor"
    assert (await _state(portal, other))["state"] == "healthy", "one that fails says nothing of the others"


async def test_a_triggerer_that_is_not_wanted_is_not_missed(airflow: FakeUpstream, tmp_path: Path) -> None:
    settings = {"plugins": {"airflow_dbt": {"address": airflow.address, "triggerer": False}}}
    async with portal_for(tmp_path, settings, [candidate_for("airflow_dbt", plugin)]) as portal:
        items = (await portal.signed_in("platform-admin").get("/api/components")).json()["items"]
        names = {one["id"] for one in items if one["plugin"] == "airflow_dbt"}
    assert names == {"airflow_dbt.api-server", "airflow_dbt.scheduler", "airflow_dbt.dag-processor"}


async def test_the_processes_are_unknown_while_the_api_server_does_not_answer(tmp_path: Path) -> None:
    async with failing("refused") as address:
        settings = {"plugins": {"airflow_dbt": {"address": address, "timeout": TIMEOUT}}}
        async with portal_for(tmp_path, settings, [candidate_for("airflow_dbt", plugin)]) as portal:
            await _state(portal, "api-server")
            admin = portal.signed_in("platform-admin")
            async with asyncio.timeout(10):
                while True:
                    items = (await admin.get("/api/components")).json()["items"]
                    found = next(one for one in items if one["id"] == "airflow_dbt.scheduler")
                    if found["checked_at"]:
                        break
                    await asyncio.sleep(0.05)
            assert found["state"] == "unknown"
            assert "Nobody can tell" in found["cause"]


SHAPES: list[tuple[int, Any, int, str]] = [
    (401, {"detail": "Token Expired"}, 502, "does not accept the portal's token: Token Expired"),
    (403, {"detail": "Invalid JWT token"}, 502, "does not believe the portal's token"),
    (403, {"detail": "Forbidden"}, 403, "does not let you see the run"),
    (403, {"detail": "No role of x opens Airflow."}, 403, "No role of x opens Airflow."),
    (404, {"detail": "DAGRun with ID: x and DagID: y not found"}, 404, "DAGRun with ID: x"),
    (
        409,
        {"detail": {"reason": "Unique constraint violation", "statement": "INSERT INTO x"}},
        409,
        "Unique constraint",
    ),
    (
        422,
        {"detail": [{"loc": ["body", "conf"], "msg": "Input should be an object", "type": "x"}]},
        422,
        "/conf: Input",
    ),
    (400, {"detail": "Invalid input for param n"}, 422, "Invalid input for param n"),
    (500, {"detail": None}, 502, "failed (500)."),
    (418, {"unheard": "of"}, 502, "failed (418)."),
]


@pytest.mark.parametrize(("status", "body", "wanted", "words"), SHAPES, ids=[str(shape[:2]) for shape in SHAPES])
async def test_each_shape_of_airflows_refusals_is_put_into_words(
    status: int, body: Any, wanted: int, words: str, portal: PortalUnderTest, airflow: FakeUpstream
) -> None:
    airflow.get(RUN_PATH).answers(body, status)
    run = RUN_PATH.rpartition("/")[2]
    answer = await portal.signed_in("data-engineer").get(f"{API}dags/lines/runs/{run}")
    problem = answer.json()
    assert (answer.status_code, words in problem["detail"]) == (wanted, True), problem
    assert "INSERT" not in answer.text, "its SQL is nobody's business"

"""The plugin and its auth manager against the real Airflow 3.3, through a portal that runs as it always does."""

import hashlib
import json
import subprocess
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey

pytestmark = pytest.mark.server
API = "/api/plugins/airflow_dbt/"
WITHIN = 90


class Person:
    """Requests of a persona to the portal."""

    def __init__(self, server: Any, persona: str) -> None:
        self._portal = server.portal
        answer = self._portal.ask("/auth/demo", {"persona": persona})
        self._headers = {
            "Cookie": answer.headers["set-cookie"].split(";")[0],
            "X-CSRF-Token": answer.json()["csrf_token"],
        }

    def ask(self, path: str, body: Any = None) -> Any:
        """Any answer."""
        return self._portal.ask(path, body, self._headers)

    def get(self, path: str) -> Any:
        """The JSON of a GET that must work."""
        answer = self.ask(path)
        assert answer.status == 200, answer
        return answer.json()

    def do(self, action: str, **given: Any) -> Any:
        """Run one of the plugin's actions, which must work."""
        answer = self.ask(f"/api/actions/airflow_dbt.{action}", given)
        assert answer.status == 200, answer
        return answer.json()


@pytest.fixture(scope="module")
def engineer(airflow_server: Any) -> Person:
    return Person(airflow_server, "data-engineer")


@pytest.fixture(scope="module")
def admin(airflow_server: Any) -> Person:
    return Person(airflow_server, "platform-admin")


def until(found: Callable[[], Any], what: str) -> Any:
    """What `found` returns as soon as it is something."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError(f"not within {WITHIN} s: {what}")


def route(run: str) -> str:
    return f"{API}dags/lines/runs/{quote(run, safe='')}"


def finished(person: Person, run: str) -> dict[str, Any]:
    """A run once it is over."""

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = person.get(route(run))
        return found if found["state"] in ("success", "failed") else None

    return dict(until(over, f"the end of {run}"))


def whole_log(person: Person, run: str, task: str) -> list[str]:
    """The log of a first try, read piece by piece to its end."""
    lines: list[str] = []
    token = ""
    while True:
        piece = person.get(f"{route(run)}/tasks/{task}/log?attempt=1{token}")
        lines += [line["text"] for line in piece["lines"]]
        if piece["token"] is None:
            return lines
        token = f"&token={quote(piece['token'], safe='')}"


def piece_of(person: Person, run: str, token: str = "") -> dict[str, Any]:
    """A piece of the log of the task `write`; nothing as long as it has not begun."""
    answer = person.ask(f"{route(run)}/tasks/write/log?attempt=1{token}")
    if answer.status == 404 and "TaskInstance not found" in answer.json()["detail"]:
        return {"lines": [], "token": None}
    assert answer.status == 200, answer
    return dict(answer.json())


def test_all_of_its_processes_are_healthy_each_by_its_name(admin: Person) -> None:
    def states() -> dict[str, Any] | None:
        items = admin.get("/api/components")["items"]
        found = {one["id"].partition(".")[2]: one for one in items if one["plugin"] == "airflow_dbt"}
        return found if all(one["state"] == "healthy" for one in found.values()) else None

    found = until(states, "healthy processes")
    assert set(found) == {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert found["api-server"]["details"] == {"version": "3.3.2"}


def test_a_run_is_started_followed_and_recorded_as_the_person(engineer: Person, airflow_server: Any) -> None:
    dags = engineer.get(f"{API}dags?search=INE")["items"]
    assert [dag["id"] for dag in dags] == ["lines"], "Airflow searches without regard to case"
    assert engineer.get(f"{API}dags?search=nothing-like-it") == {"items": [], "next_cursor": None, "total": 0}
    assert engineer.get(f"{API}dags/lines")["conf"] == {"lines": 3, "wide": 0, "fail": False}
    engineer.do("resume-dag", dag="lines")
    assert engineer.get(f"{API}dags/lines")["paused"] is False
    started = engineer.do("start-run", dag="lines", conf=json.dumps({"lines": 5}), note="to see it")
    run = started["output"]["run"]
    assert started["link"] == f"/x/airflow_dbt/run?dag=lines&run={quote(run, safe='')}"

    def began() -> bool:
        return any(line["text"].startswith("line 0") for line in piece_of(engineer, run)["lines"])

    until(began, "the first line, while the task runs")
    assert engineer.get(route(run))["state"] == "running", "its log was read before it ended"
    over = finished(engineer, run)
    assert (over["state"], over["by"], over["note"]) == ("success", "data-engineer", "to see it")
    assert over["conf"] == {"lines": 5}
    assert [(task["id"], task["state"], task["tries"]) for task in over["tasks"]] == [
        ("write", "success", 1),
        ("count", "success", 1),
    ]
    lines = whole_log(engineer, run, "write")
    assert [line for line in lines if line.startswith("line ")] == [f"line {n} of 5" for n in range(5)]
    assert not any("served logs" in line or str(airflow_server.site.folder) + "/logs" in line for line in lines)
    recorded = airflow_server.ask(
        "/api/v2/eventLogs?dag_id=lines&limit=50", airflow_server.token("auditor", "platform-admin")
    ).json()["event_logs"]
    mine = {(event["event"], event["owner"]) for event in recorded}
    assert {("trigger_dag_run", "data-engineer"), ("patch_dag", "data-engineer")} <= mine, mine


def test_a_log_goes_on_where_the_answer_before_ended(engineer: Person) -> None:
    engineer.do("resume-dag", dag="lines")
    run = engineer.do("start-run", dag="lines", conf=json.dumps({"lines": 8}))["output"]["run"]
    seen: list[str] = []
    tokens = 0
    token = ""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        over = engineer.get(route(run))["state"] in ("success", "failed")
        piece = piece_of(engineer, run, token)
        texts = [line["text"] for line in piece["lines"]]
        seen = seen + texts if token else texts
        tokens += piece["token"] is not None
        token = f"&token={quote(piece['token'], safe='')}" if piece["token"] else ""
        if over and not token:
            break
        time.sleep(0.4)
    assert tokens >= 2, "it was read while it grew"
    assert [line for line in seen if line.startswith("line ")] == [f"line {n} of 8" for n in range(8)]


def test_of_a_log_that_is_too_long_the_end_is_shown(engineer: Person) -> None:
    engineer.do("resume-dag", dag="lines")
    run = engineer.do("start-run", dag="lines", conf=json.dumps({"lines": 1, "wide": 4000}))["output"]["run"]
    assert finished(engineer, run)["state"] == "success"
    piece = piece_of(engineer, run)
    wide = [line["text"].split()[1] for line in piece["lines"] if line["text"].startswith("wide ")]
    assert (wide[-1], piece["token"]) == ("3999", None)
    assert wide == [str(number) for number in range(4000 - len(wide), 4000)], "each, in their order"
    assert 1000 < len(wide) < 2500, "about two mebibytes"
    before = 4000 - len(wide)
    assert before < piece["dropped"] < before + 50, "those before them, and the few lines of Airflow's own"


def test_a_run_that_fails_says_why_in_its_log(engineer: Person) -> None:
    engineer.do("resume-dag", dag="lines")
    run = engineer.do("start-run", dag="lines", conf='{"lines": 1, "fail": true}')["output"]["run"]
    over = finished(engineer, run)
    assert over["state"] == "failed"
    states = [(task["id"], task["state"]) for task in over["tasks"]]
    assert states == [("write", "failed"), ("count", "upstream_failed")]
    lines = whole_log(engineer, run, "write")
    assert "ValueError: made to fail" in lines
    assert any(line.lstrip().startswith("File ") and "lines.py" in line for line in lines)


def test_what_airflow_refuses_is_said_in_its_words(engineer: Person) -> None:
    wrong = engineer.ask("/api/actions/airflow_dbt.start-run", {"dag": "lines", "conf": '{"lines": 0}'})
    assert wrong.status in (400, 422)
    assert "less than the minimum of 1" in wrong.json()["detail"]
    absent = engineer.ask(f"{API}dags/no-such-dag")
    assert absent.status == 404
    assert "no-such-dag" in absent.json()["detail"]
    assert engineer.ask(route("no-such-run")).status == 404
    for name in ("..", "%2e%2e", "~"):
        assert engineer.ask(f"{API}dags/{name}").status in (400, 404), name


def test_pausing_and_dry_runs_do_what_they_say_and_no_more(engineer: Person) -> None:
    engineer.do("resume-dag", dag="lines")
    runs = engineer.get(f"{API}dags/lines/runs")["total"]
    dry = engineer.ask("/api/actions/airflow_dbt.pause-dag?dry_run=true", {"dag": "lines"}).json()
    assert dry["message"] == "lines would be paused."
    assert engineer.get(f"{API}dags/lines")["paused"] is False
    dry = engineer.ask("/api/actions/airflow_dbt.start-run?dry_run=true", {"dag": "lines"}).json()
    assert dry["effects"][0] == "lines runs once, as data-engineer"
    assert engineer.get(f"{API}dags/lines/runs")["total"] == runs
    engineer.do("pause-dag", dag="lines")
    assert engineer.get(f"{API}dags/lines")["paused"] is True
    assert engineer.do("pause-dag", dag="lines")["message"] == "lines is paused already."
    waiting = engineer.do("start-run", dag="lines")
    assert "waits in the queue" in waiting["message"]
    assert engineer.get(route(waiting["output"]["run"]))["state"] == "queued"


def test_the_palette_finds_dags_for_who_may_see_them(engineer: Person, airflow_server: Any) -> None:
    found = [hit for hit in engineer.get("/api/search?q=lines")["items"] if hit["kind"] == "DAG"]
    assert [(hit["title"], hit["path"]) for hit in found] == [("lines", "/x/airflow_dbt/dag?dag=lines")]
    analyst = Person(airflow_server, "bi-analyst")
    assert [hit for hit in analyst.get("/api/search?q=lines")["items"] if hit["kind"] == "DAG"] == []
    assert analyst.ask(f"{API}dags").status == 403
    assert analyst.ask("/api/actions/airflow_dbt.start-run", {"dag": "lines"}).status in (403, 404)


def test_the_portals_roles_are_levels_in_airflow(airflow_server: Any) -> None:
    ask, token = airflow_server.ask, airflow_server.token
    levels = {
        "platform-admin": (200, 200, 200),
        "data-engineer": (200, 200, 200),
        "analytics-engineer": (200, 200, 200),
        "bi-analyst": (403, 403, 403),
        "viewer": (403, 403, 403),
        "made-up": (403, 403, 403),
    }
    for role, wanted in levels.items():
        proof = token("someone", role)
        asked = ("/api/v2/dags", "/api/v2/connections", "/ui/auth/me")
        assert tuple(ask(path, proof).status for path in asked) == wanted, role
    assert ask("/api/v2/dags", token("someone")).status == 403
    assert ask("/api/v2/dags", token("someone", "viewer", "data-engineer")).status == 200, "the highest counts"
    refused = ask("/api/v2/dags", token("someone", "viewer"))
    assert refused.json()["detail"] == "No role of someone opens Airflow. Ask an admin of the portal for one."
    assert ask("/ui/auth/me", token("Zoë Ünal", "data-engineer")).json()["username"] == "Zoë Ünal"


def test_only_the_portals_own_tokens_for_airflow_count_and_none_makes_it_fail(airflow_server: Any) -> None:
    ask, token = airflow_server.ask, airflow_server.token
    now = int(time.time())
    stranger = OKPKey.generate_key("Ed25519", {"kid": airflow_server.key.kid})
    good = token("someone", "platform-admin")
    public = json.dumps(airflow_server.key.as_dict(private=False)).encode()
    with warnings.catch_warnings(action="ignore"):
        symmetric = jwt.encode(
            {"alg": "HS256", "kid": airflow_server.key.kid},
            {"iss": airflow_server.issuer, "sub": "x", "aud": "airflow", "iat": now, "nbf": now, "exp": now + 60},
            OctKey.import_key(public),
            algorithms=["HS256"],
        )
    curve = ECKey.generate_key("P-256", {"kid": airflow_server.key.kid})
    forged = {
        "another key under the portal's name": (token("x", "platform-admin", key=stranger), 403),
        "another algorithm under the portal's name": (token("x", "platform-admin", key=curve, alg="ES256"), 403),
        "an unknown key": (token("x", "platform-admin", kid="unknown"), 403),
        "another audience": (token("x", "platform-admin", aud="superset"), 403),
        "several audiences": (token("x", "platform-admin", aud=["airflow", "superset"]), 403),
        "another issuer": (token("x", "platform-admin", iss="http://elsewhere.test"), 403),
        "over": (token("x", "platform-admin", exp=now - 60), 401),
        "not yet": (token("x", "platform-admin", nbf=now + 600), 403),
        "without an end": (token("x", "platform-admin", exp=None), 403),
        "without a name": (token("x", "platform-admin", sub=None), 403),
        "an empty name": (token("", "platform-admin"), 403),
        "roles that are a text": (token("x", roles="platform-admin"), 403),
        "roles that are objects": (token("x", roles=[{"platform-admin": 1}, 7, None]), 403),
        "signed with the public key": (symmetric, 403),
        "cut": (good[:-6], 403),
        "no signature": (good.rsplit(".", 1)[0] + ".", 403),
        "not even a token": ("a.b.c", 403),
        "very long": ("a" * 20_000 + ".b.c", 403),
    }
    for what, (forgery, wanted) in forged.items():
        assert ask("/api/v2/dags", forgery).status == wanted, what
        cookie = ask("/api/v2/dags", headers={"Cookie": f"_token={forgery}"})
        assert cookie.status in (401, 403), (what, cookie.status)
    assert ask("/api/v2/dags", good).status == 200, "control"
    assert ask("/api/v2/dags", headers={"Cookie": f"_token={good}"}).status == 200, "control: Airflow's own cookie"
    assert ask("/api/v2/dags").status == 401


def test_a_person_cannot_pass_for_a_task_nor_a_task_for_a_person(airflow_server: Any) -> None:
    signing = hashlib.sha512(airflow_server.site.secret("tasks").encode()).hexdigest()
    now = int(time.time())
    task = {"iss": "airflow-of-the-stack", "sub": "01a215cf-bebc-7cc8-960d-cbf1cab05aa5", "iat": now, "nbf": now}

    def of_airflow(audience: str) -> str:
        claims = {**task, "aud": audience, "exp": now + 60, "role": "admin", "roles": ["platform-admin"]}
        with warnings.catch_warnings(action="ignore"):
            header = {"alg": "HS512", "kid": "not-used"}
            return jwt.encode(header, claims, OctKey.import_key(signing.encode()), algorithms=["HS512"])

    for audience in ("urn:airflow.apache.org:task", "apache-airflow", "airflow"):
        assert airflow_server.ask("/api/v2/dags", of_airflow(audience)).status == 403, audience
    path = "/execution/variables/anything"
    admin = airflow_server.token("someone", "platform-admin")
    as_task = airflow_server.token("someone", "platform-admin", aud="urn:airflow.apache.org:task")
    for proof in (admin, as_task):
        assert airflow_server.ask(path, proof).status in (401, 403)
    assert airflow_server.ask(path, of_airflow("urn:airflow.apache.org:task")).status == 404, "control: a task's own"


@pytest.mark.parametrize(("script", "parts"), [("check_keys", 5), ("check_levels", 1)])
def test_what_runs_within_airflow_does_there_what_it_should(airflow_server: Any, script: str, parts: int) -> None:
    python = Path(airflow_server.command).with_name("python")
    file = Path(__file__).with_name("in_airflow") / f"{script}.py"
    environment = {"PYTHONPATH": airflow_server.upstream, "PATH": "/usr/bin:/bin"}
    done = subprocess.run([python, file], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": ok") == parts, done.stdout


def test_nobody_gets_a_token_that_outlives_the_portals(airflow_server: Any) -> None:
    for kind in ("api", "cli"):
        made = airflow_server.ask("/ui/auth/token", airflow_server.token("x", "platform-admin"), {"token_type": kind})
        assert made.status == 403, made
        assert "API token in the portal" in made.json()["detail"]
    assert airflow_server.ask("/auth/token", body={"username": "a", "password": "b"}).status in (404, 405)


def test_signing_in_and_out_lead_to_the_portal(airflow_server: Any) -> None:
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *parts: Any) -> None:
            """Not followed."""

    for path, place in (("login", "/signin"), ("logout", "/signout")):
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.build_opener(Stay).open(f"{airflow_server.address}/api/v2/auth/{path}")
        assert answer.value.code == 307
        assert answer.value.headers["Location"] == f"{airflow_server.issuer}{place}"
        answer.value.close()

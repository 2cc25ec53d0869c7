"""The whole API against its own description: what schemathesis sends, legal and illegal, never ends in a 5xx, an
undocumented shape or an unauthenticated way in. Bounded in number and time."""

import json
import os
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import served
from openlakes_portal._audit.export import verify_lines
from real_servers import child

pytestmark = pytest.mark.slow

EXAMPLES = 12
CHECKED = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NOT_RECORDED = {"/auth/demo", "/api/plugins/trino/format"}
"""A sign-in is an event; laying a statement out changes nothing."""
ENDS_ITSELF = ("DELETE", "/api/sessions")
"""It ends the session that asks: all that followed would be 401."""
LEFT_OUT = {"/auth/logout", "/api/components/events", "/metrics"}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Served]:
    folder = tmp_path_factory.mktemp("schemathesis")
    port = child.free_port()
    environment = {
        **os.environ,
        "OPENLAKES_LIMITS__RATE": "100000",
        "OPENLAKES_LIMITS__BURST": "100000",
        "OPENLAKES_LIMITS__ANONYMOUS_BURST": "100000",
        "OPENLAKES_LIMITS__SIGN_IN": "100000",
    }
    command = ["-m", "openlakes_portal.cli", "demo", "--lite", "--port", str(port), "--data", str(folder / "data")]
    process = child.start([sys.executable, *command], folder / "log", cwd=folder, env=environment)
    running = served.Served(f"http://127.0.0.1:{port}", process)
    process.wait_until(running.is_ready, 120)
    yield running
    process.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def answers() -> list[tuple[str, str, int, str]]:
    """Of every mutation that was sent: method, path, status, request id."""
    return []


@pytest.mark.parametrize("persona", ["platform-admin", "data-engineer"])
def test_the_api_keeps_to_its_description(
    persona: str, portal: served.Served, answers: list[tuple[str, str, int, str]]
) -> None:
    answer = portal.ask("/auth/demo", {"persona": persona})
    headers = {"Cookie": answer.headers["set-cookie"].split(";")[0], "X-CSRF-Token": answer.json()["csrf_token"]}
    schema = schemathesis.openapi.from_url(f"{portal.address}/api/openapi.json")
    failures, operations = [], 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path in LEFT_OUT or (operation.method.upper(), operation.path) == ENDS_ITSELF:
            continue
        operations += 1

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def run(case: Any) -> None:
            got = case.call_and_validate(headers=headers, checks=CHECKED)
            if case.method.upper() != "GET":
                answers.append((case.method.upper(), case.path, got.status_code, got.headers["x-request-id"][0]))

        try:
            run()
        except Exception as error:
            failures.append(f"{operation.method.upper()} {operation.path}: {error}")
    assert operations > 25
    assert failures == [], "\n\n".join(failures)


def test_each_mutation_that_was_sent_is_on_record_once(
    portal: served.Served, answers: list[tuple[str, str, int, str]]
) -> None:
    """J65, for all that the tests above have sent: what was carried out has one intent and one outcome, with who, what
    and how it ended; what was refused has as many intents as outcomes. And the log holds."""
    signed_in = portal.ask("/auth/demo", {"persona": "platform-admin"})
    cookie = {"Cookie": signed_in.headers["set-cookie"].split(";")[0]}
    lines = portal.ask("/api/audit/export", headers=cookie).body.splitlines()
    assert verify_lines(lines).problems == []
    phases: dict[str, Counter[str]] = defaultdict(Counter)
    for line in map(json.loads, lines):
        if line["type"] == "record":
            phases[line["request_id"]][line["phase"]] += 1
            assert line["actor"], line
            assert line["action"], line
            assert line["result"], line
    wrong = []
    for method, path, status, request_id in answers:
        found = phases[request_id]
        once = status < 300 and path not in NOT_RECORDED
        if found["intent"] != found["outcome"] or found["intent"] > 1 or (once and found["intent"] != 1):
            wrong.append(f"{method} {path} {status}: {dict(found)}")
    assert wrong == []
    carried_out = {(method, path) for method, path, status, _ in answers if status < 300}
    assert len(carried_out) >= 4, carried_out

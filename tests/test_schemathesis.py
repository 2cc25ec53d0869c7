"""The whole API against its own description: what schemathesis sends, legal and illegal, never ends in a 5xx, an
undocumented shape or an unauthenticated way in. Bounded in number and time."""

import os
import shutil
import sys
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
from real_servers import child

pytestmark = pytest.mark.slow

EXAMPLES = 12
CHECKED = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
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


@pytest.mark.parametrize("persona", ["platform-admin", "data-engineer"])
def test_the_api_keeps_to_its_description(persona: str, portal: served.Served) -> None:
    answer = portal.ask("/auth/demo", {"persona": persona})
    headers = {"Cookie": answer.headers["set-cookie"].split(";")[0], "X-CSRF-Token": answer.json()["csrf_token"]}
    schema = schemathesis.openapi.from_url(f"{portal.address}/api/openapi.json")
    failures, operations = [], 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if operation.path in LEFT_OUT:
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
            case.call_and_validate(headers=headers, checks=CHECKED)

        try:
            run()
        except Exception as error:
            failures.append(f"{operation.method.upper()} {operation.path}: {error}")
    assert operations > 25
    assert failures == [], "\n\n".join(failures)

"""Every way in which a server fails: a clear answer, in bounded time and memory, that shows nothing of the server's."""

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal.testing import FAULTS, PortalUnderTest, candidate_for, faulty, portal_for
from openlakes_portal_observability import plugin

from .conftest import API

WORDS = {
    "refuse": "refuses connections",
    "reset": "broke off",
    "hang": "did not answer within 1 s",
    "500": "answered 500",
    "429": "limits the rate",
    "truncated": "broke off",
    "html": "is no answer of",
    "drip": "did not answer within 1 s",
    "huge": "more than 16777216 bytes",
}


async def component(portal: PortalUnderTest, name: str) -> dict[str, Any]:
    """A component, once it was looked at."""
    async with asyncio.timeout(40):
        while True:
            items = (await portal.signed_in("platform-admin").get("/api/components")).json()["items"]
            found: dict[str, Any] = next(item for item in items if item["id"] == f"observability.{name}")
            if found["state"] != "unknown":
                return found
            await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fault_is_a_clear_and_bounded_answer(fault: str, tmp_path: Path) -> None:
    timeout = 10 if fault == "huge" else 1
    with faulty(fault) as address:
        servers = {name: {"address": address, "timeout": timeout} for name in ("prometheus", "alertmanager")}
        settings = {"plugins": {"observability": servers}}
        async with portal_for(tmp_path, settings, [candidate_for("observability", plugin)]) as portal:
            engineer = portal.signed_in("data-engineer")
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for path in ("alerts", "targets", "silences"):
                began = time.monotonic()
                answer = await engineer.get(f"{API}/{path}")
                assert time.monotonic() - began < 2 * timeout + 3, path
                assert answer.status_code in (502, 503), (path, answer.text)
                problem = answer.json()
                assert WORDS[fault] in problem["detail"] or "failed 5 times" in problem["detail"], problem
                assert "srv/secret" not in answer.text, "nothing of the server's own words"
                assert problem["request_id"]
            home = await engineer.get(f"{API}/summary")
            assert (home.status_code, home.json()["firing"], home.json()["targets"]) == (200, None, None)
            for name in ("prometheus", "alertmanager", "targets"):
                seen = await component(portal, name)
                assert seen["state"] == "down", seen
                assert seen["cause"], seen
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert grown < 192 * 1024, f"{grown} KiB"


async def test_where_all_is_well_each_component_says_its_version_and_a_target_that_is_down_degrades(
    portal: PortalUnderTest, upstream: Any
) -> None:
    from .conftest import answers, target

    answers(upstream, targets=[target("a", "a:1"), target("z", "z:9", "down", "connection refused")])
    seen = await component(portal, "prometheus")
    assert (seen["state"], seen["details"]["version"]) == ("healthy", "2.42.0"), seen
    assert (await component(portal, "alertmanager"))["details"]["version"] == "0.25.0"
    targets = await component(portal, "targets")
    assert targets["state"] == "degraded"
    assert targets["cause"] == "1 of 2 targets is down. z at z:9."

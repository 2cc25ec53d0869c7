"""A check or a search that raises, hangs or spins degrades its own tile within its deadline, and nothing else."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._host.discovery import Candidate
from openlakes_portal.testing import PortalUnderTest, portal_for

WritePlugin = Callable[..., Candidate]

HEALTHY = """
@hookimpl
def register_health_checks(context):
    async def check():
        return HealthReport.healthy(version="1")
    return [HealthCheck("good", check, interval=0.5)]
"""

CHECKS = {
    "raises": ("raise RuntimeError('broken')", "degraded", "RuntimeError: broken"),
    "hangs": ("import asyncio; await asyncio.Event().wait()", "degraded", "did not answer within 0.3 s"),
    "spins": ("\n        while True: pass", "degraded", "does not give control back"),
    "blocks": ("import time; time.sleep(1.5)", "degraded", "does not give control back"),
    "returns nonsense": ("return 'fine'", "degraded", "returned str"),
    "exits": ("raise SystemExit(3)", "degraded", "it raised SystemExit"),
    "says down": ("raise UpstreamUnavailable('x is away', remedy='start x')", "down", "x is away"),
    "says missing": ("return HealthReport.missing('no worker', 'start one')", "missing", "no worker"),
}


async def component(portal: PortalUnderTest, key: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The component once it is as wanted; fails after five seconds."""
    client = portal.signed_in("viewer")
    deadline = time.monotonic() + 5
    while True:
        items: dict[str, dict[str, Any]] = {c["id"]: c for c in (await client.get("/api/components")).json()["items"]}
        if reached(items[key]):
            return items[key]
        assert time.monotonic() < deadline, items[key]
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("case", CHECKS, ids=lambda name: name.replace(" ", "-"))
async def test_a_bad_check_stays_on_its_own_tile(case: str, tmp_path: Path, write_plugin: WritePlugin) -> None:
    code, state, words = CHECKS[case]
    source = f"""
@hookimpl
def register_health_checks(context):
    async def check():
        {code}
    return [HealthCheck("bad", check, timeout=0.3, interval=0.5)]
"""
    candidates = [write_plugin("bad", source), write_plugin("good", HEALTHY)]
    async with portal_for(tmp_path / "portal", None, candidates) as portal:
        bad = await component(portal, "bad.bad", lambda c: c["state"] not in ("unknown",))
        assert (bad["state"], words in bad["cause"]) == (state, True), bad
        good = await component(portal, "good.good", lambda c: c["state"] == "healthy")
        assert good["details"] == {"version": "1"}
        started = time.monotonic()
        assert (await portal.signed_in("viewer").get("/api/session")).status_code == 200
        assert time.monotonic() - started < 1.0, "the portal's own loop must not wait for a check"


async def test_every_declared_check_is_listed_from_the_start_as_unknown(
    tmp_path: Path, write_plugin: WritePlugin
) -> None:
    slow = """
@hookimpl
def register_health_checks(context):
    async def check():
        import asyncio
        await asyncio.Event().wait()
    return [HealthCheck("slow", check, timeout=30)]
"""
    async with portal_for(tmp_path / "portal", None, [write_plugin("slow", slow)]) as portal:
        items = (await portal.signed_in("viewer").get("/api/components")).json()["items"]
        assert [(c["id"], c["state"]) for c in items if c["plugin"] == "slow"] == [("slow.slow", "unknown")]


async def test_a_change_reaches_an_open_stream(tmp_path: Path, write_plugin: WritePlugin) -> None:
    flag = tmp_path / "flag"
    source = f"""
@hookimpl
def register_health_checks(context):
    from pathlib import Path
    async def check():
        if Path({str(flag)!r}).exists():
            return HealthReport.down("the flag is up", "take it down")
        return HealthReport.healthy()
    return [HealthCheck("flag", check, interval=0.5)]
"""
    async with portal_for(tmp_path / "portal", None, [write_plugin("acme", source)]) as portal:
        await component(portal, "acme.flag", lambda c: c["state"] == "healthy")
        monitor = portal.app.portal.monitor
        events = monitor.follow()
        first = await anext(events)
        assert first.event == "snapshot"
        flag.touch()
        async with asyncio.timeout(5):
            change = await anext(events)
            while change.data.id != "acme.flag":
                change = await anext(events)
        assert (change.event, change.data.state, change.data.cause) == ("component", "down", "the flag is up")
        await events.aclose()  # type: ignore[attr-defined]


SEARCH = """
@hookimpl
def register_pages(context):
    return [Page("overview", "Overview", READ, body=[])]
@hookimpl
def register_search(context):
    async def search(principal, text, limit):
        {code}
    return [SearchProvider("find", search, READ, timeout=0.3)]
"""


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise RuntimeError('x')", "failed: RuntimeError"),
        ("import asyncio; await asyncio.Event().wait()", "did not answer within 0.3 s"),
        ("\n        while True: pass", "does not give control back"),
        ("return [SearchResult('1', 'One', 'thing', 'nowhere')]", "failed: ValueError"),
        ("return ['x']", "failed: TypeError"),
    ],
)
async def test_a_bad_search_provider_is_named_and_the_others_answer(
    code: str, words: str, tmp_path: Path, write_plugin: WritePlugin
) -> None:
    good = SEARCH.format(code="return [SearchResult('1', f'{text} by {principal.username}', 'thing', 'overview')]")
    candidates = [write_plugin("bad", SEARCH.format(code=code)), write_plugin("good", good)]
    async with portal_for(tmp_path / "portal", None, candidates) as portal:
        answer = (await portal.signed_in("viewer").get("/api/search?q=lake")).json()
        titles = [hit["title"] for hit in answer["items"]]
        assert "lake by viewer" in titles
        assert [(p["plugin"], words in p["reason"]) for p in answer["partial"]] == [("bad", True)]
        analyst = (await portal.signed_in("bi-analyst").get("/api/search?q=lake")).json()
        assert analyst == {"items": [], "partial": []}, "who may not, learns not even that there is a provider"


async def test_a_plugin_that_ends_the_process_is_counted_and_quarantined_after_three(
    tmp_path: Path, write_plugin: WritePlugin
) -> None:
    """F45, the part in the process; the supervisor's part is in test_server.py."""
    import subprocess
    import sys

    from openlakes_portal._host.journal import Journal

    run = tmp_path / "portal" / "run"
    dying = (
        "import os, sys; from pathlib import Path; from openlakes_portal._host.journal import Journal\n"
        f"journal = Journal(Path({str(run)!r})); journal.open()\n"
        "with journal.running('acme', '?'): os._exit(1)"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", dying], check=False, timeout=30)
    good = write_plugin("good", HEALTHY)
    async with portal_for(tmp_path / "portal", None, [write_plugin("acme", HEALTHY), good]) as portal:
        items = (await portal.signed_in("platform-admin").get("/api/plugins")).json()["items"]
    by_id = {p["id"]: p for p in items}
    assert (by_id["acme"]["state"], by_id["acme"]["stage"]) == ("quarantined", "crash")
    assert "3 times" in by_id["acme"]["reason"]
    assert by_id["good"]["state"] == "active"
    assert Journal(run).crashes("acme", "?") == 3

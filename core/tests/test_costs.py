"""What a warm request and a start may cost: no statement to the database, no client library imported, and a busy
stream that looks at its session all the same."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._http import sse
from openlakes_portal.spi import Event
from openlakes_portal.testing import PortalUnderTest, portal_for

HEAVY = ("kubernetes", "trino", "minio", "hvac", "duckdb", "pyarrow")
START = """
import asyncio, sys
from pathlib import Path
from typing import Any
from openlakes_portal.testing import portal_for
async def main():
    async with portal_for(Path(sys.argv[1])) as portal:
        assert portal.app.portal.ready
        print("loaded:", *sorted(set(sys.argv[2:]) & set(sys.modules)))
asyncio.run(main())
"""


@pytest.fixture
async def portal(tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """Core alone."""
    async with portal_for(tmp_path, candidates=[]) as running:
        yield running


@pytest.mark.parametrize("path", ["/api/session", "/api/bootstrap", "/api/components", "/api/actions", "/api/plugins"])
async def test_a_warm_request_asks_the_database_nothing(path: str, portal: PortalUnderTest) -> None:
    engineer, database = portal.signed_in("platform-admin"), portal.app.portal.database
    await engineer.get(path)
    asked = []
    for _ in range(10):  # beside us the health monitor asks too, so the quietest round counts
        before = database.queries
        assert (await engineer.get(path)).status_code == 200
        asked.append(database.queries - before)
    assert min(asked) == 0


async def test_what_reads_the_database_is_counted(portal: PortalUnderTest) -> None:
    admin, database = portal.signed_in("platform-admin"), portal.app.portal.database
    await admin.get("/api/session")
    before = database.queries
    await admin.get("/api/audit")
    assert database.queries > before


def loaded_at_ready(folder: Path, names: tuple[str, ...]) -> list[str]:
    """Which of these modules a process with every installed plugin has loaded once it is ready."""
    done = subprocess.run(
        [sys.executable, "-c", START, str(folder), *names], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("loaded:")]  # the rest is the log
    return line.split()[1:]


def test_client_libraries_are_not_loaded_at_the_start(tmp_path: Path) -> None:
    assert loaded_at_ready(tmp_path, HEAVY) == []


def test_a_module_that_is_loaded_would_be_seen(tmp_path: Path) -> None:
    assert loaded_at_ready(tmp_path, ("sqlalchemy",)) == ["sqlalchemy"]


async def test_a_busy_stream_ends_with_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that come faster than the session is looked at must not keep the stream open."""
    monkeypatch.setattr(sse, "CHECK_SESSION", 0.05)

    async def busy() -> AsyncIterator[Event]:
        while True:
            await asyncio.sleep(0)
            yield Event("more")

    async def ended() -> bool:
        return False

    parts: list[bytes] = []

    async def send(message: dict[str, Any]) -> None:
        parts.append(message["body"])

    async with asyncio.timeout(10):
        streams = sse.OpenStreams(asyncio.Event())
        await streams.serve(busy(), send, sse.Holder("one", ended), asyncio.Event().wait)
    assert parts[-1].startswith(b"event: signed-out")
    assert any(b'"more"' in part for part in parts)


async def test_a_client_that_does_not_read_keeps_nobody_else_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep-alives, the look at the session and the end reach a stream although another one's client reads nothing."""
    monkeypatch.setattr(sse, "CHECK_SESSION", 0.05)
    monkeypatch.setattr(sse, "KEEP_ALIVE", 0.1)
    monkeypatch.setattr(sse, "FAREWELL", 0.1)
    heard: list[bytes] = []
    stopping = asyncio.Event()

    async def quiet() -> AsyncIterator[Event]:
        await asyncio.Event().wait()
        yield Event("never")

    async def blocked(message: dict[str, Any]) -> None:
        if message["body"] != sse.OPEN:
            await asyncio.Event().wait()

    async def send(message: dict[str, Any]) -> None:
        heard.append(message["body"])

    streams = sse.OpenStreams(stopping)
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        for each in (blocked, send):
            group.create_task(streams.serve(quiet(), each, None, asyncio.Event().wait))
        while heard.count(sse.STILL_HERE) < 2:
            await asyncio.sleep(0.02)
        stopping.set()
    assert heard[-1] == sse.BYE


async def test_all_streams_of_a_session_share_one_look_at_the_store(tmp_path: Path) -> None:
    async with portal_for(tmp_path, {"auth": {"session": {"cache_seconds": 0}}}, candidates=[]) as running:
        await running.signed_in("viewer").get("/api/session")
        sessions, database = running.app.portal.sessions, running.app.portal.database
        session = next(known for _, known in sessions._cache.values() if known is not None)
        asked = []
        for _ in range(3):  # beside us the health monitor asks too, so the quietest round counts
            before = database.queries
            assert all(await asyncio.gather(*(sessions.refresh(session) for _ in range(50))))
            asked.append(database.queries - before)
        assert min(asked) == 1
        await sessions.end(session)
        assert await sessions.refresh(session) is None

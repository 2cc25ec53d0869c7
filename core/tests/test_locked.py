"""M77 at the boundary, on both databases: somebody holds the lock; the wait is bounded, is said, and does no harm."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from openlakes_portal._host.discovery import Candidate
from openlakes_portal._store.database import Database
from openlakes_portal.testing import PortalUnderTest, portal_for

PLUGIN = """
WRITE = Permission("acme:thing:write", "Change things", roles=("data-engineer",))
made = []
@hookimpl
def register_permissions(context):
    return [READ, WRITE]
@hookimpl
def register_routes(context):
    async def make(request: Request) -> str:
        made.append(1)
        return "made"
    async def count(request: Request) -> int:
        return len(made)
    return [Route("POST", "things", make, access=WRITE), Route("GET", "things", count, access=READ)]
"""
THINGS = "/api/plugins/acme/things"
BUSY = 1.0


@pytest.fixture
async def portal(url: str, tmp_path: Path, write_plugin: Callable[..., Candidate]) -> AsyncIterator[PortalUnderTest]:
    """One that waits for a lock for a second."""
    settings = {"database": {"url": url, "busy_timeout": BUSY}}
    async with portal_for(tmp_path / "portal", settings, [write_plugin("acme", PLUGIN)]) as running:
        yield running


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[None]:
    """Somebody else holds everything that is written to: a backup, a migration, an operator's open transaction."""
    other = Database(url)
    async with other.engine.connect() as connection:
        if other.is_sqlite:
            await connection.execute(text("BEGIN IMMEDIATE"))
        else:
            tables = "audit_records, audit_writers, sessions, role_bindings, api_tokens, people"
            await connection.execute(text(f"LOCK TABLE {tables} IN EXCLUSIVE MODE"))
        yield
        await connection.rollback()
    await other.close()


async def test_a_mutation_waits_for_a_while_and_is_told_to_come_back(portal: PortalUnderTest, url: str) -> None:
    dana, admin = portal.signed_in("data-engineer"), portal.signed_in("platform-admin")
    for person in (dana, admin):
        await person.session()
    assert (await dana.post(THINGS)).status_code == 200, "control"
    async with locked(url):
        started = time.monotonic()
        answers = await asyncio.gather(*(dana.post(THINGS) for _ in range(10)), admin.get(THINGS), dana.get(THINGS))
        took = time.monotonic() - started
        for answer in answers[:10]:
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["remedy"]
            assert "select" not in answer.text.lower()
        assert [(a.status_code, a.json()) for a in answers[10:]] == [(200, 1)] * 2, "reading goes on; nothing was made"
        assert BUSY * 0.8 <= took < BUSY * 4, f"a bounded wait: {took:.1f} s"
        refused = await portal.anonymous.post("/auth/demo", json={"persona": "viewer"})
        assert (refused.status_code, "set-cookie" in refused.headers) == (503, False), "and nobody comes in by it"
    assert (await dana.post(THINGS)).status_code == 200
    assert (await dana.get(THINGS)).json() == 2
    assert (await portal.anonymous.post("/auth/demo", json={"persona": "viewer"})).status_code == 200


async def test_who_waits_a_little_is_served(portal: PortalUnderTest, url: str) -> None:
    dana = portal.signed_in("data-engineer")
    await dana.session()
    async with locked(url):
        waiting = asyncio.create_task(dana.post(THINGS))
        done, _ = await asyncio.wait({waiting}, timeout=BUSY / 4)
        assert not done, "it waits for the lock"
    assert (await waiting).status_code == 200

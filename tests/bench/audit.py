"""What the audit log costs: records a second beside commits of a bare row, and mutations with it and without.

Both databases wait for their disk. A mutation without the log is the same portal and the same route, whose
`AuditLog.write` a plugin has replaced by nothing: two commits less.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import text

from bench import databases, servers
from bench.figures import ROUNDS, Figure, median_of_pairs
from bench.people import VIEWERS, oidc_settings, sign_in
from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.record import Entry
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.migrate import migrate
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, FakePerson

SECONDS = 1.5
ROW = "x" * 600
"""About as long as a record."""
WITHOUT = """
from openlakes_portal._audit.log import AuditLog
async def nothing(self, entry, phase, result):
    return None
AuditLog.write = nothing
"""
PATH = "/api/plugins/acme-one/things"

Write = Callable[[], Awaitable[None]]


def measure(folder: Path) -> Iterator[Figure]:
    """The log alone, and what it adds to a mutation."""
    with databases.both(folder) as urls:
        for name, url in urls.items():
            yield from asyncio.run(_alone(name, database_url(url, folder)))
    with FakeIdentityProvider(FakePerson("vera", groups=[VIEWERS])) as provider:
        yield from _mutations(folder, provider)


async def _alone(name: str, url: str) -> list[Figure]:
    database = Database(url)
    await migrate(database)
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE bench_rows (body TEXT)"))
    log = AuditLog(database)

    async def record() -> None:
        await log.write(Entry("bench.thing.change", "0" * 26, details={"body": ROW[:200]}), "event", "ok")

    async def bare() -> None:
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO bench_rows VALUES (:body)"), {"body": ROW})

    ways: list[tuple[Write, int]] = [(bare, 1), (record, 1), (bare, 8), (record, 8), (record, 64)]
    rounds = [tuple([await _rate(*way) for way in ways]) for _ in range(ROUNDS)]
    await database.close()
    return [
        Figure("audit", f"records a second, one writer, {name} / commits of a bare row", median_of_pairs(rounds, 1, 0)),
        Figure("audit", f"records a second, 8 at a time, {name} / commits, 8 at a time", median_of_pairs(rounds, 3, 2)),
        Figure("audit", f"records a second, 64 at a time, {name} / one at a time", median_of_pairs(rounds, 4, 1)),
        Figure("audit", f"records a second, 64 at a time, {name}", sorted(r[4] for r in rounds)[ROUNDS // 2]),
    ]


async def _rate(write: Write, concurrency: int) -> float:
    """Writes a second."""
    begin, written = time.perf_counter(), 0

    async def go_on() -> None:
        nonlocal written
        while time.perf_counter() - begin < SECONDS:
            await write()
            written += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(go_on())
    return written / (time.perf_counter() - begin)


def _mutations(folder: Path, provider: FakeIdentityProvider) -> Iterator[Figure]:
    with databases.both(folder / "with") as logged, databases.both(folder / "without") as silent:
        for name in logged:
            with ExitStack() as stack:
                asked = []
                for kind, urls, prelude in (("with", logged, ""), ("without", silent, WITHOUT)):
                    at = folder / f"{kind}-{name}"
                    settings = oidc_settings(provider, urls[name])
                    portal = stack.enter_context(servers.portal(at, {"acme-one": 1}, settings, prelude))
                    asked += [(portal, *_requests(portal, provider))]
                rounds = [
                    tuple(servers.load(portal, each[kind]) for kind in (0, 1) for portal, *each in asked)
                    for _ in range(ROUNDS)
                ]
            doing = f"mutations a second with audit / without, {name}"
            yield Figure("audit", f"{doing}, of a route that does nothing", median_of_pairs(rounds, 0, 1))
            yield Figure("audit", f"{doing}, of an API token", median_of_pairs(rounds, 2, 3))


def _requests(portal: servers.Running, provider: FakeIdentityProvider) -> tuple[servers.Ask, servers.Ask]:
    vera = asyncio.run(sign_in(portal, provider, "vera"))
    idle = portal.mutation(PATH, vera.cookie, vera.csrf)
    number = itertools.count()

    def token() -> bytes:
        body = {
            "name": f"token {next(number)}",
            "permissions": ["core:health:read"],
            "expires_at": "2027-01-20T00:00:00Z",
        }
        return portal.mutation("/api/tokens", vera.cookie, vera.csrf, json.dumps(body))

    return idle, token

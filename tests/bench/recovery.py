"""How long until a person is served again: after a process was killed, after the database or the identity provider was
away and is back. The portal is not restarted but where it was killed.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from core.tests.identity.portal import ADMINS, oidc_settings
from core.tests.replicas.test_two import sign_in

from bench import databases
from bench.figures import Figure, longest, median_of_pairs
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, FakePerson
from real_servers.postgres import PostgresServer
from replica_process import PUBLIC, Person, Replica, eventually

COUNT = 10
AWAY = 3.0
"""Seconds that the database is away: longer than a session is believed without it."""
PROCESS, DATABASE, PROVIDER = 5.0, 10.0, 30.0
"""The goals, in seconds."""
GIVE_UP = 60.0


def measure(folder: Path) -> Iterator[Figure]:
    """A process on both databases, and on PostgreSQL what it depends on."""
    with FakeIdentityProvider(FakePerson("alice", groups=[ADMINS])) as provider, databases.postgresql() as server:
        provider.redirect_uris = (f"{PUBLIC}/auth/callback",)
        with server.database() as url:
            for name, address in (("SQLite", f"sqlite:///{folder / 'portal.db'}"), ("PostgreSQL", url)):
                replica = Replica(folder / name, address, oidc_settings(provider))
                try:
                    alice = _person(provider, replica.start())
                    yield from _process(name, replica, alice)
                    if name == "PostgreSQL":
                        yield from _dependencies(server, provider, replica, alice)
                finally:
                    replica.stop()


def _process(name: str, replica: Replica, alice: Person) -> Iterator[Figure]:
    rounds = [(_again(replica, alice, replica.kill), _again(replica, alice, replica.stop)) for _ in range(COUNT)]
    yield longest("recovery", f"process killed and started again, {name}", [r[0] for r in rounds], PROCESS)
    yield Figure("recovery", f"start after a kill / start after a stop, {name}", median_of_pairs(rounds, 0, 1))


def _dependencies(
    server: PostgresServer, provider: FakeIdentityProvider, replica: Replica, alice: Person
) -> Iterator[Figure]:
    def signs_in() -> bool:
        try:
            _person(provider, replica)
        except (AssertionError, httpx.TransportError):
            return False
        return True

    away = [_away(server.stop, server.start, lambda: _changes(replica, alice)) for _ in range(COUNT)]
    yield longest("recovery", "PostgreSQL is back", away, DATABASE)
    back = [_away(provider.stop, provider.start, signs_in) for _ in range(COUNT)]
    yield longest("recovery", "identity provider is back", back, PROVIDER)


def _person(provider: FakeIdentityProvider, replica: Replica) -> Person:
    return asyncio.run(sign_in(provider, replica, replica, "alice"))


def _again(replica: Replica, alice: Person, end: Callable[[], object]) -> float:
    """From the start of the process to the first change by the session of before."""
    end()
    return _timed(lambda: replica.start(wait=False), lambda: _changes(replica, alice))


def _changes(replica: Replica, alice: Person) -> bool:
    """Whether a change is made, with its records in the audit log."""
    body = {"name": "ci", "permissions": ["core:access:read"], "expires_at": "2027-01-20T00:00:00Z"}
    try:
        with alice.at(replica) as client:
            return client.post("/api/tokens", json=body).status_code == 201
    except httpx.TransportError:
        return False


def _away(stop: Callable[[], object], start: Callable[[], object], works: Callable[[], bool]) -> float:
    """Stop it, see that it is missed, start it again; from when it answers until it is of use."""
    stop()
    gone = time.monotonic()
    eventually(lambda: not works(), GIVE_UP, "somebody notices")
    eventually(lambda: time.monotonic() - gone > AWAY, GIVE_UP, "it stays away")
    start()
    return _timed(lambda: None, works)


def _timed(begin: Callable[[], object], works: Callable[[], bool]) -> float:
    began = time.perf_counter()
    begin()
    eventually(works, GIVE_UP, "it works again")
    return time.perf_counter() - began

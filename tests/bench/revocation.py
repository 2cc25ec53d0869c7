"""How long after something was taken away at one replica another one still grants it; 50 rounds of each.

Two processes on one database. The second one is asked all the time, so that it believes what it remembers; the time
runs from the sending of the request at the first one to the first refusal of the second one.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
from core.tests.identity.portal import ADMINS, oidc_settings
from core.tests.replicas.test_two import sign_in

from bench import databases
from bench.figures import Figure, longest
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, FakePerson
from replica_process import PUBLIC, Person, Replica, eventually, replicas

COUNT = 50
ANALYSTS = "/data/analysts"
"""They see the components, and not the people."""
GIVE_UP = 15.0
SHORT, STREAM = 1.0, 5.0
"""The goals, in seconds."""


def measure(folder: Path) -> Iterator[Figure]:
    """On both databases."""
    with databases.both(folder) as urls:
        for name, url in urls.items():
            yield from _measure(folder / name, name, url)


def _measure(folder: Path, name: str, url: str) -> Iterator[Figure]:
    people = (FakePerson("alice", groups=[ADMINS]), FakePerson("bob", groups=[ANALYSTS]))
    with FakeIdentityProvider(*people) as provider:
        provider.redirect_uris = (f"{PUBLIC}/auth/callback",)
        with replicas(folder, url, 2, oidc_settings(provider)) as pair:
            rounds = Rounds(provider, pair[0], pair[1])
            for what, once, bound in (
                ("a session ended", rounds.session, SHORT),
                ("an API token revoked", rounds.token, SHORT),
                ("a binding removed", rounds.binding, SHORT),
                ("a session ended, its open stream", rounds.stream, STREAM),
            ):
                yield longest("revocation", f"{what}, {name}", [once() for _ in range(COUNT)], bound)


class Rounds:
    """What is given at the one replica, seen at the other, and taken away."""

    def __init__(self, provider: FakeIdentityProvider, here: Replica, there: Replica) -> None:
        self._provider, self._here, self._there = provider, here, there
        self._admin = self._person("alice", here).at(here)
        self._bob = self._person("bob", there)

    def _person(self, username: str, replica: Replica) -> Person:
        return asyncio.run(sign_in(self._provider, replica, replica, username))

    def _sessions(self) -> list[str]:
        items = self._admin.get("/api/sessions", params={"username": "bob"}).raise_for_status().json()["items"]
        return [item["id"] for item in items]

    def session(self) -> float:
        """A session that an admin ends."""
        id, bob = self._new_session()
        with bob.at(self._there) as client:
            return _until(_Asked(client, "/api/session", 401), lambda: self._admin.delete(f"/api/sessions/{id}"))

    def stream(self) -> float:
        """The same for what that session has open."""
        id, bob = self._new_session()
        with bob.at(self._there) as client, client.stream("GET", "/api/components/events") as answer:
            if answer.status_code != 200:
                raise RuntimeError(f"no stream: {answer.read()[:300]!r}")
            chunks = answer.iter_raw()
            next(chunks)
            return _until(_Open(chunks), lambda: self._admin.delete(f"/api/sessions/{id}"))

    def _new_session(self) -> tuple[str, Person]:
        before = set(self._sessions())
        bob = self._person("bob", self._there)
        (id,) = set(self._sessions()) - before
        return id, bob

    def token(self) -> float:
        """An API token."""
        body = {"name": "ci", "permissions": ["core:access:read"], "expires_at": "2027-01-20T00:00:00Z"}
        made = self._admin.post("/api/tokens", json=body).raise_for_status().json()
        with self._there.client() as client:
            client.headers["authorization"] = f"Bearer {made['token']}"
            asked = _Asked(client, "/api/users", 401)
            return _until(asked, lambda: self._admin.delete(f"/api/tokens/{made['id']}"))

    def binding(self) -> float:
        """A role of a person."""
        body = {"role": "core:access:read", "subject": "bob", "reason": "a round"}
        given = self._admin.post("/api/role-bindings", json=body).raise_for_status().json()["binding"]
        match = {"if-match": str(given["version"])}
        with self._bob.at(self._there) as client:
            eventually(lambda: client.get("/api/users").status_code == 200, GIVE_UP, "what is given is seen there")
            asked = _Asked(client, "/api/users", 403)
            return _until(asked, lambda: self._admin.delete(f"/api/role-bindings/{given['id']}", headers=match))


class _Asked:
    """Asks until it is refused with this status."""

    def __init__(self, client: httpx.Client, path: str, refused: int) -> None:
        self._client, self._path, self._refused = client, path, refused
        self.granted = threading.Event()

    def __call__(self) -> None:
        deadline = time.monotonic() + GIVE_UP
        while time.monotonic() < deadline:
            status = self._client.get(self._path).status_code
            if status == self._refused:
                return
            if status != 200:
                raise RuntimeError(f"{self._path} answers {status}")
            self.granted.set()
        raise RuntimeError(f"{self._path} is still granted")


class _Open:
    """Reads a stream to its end."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.granted = threading.Event()
        self.granted.set()

    def __call__(self) -> None:
        for _ in self._chunks:
            pass


def _until(watch: _Asked | _Open, take_away: Callable[[], httpx.Response]) -> float:
    """Seconds from `take_away` on until `watch` comes back."""
    over: list[float] = []

    def run() -> None:
        watch()
        over.append(time.perf_counter())

    thread = threading.Thread(target=run)
    thread.start()
    if not watch.granted.wait(GIVE_UP):
        raise RuntimeError("it was not granted to begin with")
    begin = time.perf_counter()
    take_away().raise_for_status()
    thread.join(GIVE_UP)
    if not over:
        raise RuntimeError(f"it was not refused within {GIVE_UP:g} s")
    return over[0] - begin

"""N82-N84 and section A6 over real processes on PostgreSQL, and on SQLite where two processes may share it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from openlakes_portal._host.leader import LEASE, RENEW
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, FakePerson
from replica_process import PUBLIC, SESSION, Person, Replica, eventually, replicas

pytestmark = [pytest.mark.slow, pytest.mark.server]
ADMINS = "/platform/admins"


@pytest.fixture
def provider() -> Iterator[FakeIdentityProvider]:
    """A provider of this test's own."""
    with FakeIdentityProvider(FakePerson("alice", groups=[ADMINS]), FakePerson("bob", groups=[])) as running:
        running.redirect_uris = (f"{PUBLIC}/auth/callback",)
        yield running


@pytest.fixture
def pair(postgres_url: str, tmp_path: Path, provider: FakeIdentityProvider) -> Iterator[list[Replica]]:
    """Two processes on an empty PostgreSQL, started at the same moment: N83 is their fixture."""
    settings = {
        "auth": {
            "mode": "oidc",
            "oidc": {
                "issuer": provider.issuer,
                "client_id": provider.client_id,
                "client_secret": provider.client_secret,
                "scopes": provider.scope.split(),
            },
        },
        "rbac": {"role_bindings": [{"role": "platform-admin", "group": ADMINS}]},
        "server": {"public_url": PUBLIC},
    }
    with replicas(tmp_path, postgres_url, 2, settings) as running:
        yield running


async def sign_in(provider: FakeIdentityProvider, begin: Replica, end: Replica, username: str) -> Person:
    """The login begins at one replica, its callback comes to another."""
    started = begin.client().get("/auth/login", params={"next": "/"})
    assert started.status_code == 303, started.text
    async with httpx.AsyncClient(trust_env=False) as browser:
        callback = await provider.sign_in(started.headers["location"], username, session=browser)
    parts = urlsplit(callback)
    cookies = dict(started.cookies.items())
    back = end.client(cookies).get(f"{parts.path}?{parts.query}")
    assert back.status_code == 303, back.text
    person = Person(back.cookies[SESSION], "")
    session = person.at(end).get("/api/session")
    assert session.json()["username"] == username
    person.csrf = session.json()["csrf_token"]
    return person


def status(person: Person, replica: Replica) -> int:
    """Of `/api/session` there."""
    with person.at(replica) as client:
        return client.get("/api/session").status_code


async def test_a_login_begins_at_one_replica_and_ends_at_the_other(
    pair: list[Replica], provider: FakeIdentityProvider
) -> None:
    """N82, and N83: both have started on one empty database, and one has migrated."""
    first, second = pair
    alice = await sign_in(provider, first, second, "alice")
    assert [status(alice, replica) for replica in pair] == [200, 200]
    started = first.client().get("/auth/login", params={"next": "/"})
    async with httpx.AsyncClient(trust_env=False) as browser:
        callback = await provider.sign_in(started.headers["location"], "alice", session=browser)
    parts = urlsplit(callback)
    cookies = dict(started.cookies.items())
    codes = [r.client(cookies).get(f"{parts.path}?{parts.query}").status_code for r in (second, first)]
    assert codes == [303, 400], "a callback is good once, wherever it comes"


async def test_a_logout_at_the_provider_told_to_one_replica_ends_the_session_on_the_other(
    pair: list[Replica], provider: FakeIdentityProvider
) -> None:
    first, second = pair
    alice = await sign_in(provider, first, first, "alice")
    bob = await sign_in(provider, first, second, "bob")
    assert status(alice, first) == 200
    (session,) = provider.sessions("alice")
    told = time.monotonic()
    answer = second.client().post("/auth/backchannel-logout", data={"logout_token": provider.logout_token(session)})
    assert answer.status_code == 200
    eventually(lambda: status(alice, first) == 401, 1.0, "the session ends on the other replica")
    assert time.monotonic() - told < 2.0
    assert status(bob, first) == 200


async def test_what_is_taken_away_at_one_replica_is_gone_at_the_other(
    pair: list[Replica], provider: FakeIdentityProvider
) -> None:
    """D30 and A9 over processes: a binding, a session and an API token."""
    first, second = pair
    alice = await sign_in(provider, first, first, "alice")
    bob = await sign_in(provider, second, second, "bob")
    admin = alice.at(first)

    def may_read() -> int:
        with bob.at(second) as client:
            return client.get("/api/users").status_code

    assert may_read() == 403
    given = admin.post("/api/role-bindings", json={"role": "core:access:read", "subject": "bob", "reason": "test"})
    assert given.status_code == 201, given.text
    eventually(lambda: may_read() == 200, 1.0, "what is given holds on the other replica")
    binding = given.json()["binding"]
    removed = admin.delete(f"/api/role-bindings/{binding['id']}", headers={"if-match": str(binding["version"])})
    assert removed.status_code == 200, removed.text
    eventually(lambda: may_read() == 403, 1.0, "what is taken is gone there")
    body = {"name": "ci", "permissions": ["core:access:read"], "expires_at": "2027-01-20T00:00:00Z"}
    made = admin.post("/api/tokens", json=body).json()
    bearer = {"authorization": f"Bearer {made['token']}"}
    assert second.client().get("/api/users", headers=bearer).status_code == 200
    assert admin.delete(f"/api/tokens/{made['id']}").status_code in (200, 204)
    eventually(
        lambda: second.client().get("/api/users", headers=bearer).status_code == 401, 1.0, "the token is refused there"
    )
    sessions = admin.get("/api/sessions", params={"username": "bob"}).json()["items"]
    assert admin.delete(f"/api/sessions/{sessions[0]['id']}").status_code in (200, 204)
    eventually(lambda: status(bob, second) == 401, 1.0, "the session is over there")


def covered(replica: Replica, person: Person) -> dict[str, Any]:
    """How the audit log stands, asked there."""
    state: dict[str, Any] = person.at(replica).get("/api/audit/state").json()
    return state


async def test_a_killed_leader_is_followed_and_its_records_are_covered(
    pair: list[Replica], provider: FakeIdentityProvider
) -> None:
    """N84: the other one takes over within 15 s, and states what the dead one had written and not covered."""
    first, second = pair
    alice = await sign_in(provider, first, second, "alice")
    leader = next(r for r in pair if "leads" in r.log()) if any("leads" in r.log() for r in pair) else first
    other = second if leader is first else first
    for _ in range(3):
        alice.at(leader).delete("/api/sessions/none")
    before = covered(other, alice)
    assert before["uncovered"] > 0
    killed = time.monotonic()
    leader.kill()
    eventually(lambda: covered(other, alice)["uncovered"] == 0, 30, "the records are covered by who leads now")
    took = time.monotonic() - killed
    assert took < LEASE + RENEW + 12, "a lease, a look, and the interval of statements"
    lines = alice.at(other).get("/api/audit/export").content.splitlines()
    from openlakes_portal._audit.export import verify_lines

    assert verify_lines(lines).problems == []
    leader.start()
    assert status(alice, leader) == 200


async def test_a_stopped_replica_takes_no_session_with_it(pair: list[Replica], provider: FakeIdentityProvider) -> None:
    first, second = pair
    alice = await sign_in(provider, first, first, "alice")
    first.stop()
    assert status(alice, second) == 200
    first.start()
    assert status(alice, first) == 200

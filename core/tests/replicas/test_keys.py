"""N82 over real processes: keys are replaced with overlap, and nobody is signed out by it."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import select, update

from openlakes_portal._settings.load import merge
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.tables import sessions
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, FakePerson
from replica_process import PUBLIC, Person, Replica, eventually, replicas

from .test_two import ADMINS, sign_in, status

pytestmark = pytest.mark.slow
OLD, NEW = "6b" * 32, "6e" * 32


class Watch:
    """Somebody who asks every replica again and again, and what they were answered."""

    def __init__(self, person: Person, *asked: Replica) -> None:
        self.statuses: Counter[int] = Counter()
        self._stop = Event()
        self._threads = [Thread(target=self._ask, args=(person, replica)) for replica in asked]

    def _ask(self, person: Person, replica: Replica) -> None:
        with person.at(replica) as client:
            while not self._stop.is_set():
                self.statuses[client.get("/api/session").status_code] += 1

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


def published(replica: Replica) -> set[str]:
    """The `kid`s that it shows to verifiers."""
    with replica.client() as client:
        return {key["kid"] for key in client.get("/.well-known/jwks.json").json()["keys"]}


def rotate(replica: Replica) -> str:
    """What an operator types beside a running portal; the command's output."""
    words = [sys.executable, "-m", "openlakes_portal.cli", "keys", "rotate", "--config", str(replica.config)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keys_that_sign_are_replaced_and_everybody_stays(url: str, tmp_path: Path) -> None:
    with replicas(tmp_path, url, 2) as (first, second):
        person = first.signed_in("viewer")
        assert [status(person, replica) for replica in (first, second)] == [200, 200]
        before = published(first)
        assert published(second) == before
        with Watch(person, first, second) as watch:
            eventually(lambda: watch.statuses[200] > 10, 10, "it is asked")
            told = rotate(first)
            eventually(lambda: published(first) > before, 2, "new keys are published beside the old ones")
            eventually(lambda: published(second) == published(first), 2, "and by the other replica")
            seen = sum(watch.statuses.values())
            eventually(lambda: sum(watch.statuses.values()) > seen + 10, 10, "it is asked on")
        assert set(watch.statuses) == {200}, watch.statuses
        made = published(second) - before
        assert len(made) == len(before)
        assert all(kid in told for kid in made | before)
        assert status(first.signed_in("viewer"), second) == 200


@pytest.fixture
def provider() -> Iterator[FakeIdentityProvider]:
    """A provider of this test's own."""
    with FakeIdentityProvider(FakePerson("alice", groups=[ADMINS])) as running:
        running.redirect_uris = (f"{PUBLIC}/auth/callback",)
        yield running


def settings_of(provider: FakeIdentityProvider) -> dict[str, Any]:
    oidc = {
        "issuer": provider.issuer,
        "client_id": provider.client_id,
        "client_secret": provider.client_secret,
        "scopes": provider.scope.split(),
    }
    return {
        "auth": {"mode": "oidc", "oidc": oidc},
        "rbac": {"role_bindings": [{"role": "platform-admin", "group": ADMINS}]},
    }


async def renewed(url: str, provider: FakeIdentityProvider, person: Person, replica: Replica) -> None:
    """The person's access token is at its end, as far as its place in the database says: the replica must read the
    sealed refresh token, use it, and seal what it gets."""
    database = Database(url)
    try:
        async with database.write() as connection:
            await connection.execute(update(sessions).values(checked_at=now() - timedelta(hours=1)))
        asked = provider.calls["userinfo"] + provider.calls["refresh"]

        def is_asked() -> bool:
            assert status(person, replica) == 200
            return provider.calls["userinfo"] + provider.calls["refresh"] > asked

        eventually(is_asked, 10, "the session was confirmed at the provider")
    finally:
        await database.close()


async def sealed(url: str) -> set[bytes]:
    """The tokens of sessions as they lie in the database."""
    database = Database(url)
    try:
        async with database.read() as connection:
            return {row.tokens for row in (await connection.execute(select(sessions.c.tokens))).all()}
    finally:
        await database.close()


@pytest.mark.server
async def test_the_key_at_rest_is_replaced_replica_by_replica(
    postgres_url: str, tmp_path: Path, provider: FakeIdentityProvider
) -> None:
    """First both can read with the new one, then both write with it: at no moment can one not read the other's."""
    url = database_url(postgres_url, tmp_path)
    with replicas(tmp_path, postgres_url, 2, settings_of(provider)) as pair:
        first, second = pair
        alice = await sign_in(provider, first, second, "alice")
        await renewed(url, provider, alice, first)
        under_old = await sealed(url)
        for security in ({"key": OLD, "previous_keys": [NEW]}, {"key": NEW, "previous_keys": [OLD]}):
            for replica in pair:
                replica.stop()
                with_keys = merge(json.loads(replica.config.read_text()), {"security": security})
                replica.config.write_text(json.dumps(with_keys))
                replica.start()
                for each in pair:
                    assert status(alice, each) == 200
                    await renewed(url, provider, alice, each)
        assert not await sealed(url) & under_old, "what is in use was written anew"
        assert published(first) == published(second)


@pytest.mark.server
async def test_the_providers_key_is_replaced_between_login_and_callback(
    postgres_url: str, tmp_path: Path, provider: FakeIdentityProvider
) -> None:
    with replicas(tmp_path, postgres_url, 2, settings_of(provider)) as (first, second):
        alice = await sign_in(provider, first, second, "alice")
        provider.rotate()
        again = await sign_in(provider, second, first, "alice")
        for person in (alice, again):
            assert [status(person, replica) for replica in (first, second)] == [200, 200]
            for replica in (first, second):
                await renewed(database_url(postgres_url, tmp_path), provider, person, replica)

"""Credentials between plugins and upstreams: which forms are used, who shares what, and what a failure leaves."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.reading import AuditQuery
from openlakes_portal._audit.record import AuditRecord
from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._auth.signing_keys import SigningKeys, new_pem
from openlakes_portal._host.context import PluginContext, Runtime
from openlakes_portal._host.upstreams import HttpUpstreamClient
from openlakes_portal._settings.issuer import IssuerSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.keyring import Keyring
from openlakes_portal.spi import PortalToken, Principal, Unavailable, Upstream, UpstreamAuthFailed, UpstreamCredential
from openlakes_portal.testing import FakeUpstream

ANALYST = Principal(subject="a", issuer="test", username="bi-analyst", name="A")


class Own:
    """An exchanger as a plugin would write one; `given` is what is unlike a good bearer token."""

    audience = "own"

    def __init__(self, **given: Any) -> None:
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        self._given = given

    async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        right = {
            "kind": "bearer",
            "value": SecretStr("own"),
            "audience": audience,
            "subject": principal.username,
            "expires_at": now() + timedelta(minutes=5),
        }
        return UpstreamCredential(**{**right, **self._given})


class NoSettings(BaseModel):
    """A plugin without any."""


def context_with(folder: Path, *exchangers: Own | PortalToken) -> PluginContext:
    """What a plugin with these exchangers is given; the portal has a key for ES256 alone."""
    settings = IssuerSettings(keys=(SecretStr(new_pem("ES256").decode()),))
    keys = SigningKeys(Database(database_url(None, folder)), Keyring([b"k" * 32]), settings, folder)
    runtime = Runtime(folder, "http://portal.test", issuer=Issuer("http://portal.test", keys))
    context = PluginContext("acme", NoSettings(), runtime, structlog.get_logger(), 1)
    context.exchange.exchangers = {exchanger.audience: exchanger for exchanger in exchangers}
    return context


async def recorded(audit: AuditLog) -> list[AuditRecord]:
    """Failed exchanges on record."""
    return [*(await audit.read(AuditQuery(action="core.exchange.failed"))).items]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"expires_at": (now() + timedelta(minutes=5)).replace(tzinfo=None)}, "a time without a zone"),
        ({"acts_as": "somebody"}, "whose rights it carries"),
        ({"value": SecretStr("")}, "an empty credential"),
        ({"value": SecretStr("two words")}, "no bearer credential"),
        ({"value": SecretStr("a\r\nx-other: b")}, "no bearer credential"),
        ({"kind": "header", "name": "x-auth", "value": SecretStr("a\r\nb: c")}, "no header credential"),
        ({"kind": "header", "name": "x-auth: y"}, "no header credential"),
        ({"kind": "header", "name": "Host"}, "no header credential"),
        ({"kind": "header", "name": "content-length"}, "no header credential"),
        ({"kind": "cookie", "name": "sid", "value": SecretStr("a; b=c")}, "no cookie credential"),
        ({"kind": "cookie", "name": "s=d"}, "no cookie credential"),
        ({"kind": "basic", "name": "us:er"}, "no basic credential"),
        ({"kind": "ticket"}, "the unknown kind 'ticket'"),
    ],
)
async def test_a_credential_that_does_not_fit_its_place_is_refused(
    tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    own = Own(**wrong)
    context = context_with(tmp_path, own)
    for asked in (1, 2):
        with pytest.raises(UpstreamAuthFailed, match=words) as refused:
            await context.credential(ANALYST, "own")
        assert refused.value.upstream == "own"
        assert "plugin acme" in (refused.value.remedy or "")
        assert own.asked == asked, "what was refused is not held"


@pytest.mark.parametrize(
    "right",
    [
        {"subject": "a"},
        {"kind": "header", "name": "X-Auth", "value": SecretStr("Key one two")},
        {"kind": "cookie", "name": "sid", "value": SecretStr("a.b-c")},
        {"kind": "basic", "name": "bi-analyst", "value": SecretStr("pass word: ü")},
        {"kind": "database", "name": "bi-analyst", "value": SecretStr("any thing; at 'all'")},
    ],
)
async def test_a_credential_of_each_kind_is_taken(tmp_path: Path, right: dict[str, Any]) -> None:
    credential = await context_with(tmp_path, Own(**right)).credential(ANALYST, "own")
    assert credential.acts_as == "user"
    assert {name: getattr(credential, name) for name in right} == right


async def test_a_service_account_does_not_go_by_the_persons_name(tmp_path: Path) -> None:
    liar = Own(acts_as="service", subject="bi-analyst")
    liar.acts_as = "service"  # type: ignore[attr-defined]
    with pytest.raises(UpstreamAuthFailed, match="under the person's name"):
        await context_with(tmp_path, liar).credential(ANALYST, "own")


@pytest.mark.parametrize(
    ("error", "words", "remedy"),
    [
        (ValueError("the secret is hunter2"), "exchange for own failed: ValueError", "audit log"),
        (UpstreamAuthFailed("Vault is sealed.", remedy="Unseal it."), "own: Vault is sealed", "Unseal it."),
        (Unavailable("No token now."), "own: No token now", "audit log"),
        (TimeoutError(), "own did not end within", "audit log"),
    ],
)
async def test_each_failure_names_the_audience_and_the_remedy_and_tells_no_secret(
    tmp_path: Path, error: Exception, words: str, remedy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Own()
    own.error = error
    context = context_with(tmp_path, own, PortalToken("database", algorithm="ES256"))
    with pytest.raises(UpstreamAuthFailed, match=words) as failed:
        await context.credential(ANALYST, "own")
    assert failed.value.upstream == "own"
    assert remedy in (failed.value.remedy or "")
    assert own.asked == 1, "and nothing is tried in its place"
    logged = capsys.readouterr().out
    assert "a token exchange failed" in logged
    assert "hunter2" not in logged + failed.value.detail


async def test_failures_are_recorded_once_in_half_a_minute_for_each_session_and_audience(
    tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Own()
    own.error = Unavailable("No.")
    context = context_with(tmp_path, own, PortalToken("rsa", algorithm="RS256"))
    audit = context._runtime.audit = AuditLog(database)
    for _ in range(3):
        for session in (None, "s2"):
            for audience in ("own", "rsa", "missing"):
                with pytest.raises(UpstreamAuthFailed, match=audience):
                    await context.credential(replace(ANALYST, session_id=session), audience)
    records = await recorded(audit)
    assert sorted((r.session or "", r.object) for r in records) == sorted(
        (session, audience) for session in ("", "s2") for audience in ("own", "rsa", "missing")
    )
    assert {r.details["plugin"] for r in records} == {"acme"}
    assert {r.details["why"] for r in records if r.object == "own"} == {"No credential for own: No."}
    later = time.monotonic() + 31
    monkeypatch.setattr("openlakes_portal._host.exchange.time.monotonic", lambda: later)
    with pytest.raises(UpstreamAuthFailed):
        await context.credential(ANALYST, "own")
    assert len(await recorded(audit)) == 7


async def test_a_failure_that_cannot_be_recorded_is_still_that_failure(tmp_path: Path) -> None:
    own = Own()
    own.error = Unavailable("No.")
    context = context_with(tmp_path, own)
    empty = Database(f"sqlite+aiosqlite:///{tmp_path}/empty.db")  # never migrated
    context._runtime.audit = AuditLog(empty)
    with pytest.raises(UpstreamAuthFailed, match="own: No"):
        await context.credential(ANALYST, "own")
    await empty.close()


async def test_persons_and_sessions_never_share_a_credential(tmp_path: Path) -> None:
    own = Own()
    context = context_with(tmp_path, own)
    people = [
        replace(ANALYST, session_id="s1"),
        replace(ANALYST, session_id="s2"),
        # What cannot be, and must do no harm: a session under another person's name.
        replace(ANALYST, session_id="s1", subject="b", username="b"),
        replace(ANALYST, session_id="s1", username="renamed"),
    ]
    for person in people * 2:
        assert (await context.credential(person, "own")).subject == person.username
    assert own.asked == 4
    context.exchange.forget("s1")
    await context.credential(people[1], "own")
    assert own.asked == 4
    await context.credential(people[0], "own")
    assert own.asked == 5


async def test_what_arrives_after_the_session_ended_is_not_kept(tmp_path: Path) -> None:
    own = Own()
    own.gate = asyncio.Event()
    context = context_with(tmp_path, own)
    who = replace(ANALYST, session_id="s1")
    late = asyncio.create_task(context.credential(who, "own"))
    async with asyncio.timeout(5):
        while not own.asked:
            await asyncio.sleep(0)
    context.exchange.forget("s1")
    own.gate.set()
    await late
    await context.credential(who, "own")
    assert own.asked == 2


async def test_who_gives_up_waiting_takes_it_from_nobody_else(tmp_path: Path) -> None:
    own = Own()
    own.gate = asyncio.Event()
    context = context_with(tmp_path, own)
    impatient, patient = (asyncio.create_task(context.credential(ANALYST, "own")) for _ in range(2))
    async with asyncio.timeout(5):
        while not own.asked:
            await asyncio.sleep(0)
    impatient.cancel()
    own.gate.set()
    assert (await patient).audience == "own"
    assert own.asked == 1


async def test_lanes_and_requests_wait_for_the_same_exchange(tmp_path: Path) -> None:
    """Searches and health checks run in loops of their own; they share what the portal's loop has under way."""
    own = Own()
    own.gate = asyncio.Event()
    context = context_with(tmp_path, own)
    context._runtime.loop = asyncio.get_running_loop()

    def in_another_loop() -> UpstreamCredential:
        return asyncio.run(context.credential(ANALYST, "own"))

    calls = [asyncio.create_task(asyncio.to_thread(in_another_loop)) for _ in range(4)]
    here = asyncio.create_task(context.credential(ANALYST, "own"))
    async with asyncio.timeout(5):
        while not own.asked:
            await asyncio.sleep(0.01)
    own.gate.set()
    given = await asyncio.gather(*calls, here)
    assert own.asked == 1
    assert all(each is given[0] for each in given)


async def test_a_database_login_is_sent_over_no_http(tmp_path: Path, upstream: Callable[[str], FakeUpstream]) -> None:
    fake = upstream("own")
    context = context_with(tmp_path, Own(kind="database", name="bi-analyst"))
    client = HttpUpstreamClient(Upstream("own", fake.address), context.exchange)
    with pytest.raises(UpstreamAuthFailed) as failed:
        await client.get("/x", on_behalf_of=ANALYST)
    assert failed.value.upstream == "own"
    assert fake.requests == []
    await client.close()

"""`context.credential`: what a driver of a plugin's own shows, from the exchangers that the plugin registered."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import BaseModel, SecretStr

from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._auth.signing_keys import SigningKeys, new_pem
from openlakes_portal._host.context import PluginContext, Runtime
from openlakes_portal._settings.issuer import IssuerSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.keyring import Keyring
from openlakes_portal.spi import PortalToken, Principal, ProviderToken, UpstreamAuthFailed, UpstreamCredential

ANALYST = Principal(subject="a", issuer="test", username="bi-analyst", name="A")


class Own:
    """An exchanger as a plugin would write one; `wrong` is what it gets wrong."""

    audience = "own"

    def __init__(self, **wrong: Any) -> None:
        self.asked = 0
        self._wrong = wrong

    async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
        self.asked += 1
        right = {"audience": audience, "subject": principal.username, "expires_at": now() + timedelta(minutes=5)}
        return UpstreamCredential(**{"kind": "bearer", "value": SecretStr("own"), **right, **self._wrong})


class NoSettings(BaseModel):
    """A plugin without any."""


def context_with(folder: Path, *exchangers: Own | PortalToken | ProviderToken) -> PluginContext:
    """What a plugin with these exchangers is given; the key that signs is one of the settings."""
    pem = new_pem("ES256").decode()
    settings = IssuerSettings(keys=(SecretStr(pem),))
    keys = SigningKeys(Database(database_url(None, folder)), Keyring([b"k" * 32]), settings, folder)
    runtime = Runtime(folder, "http://portal.test", issuer=Issuer("http://portal.test", keys))
    context = PluginContext("acme", NoSettings(), runtime, structlog.get_logger(), 1)
    context.exchange.exchangers = {exchanger.audience: exchanger for exchanger in exchangers}
    return context


async def test_a_plugin_gets_what_its_exchangers_give(tmp_path: Path) -> None:
    own = Own()
    context = context_with(tmp_path, own, PortalToken("database", algorithm="ES256"))
    minted = await context.credential(ANALYST, "database")
    assert (minted.kind, minted.audience, minted.subject, minted.acts_as) == (
        "bearer",
        "database",
        "bi-analyst",
        "user",
    )
    for _ in range(3):
        assert (await context.credential(ANALYST, "own")).value.get_secret_value() == "own"
    assert own.asked == 1, "it is cached while it is good"


async def test_an_audience_without_an_exchanger_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(UpstreamAuthFailed, match="no token exchanger is registered") as refused:
        await context_with(tmp_path).credential(ANALYST, "elsewhere")
    assert "PortalToken(audience='elsewhere')" in (refused.value.remedy or "")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"audience": "other"}, "another audience"),
        ({"subject": "platform-admin"}, "another subject"),
        ({"expires_at": now() + timedelta(hours=1)}, "a lifetime outside"),
        ({"expires_at": now() - timedelta(seconds=1)}, "a lifetime outside"),
        ({"kind": "basic"}, "no name"),
    ],
)
async def test_a_credential_that_is_not_what_was_asked_for_is_refused(
    tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(UpstreamAuthFailed, match=words) as refused:
        await context_with(tmp_path, Own(**wrong)).credential(ANALYST, "own")
    assert refused.value.upstream == "own"
    assert refused.value.remedy


async def test_a_service_account_is_said_to_be_one(tmp_path: Path) -> None:
    """What a person did by a service account is told apart; an exchanger that declares none never gives one, for
    instance in place of an exchange that failed."""
    robot = Own(acts_as="service", subject="robot")
    with pytest.raises(UpstreamAuthFailed, match="a service account, which it does not declare"):
        await context_with(tmp_path, robot).credential(ANALYST, "own")
    robot.acts_as = "service"  # type: ignore[attr-defined]
    context = context_with(tmp_path, robot)
    credential = await context.credential(ANALYST, "own")
    assert (credential.acts_as, credential.subject) == ("service", "robot")
    with pytest.raises(UpstreamAuthFailed, match="another subject"):
        await context_with(tmp_path, Own(subject="robot")).credential(ANALYST, "own")


async def test_whoever_asks_meanwhile_gets_the_same_answer_and_nobody_else_does(tmp_path: Path) -> None:
    own = Own()
    context = context_with(tmp_path, own)
    other = Principal(subject="b", issuer="test", username="bob", name="B")
    answers = await asyncio.gather(*(context.credential(who, "own") for who in [ANALYST, other] * 20))
    assert own.asked == 2
    assert {answer.subject for answer in answers[::2]} == {"bi-analyst"}
    assert {answer.subject for answer in answers[1::2]} == {"bob"}


async def test_what_a_session_obtained_is_forgotten_with_it(tmp_path: Path) -> None:
    own = Own()
    context = context_with(tmp_path, own, PortalToken("db", algorithm="ES256"))
    who = Principal(subject="a", issuer="test", username="anna", name="A", session_id="s1")
    first = await context.credential(who, "db")
    await context.credential(who, "own")
    assert await context.credential(who, "db") is first
    context.exchange.forget("s1")
    assert context._runtime.issuer is not None
    context._runtime.issuer.forget("s1")
    await context.credential(who, "own")
    assert own.asked == 2
    assert await context.credential(who, "db") is not first


async def test_an_exchanger_that_raises_or_hangs_is_a_failure_that_names_the_audience(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Bad(Own):
        async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
            raise RuntimeError("s3cret")

    class Hanging(Own):
        async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("openlakes_portal._host.exchange.DEADLINE", 0.1)
    for exchanger, words in ((Bad(), "failed: RuntimeError"), (Hanging(), "did not end within")):
        with pytest.raises(UpstreamAuthFailed, match=words) as refused:
            await context_with(tmp_path, exchanger).credential(ANALYST, "own")
        assert "own" in refused.value.detail
        assert refused.value.remedy
        assert "s3cret" not in refused.value.detail


async def test_a_token_of_the_provider_needs_a_provider(tmp_path: Path) -> None:
    with pytest.raises(UpstreamAuthFailed, match="signs in without one") as refused:
        await context_with(tmp_path, ProviderToken("airflow")).credential(ANALYST, "airflow")
    assert refused.value.remedy == "Set auth.mode to oidc, with the provider that the system trusts."

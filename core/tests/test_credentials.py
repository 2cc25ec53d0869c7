"""`context.credential`: what a driver of a plugin's own shows, from the exchangers that the plugin registered."""

import stat
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import BaseModel, SecretStr

from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._host.context import PluginContext, Runtime
from openlakes_portal._store.clock import now
from openlakes_portal.spi import PortalToken, Principal, UpstreamAuthFailed, UpstreamCredential

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
        return UpstreamCredential("bearer", SecretStr("own"), **{**right, **self._wrong})


class NoSettings(BaseModel):
    """A plugin without any."""


def context_with(folder: Path, *exchangers: Own | PortalToken) -> PluginContext:
    """What a plugin with these exchangers is given."""
    runtime = Runtime(folder, "http://portal.test", issuer=Issuer("http://portal.test", folder))
    context = PluginContext("acme", NoSettings(), runtime, structlog.get_logger(), 1)
    context.exchange.exchangers = {exchanger.audience: exchanger for exchanger in exchangers}
    return context


@pytest.mark.parametrize(("audience", "algorithm"), [("db-edwards", "EdDSA"), ("db-es", "ES256")])
def test_a_token_verifies_by_the_published_keys(tmp_path: Path, audience: str, algorithm: Any) -> None:
    issuer = Issuer("http://portal.test", tmp_path)
    credential = issuer.mint(ANALYST, PortalToken(audience, algorithm=algorithm))
    keys = issuer.jwks()["keys"]
    assert [key["alg"] for key in keys] == ["EdDSA", "ES256"]
    assert len({key["kid"] for key in keys}) == 2
    assert not any("d" in key for key in keys), "private parts are not published"
    with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
        token = jwt.decode(
            credential.value.get_secret_value(), KeySet.import_key_set({"keys": keys}), algorithms=[algorithm]
        )
    assert token.header["alg"] == algorithm
    assert token.header["kid"] == next(key["kid"] for key in keys if key["alg"] == algorithm)
    assert (token.claims["aud"], token.claims["sub"]) == (audience, "bi-analyst")


def test_each_algorithm_has_a_key_that_stays_and_is_its_owners(tmp_path: Path) -> None:
    before = Issuer("http://portal.test", tmp_path).jwks()
    assert Issuer("http://portal.test", tmp_path).jwks() == before
    files = sorted(tmp_path.glob("issuer-*.pem"))
    assert [file.name for file in files] == ["issuer-ed25519.pem", "issuer-es256.pem"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_tokens_of_one_audience_are_not_confused_by_the_cache(tmp_path: Path) -> None:
    issuer = Issuer("http://portal.test", tmp_path)
    edwards, es = (issuer.mint(ANALYST, PortalToken("db", algorithm=algorithm)) for algorithm in ("EdDSA", "ES256"))
    assert edwards.value != es.value
    assert issuer.mint(ANALYST, PortalToken("db")) is edwards


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
    ],
)
async def test_a_credential_that_is_not_what_was_asked_for_is_refused(
    tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(UpstreamAuthFailed, match=words):
        await context_with(tmp_path, Own(**wrong)).credential(ANALYST, "own")

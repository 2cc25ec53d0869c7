"""A person's token exchanged for another audience (RFC 8693): at Keycloak, at oidc-provider, and at a provider that
gives in turn everything but what was asked for."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._host.exchange import Exchange
from openlakes_portal._store.clock import now
from openlakes_portal.spi import Principal, ProviderToken, UpstreamAuthFailed
from openlakes_portal.testing.identity_provider import FakeIdentityProvider

from .contract import Provider
from .portal import OidcPortal, Visitor, portal_with, session_of

pytestmark = pytest.mark.slow
TYPE = "urn:ietf:params:oauth:token-type:"


@pytest.fixture
async def portal(provider: Provider, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    """A portal at each provider."""
    async with portal_with(provider, tmp_path) as running:
        yield running


@pytest.fixture
async def at_fake(fake_provider: FakeIdentityProvider, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    """A portal at the provider that lies when told to."""
    async with portal_with(fake_provider, tmp_path) as running:
        yield running


def plugin_of(portal: OidcPortal, *tokens: ProviderToken) -> Exchange:
    """What a plugin with these exchangers uses."""
    exchange = Exchange("acme", portal.portal.runtime)
    exchange.exchangers = {token.audience: token for token in tokens}
    return exchange


async def principal_of(portal: OidcPortal, visitor: Visitor, username: str) -> Principal:
    """Who is signed in."""
    await visitor.sign_in(username)
    return (await session_of(portal, visitor)).principal


def claims_of(value: str) -> dict[str, Any]:
    """Unverified: the portal has looked already, this is the test's own look."""
    import base64

    part = value.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


async def failures(portal: OidcPortal) -> list[Any]:
    """Failed exchanges on record."""
    from openlakes_portal._audit.reading import AuditQuery

    return list((await portal.portal.audit.read(AuditQuery(action="core.exchange.failed"))).items)


async def test_a_token_is_for_the_audience_and_of_the_person(portal: OidcPortal) -> None:
    first, second = portal.provider.audiences[:2]
    exchange = plugin_of(portal, ProviderToken("one", requested=first), ProviderToken(second))
    async with portal.visitor() as visitor:
        alice = await principal_of(portal, visitor, "alice")
        one = await exchange(alice, "one")
        assert (one.kind, one.audience, one.subject, one.acts_as) == ("bearer", "one", "alice", "user")
        claims = claims_of(one.value.get_secret_value())
        assert claims["aud"] in (first, [first])
        two = await exchange(alice, second)
        assert claims_of(two.value.get_secret_value())["aud"] in (second, [second])
        assert one.value != two.value
        assert await exchange(alice, "one") is one, "cached"
        assert await visitor.is_signed_in()
        assert await failures(portal) == []


async def test_a_person_who_may_not_go_there_is_refused_with_what_to_do(portal: OidcPortal) -> None:
    first = portal.provider.audiences[0]
    exchange = plugin_of(portal, ProviderToken(first))
    async with portal.visitor() as visitor:
        bob = await principal_of(portal, visitor, "bob")
        for _ in range(3):
            with pytest.raises(UpstreamAuthFailed, match="does not let this person") as refused:
                await exchange(bob, first)
        assert first in refused.value.detail
        assert first in (refused.value.remedy or "")
        (record,) = await failures(portal)
        assert (record.object, record.actor_name, record.details["plugin"]) == (first, "bob", "acme")
        assert await visitor.is_signed_in(), "the sign-in is untouched"


async def test_a_client_that_is_not_there_is_said_to_be_missing(portal: OidcPortal) -> None:
    exchange = plugin_of(portal, ProviderToken("nowhere"))
    async with portal.visitor() as visitor:
        alice = await principal_of(portal, visitor, "alice")
        with pytest.raises(UpstreamAuthFailed, match="nowhere"):
            await exchange(alice, "nowhere")


async def test_an_access_token_at_its_end_is_renewed_first_once(portal: OidcPortal) -> None:
    first, second = portal.provider.audiences[:2]
    exchange = plugin_of(portal, ProviderToken(first), ProviderToken(second))
    async with portal.visitor() as visitor:
        alice = await principal_of(portal, visitor, "alice")
        session = await session_of(portal, visitor)
        grant = await portal.portal.sessions.grant(session)
        assert grant is not None
        await portal.portal.sessions.store_grant(session, replace(grant, expires_at=now()))
        await asyncio.gather(*(exchange(alice, audience) for audience in (first, second) * 3))
        renewed = await portal.portal.sessions.grant(session)
        assert renewed is not None
        assert renewed.access_token != grant.access_token
        assert await visitor.is_signed_in()


async def test_a_session_that_ended_exchanges_nothing(portal: OidcPortal) -> None:
    first = portal.provider.audiences[0]
    exchange = plugin_of(portal, ProviderToken(first))
    async with portal.visitor() as visitor:
        alice = await principal_of(portal, visitor, "alice")
        await visitor.post("/auth/logout")
        with pytest.raises(UpstreamAuthFailed, match="no sign-in"):
            await exchange(alice, first)
        by_token = replace(alice, session_id="tok-1")
        with pytest.raises(UpstreamAuthFailed, match="an API token or a service account has none") as refused:
            await exchange(by_token, first)
        assert refused.value.remedy == "Do it signed in, in person."


Lie = Callable[[dict[str, Any]], Any]


def _set(**values: Any) -> Lie:
    return lambda found: found | values


def _without(name: str) -> Lie:
    return lambda found: {key: value for key, value in found.items() if key != name}


ANSWERS: list[tuple[str, Lie, str]] = [
    ("an ID token", _set(issued_token_type=f"{TYPE}id_token"), "issued_token_type"),
    ("a refresh token", _set(issued_token_type=f"{TYPE}refresh_token"), "issued_token_type"),
    ("no type", _without("issued_token_type"), "issued_token_type"),
    ("token_type N_A", _set(token_type="N_A"), "token_type"),
    ("token_type missing", _without("token_type"), "token_type"),
    ("no token", _without("access_token"), "holds no token"),
    ("a token that is no text", _set(access_token=7), "holds no token"),
    ("no lifetime", _without("expires_in"), "expires_in"),
    ("a lifetime of text", _set(expires_in="60"), "expires_in"),
    ("no time at all", _set(expires_in=0), "expires_in"),
    ("a wider scope", _set(scope="openid admin"), "wider scope"),
    ("a scope that is no text", _set(scope=["openid"]), "scope"),
    ("an opaque token", _set(access_token="opaque"), "looked into"),
]
CLAIMS: list[tuple[str, Lie, str]] = [
    ("another audience", _set(aud="superset"), "another audience"),
    ("two audiences", _set(aud=["reports", "superset"]), "more than one"),
    ("the portal itself", _set(aud="openlakes-portal"), "another audience"),
    ("no audience", _without("aud"), "another audience"),
    ("another person", _set(sub="somebody-else"), "another person"),
    ("nobody", _without("sub"), "another person"),
    ("another issuer", _set(iss="https://evil.example"), "another issuer"),
    ("long ended", _set(exp=1), "not good now"),
    ("no end", _without("exp"), "not good now"),
    ("not yet", _set(nbf=4102444800), "not good now"),
    ("a wider scope inside", _set(scope="openid admin"), "wider scope"),
]


@pytest.mark.parametrize(("lie", "words"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
async def test_an_answer_that_is_not_what_was_asked_for_is_refused(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider, lie: Lie, words: str
) -> None:
    await _refused(at_fake, fake_provider, lambda: fake_provider.change_answer("exchange", lie), words)


@pytest.mark.parametrize(("lie", "words"), [case[1:] for case in CLAIMS], ids=[case[0] for case in CLAIMS])
async def test_a_token_that_is_not_what_was_asked_for_is_refused(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider, lie: Lie, words: str
) -> None:
    await _refused(at_fake, fake_provider, lambda: fake_provider.change_claims(lie, "access_token"), words)


async def _refused(portal: OidcPortal, provider: FakeIdentityProvider, wrong: Callable[[], None], words: str) -> None:
    audience = provider.audiences[0]
    async with portal.visitor() as visitor:
        alice = await principal_of(portal, visitor, "alice")
        control = plugin_of(portal, ProviderToken(audience))
        assert (await control(alice, audience)).audience == audience
        wrong()
        exchange = plugin_of(portal, ProviderToken(audience))
        with pytest.raises(UpstreamAuthFailed, match=words.replace("(", r"\(")) as refused:
            await exchange(alice, audience)
        assert audience in refused.value.detail
        assert refused.value.remedy
        assert len(await failures(portal)) == 1
        assert await visitor.is_signed_in()


async def test_a_token_that_lasts_too_long_is_refused(at_fake: OidcPortal, fake_provider: FakeIdentityProvider) -> None:
    fake_provider.access_token_lifetime = 3600
    audience = fake_provider.audiences[0]
    async with at_fake.visitor() as visitor:
        alice = await principal_of(at_fake, visitor, "alice")
        with pytest.raises(UpstreamAuthFailed, match="lifetime"):
            await plugin_of(at_fake, ProviderToken(audience))(alice, audience)


async def test_an_opaque_token_is_taken_where_that_was_said(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.change_answer("exchange", _set(access_token="opaque"))
    audience = fake_provider.audiences[0]
    async with at_fake.visitor() as visitor:
        alice = await principal_of(at_fake, visitor, "alice")
        credential = await plugin_of(at_fake, ProviderToken(audience, opaque=True))(alice, audience)
        assert credential.value.get_secret_value() == "opaque"


async def test_it_always_names_the_audience_and_keeps_openid(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    audience = fake_provider.audiences[0]
    async with at_fake.visitor() as visitor:
        alice = await principal_of(at_fake, visitor, "alice")
        await plugin_of(at_fake, ProviderToken(audience))(alice, audience)
        form = fake_provider.last_form("exchange")
        assert (form["audience"], form["requested_token_type"]) == (audience, f"{TYPE}access_token")
        assert "scope" not in form
        await plugin_of(at_fake, ProviderToken(audience, scopes=("profile",)))(alice, audience)
        assert fake_provider.last_form("exchange")["scope"] == "openid profile"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_provider_that_is_ill_is_an_error_and_never_another_identity(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider, status: int
) -> None:
    audience = fake_provider.audiences[0]
    async with at_fake.visitor() as visitor:
        alice = await principal_of(at_fake, visitor, "alice")
        fake_provider.on("exchange").fails(status)
        exchange = plugin_of(at_fake, ProviderToken(audience))
        with pytest.raises(Exception, match=r"\S") as refused:
            await exchange(alice, audience)
        assert getattr(refused.value, "status", 0) >= 400
        fake_provider.on("exchange").recovers()
        assert (await exchange(alice, audience)).subject == "alice", "a failure is not kept"


async def test_the_token_of_one_person_is_never_anothers(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    """Case B17, for what the portal obtains: a hundred at once, each gets their own."""
    audience = "notebooks" if "notebooks" in fake_provider.audiences else fake_provider.audiences[1]
    exchange = plugin_of(at_fake, ProviderToken(audience))
    async with at_fake.visitor() as one, at_fake.visitor() as two:
        alice = await principal_of(at_fake, one, "alice")
        bob = await principal_of(at_fake, two, "bob")
        answers = await asyncio.gather(*(exchange(who, audience) for who in [alice, bob] * 50))
        for who, answer in zip([alice, bob] * 50, answers, strict=True):
            assert answer.subject == who.username
            assert claims_of(answer.value.get_secret_value())["sub"] == who.subject

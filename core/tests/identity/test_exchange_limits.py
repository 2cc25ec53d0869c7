"""Exchanges (RFC 8693) at the edges: scopes that Keycloak adds, answers that are nearly right, a provider that fails,
and a token on its way to an upstream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal.spi import ProviderToken, UpstreamAuthFailed
from openlakes_portal.testing import FakeUpstream
from openlakes_portal.testing.identity_provider import FakeIdentityProvider, SigningKey, unsigned

from .contract import Provider
from .keycloak import Keycloak
from .portal import OidcPortal, checked, portal_with, session_of
from .test_exchange import claims_of, failures, plugin_of, principal_of

pytestmark = pytest.mark.slow


@pytest.fixture
async def portal(provider: Provider, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    async with portal_with(provider, tmp_path) as running:
        yield running


@pytest.fixture
async def at_fake(fake_provider: FakeIdentityProvider, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    async with portal_with(fake_provider, tmp_path) as running:
        yield running


async def test_exchanges_do_no_harm_to_the_sign_in(portal: OidcPortal) -> None:
    """With and without scopes: the next renewals go well, and give an ID token."""
    plain, scoped = portal.provider.audiences[:2]
    exchange = plugin_of(portal, ProviderToken(plain), ProviderToken(scoped, scopes=("profile",)))
    async with portal.visitor() as browser:
        alice = await principal_of(portal, browser, "alice")
        first = await portal.portal.sessions.grant(await session_of(portal, browser))
        for audience in (plain, scoped):
            await exchange(alice, audience)
        before = await browser.session()
        for _ in range(2):
            await checked(portal, browser, by_refresh=True)
            assert await browser.session() == before
        grant = await portal.portal.sessions.grant(await session_of(portal, browser))
        assert first is not None
        assert grant is not None
        assert grant.id_token is not None
        if isinstance(portal.provider, Keycloak):  # whose ID tokens are never the same twice
            assert grant.id_token != first.id_token


async def test_keycloak_adds_default_scopes_and_only_declared_ones_besides(keycloak: Keycloak, tmp_path: Path) -> None:
    """Its default scopes come with each token, whatever is asked for; an optional one comes where it is declared."""
    for folder, scopes in (("all", ["openid", "profile", "email"]), ("few", ["openid"])):
        settings = {"auth": {"oidc": {"scopes": scopes}}}
        async with portal_with(keycloak, tmp_path / folder, settings) as portal, portal.visitor() as browser:
            exchange = plugin_of(portal, ProviderToken("airflow", scopes=("phone",)), ProviderToken("superset"))
            alice = await principal_of(portal, browser, "alice")
            declared = claims_of((await exchange(alice, "airflow")).value.get_secret_value())["scope"].split()
            assert {"phone", "email", "profile"} <= set(declared)
            plain = claims_of((await exchange(alice, "superset")).value.get_secret_value())["scope"].split()
            assert "phone" not in plain


async def test_keycloak_says_how_token_exchange_is_switched_on(keycloak: Keycloak, tmp_path: Path) -> None:
    async with portal_with(keycloak, tmp_path) as portal, portal.visitor() as browser:
        exchange = plugin_of(portal, ProviderToken("airflow"))
        alice = await principal_of(portal, browser, "alice")
        async with keycloak.admin.client_settings(attributes={"standard.token.exchange.enabled": "false"}):
            with pytest.raises(UpstreamAuthFailed, match="does not exchange tokens") as refused:
                await exchange(alice, "airflow")
        assert "Standard token exchange" in (refused.value.remedy or "")
        assert (await exchange(alice, "airflow")).subject == "alice"


async def test_a_sign_in_sealed_before_its_scope_was_kept_still_exchanges(at_fake: OidcPortal) -> None:
    async with at_fake.visitor() as browser:
        alice = await principal_of(at_fake, browser, "alice")
        session = await session_of(at_fake, browser)
        grant = await at_fake.portal.sessions.grant(session)
        assert grant is not None
        assert set(grant.scope.split()) == {"openid", "profile", "email"}
        await at_fake.portal.sessions.store_grant(session, replace(grant, scope=""))
        assert (await plugin_of(at_fake, ProviderToken("reports"))(alice, "reports")).subject == "alice"


Lie = Callable[[FakeIdentityProvider], None]


def answer(**values: Any) -> Lie:
    return lambda provider: provider.change_answer("exchange", lambda data: data | values)


def claims(**values: Any) -> Lie:
    return lambda provider: provider.change_claims(lambda data: data | values, "access_token")


def header(**values: Any) -> Lie:
    return lambda provider: provider.change_header(lambda data: data | values, "access_token")


def by_a_stranger(provider: FakeIdentityProvider) -> None:
    provider.signer = SigningKey.generate("RS256", provider.signing_key.kid).sign


def unsigned_at_all(provider: FakeIdentityProvider) -> None:
    provider.signer = unsigned


LIES: dict[str, tuple[Lie, str]] = {
    "a token with a line break": (answer(access_token="eyJ.a.b\r\nx: y"), "holds no token"),
    "a token with a space": (answer(access_token="two words"), "holds no token"),
    "a huge token": (answer(access_token="x" * 70_000), "holds no token"),
    "something with two dots": (answer(access_token="a.b.c"), "not believed"),
    "lasts an hour": (answer(expires_in=3600), "lifetime of 3600 s"),
    "says five minutes and lasts an hour": (claims(exp=4102444800), "a lifetime of"),
    "lasts less than no time": (answer(expires_in=-5), "no lifetime"),
    "lasts true": (answer(expires_in=True), "no lifetime"),
    "lasts for ever": (answer(expires_in=10**30), "a lifetime of"),
    "a wider list of scopes": (claims(scope=["openid", "admin"]), r"wider scope.*admin"),
    "a wider scp": (claims(scp=["admin"]), r"wider scope.*admin"),
    "a scope that is a number": (claims(scope=5), "cannot be read"),
    "for the portal besides": (claims(aud=["reports", "openlakes-portal"]), "more than one"),
    "for a longer name": (claims(aud="reports/"), "another audience"),
    "for an object": (claims(aud={"reports": 1}), "another audience"),
    "a number's": (claims(sub=5), "another person"),
    "an ID token by its header": (header(typ="id_token+jwt"), "another type"),
    "a logout token by its header": (header(typ="logout+jwt"), "another type"),
    "signed by a stranger": (by_a_stranger, "no key of the provider"),
    "not signed": (unsigned_at_all, "not believed"),
}


@pytest.mark.parametrize("name", LIES)
async def test_an_answer_that_is_nearly_right_is_refused(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider, name: str
) -> None:
    lie, words = LIES[name]
    async with at_fake.visitor() as browser:
        alice = await principal_of(at_fake, browser, "alice")
        exchange = plugin_of(at_fake, ProviderToken("reports", opaque="huge" in name or "space" in name))
        assert (await exchange(alice, "reports")).audience == "reports", "the control"
        exchange.forget(alice.session_id or "")
        lie(fake_provider)
        with pytest.raises(UpstreamAuthFailed, match=words) as refused:
            await exchange(alice, "reports")
        assert "reports" in refused.value.detail
        assert refused.value.remedy
        assert not exchange._held, "what was refused is not kept"


@pytest.mark.parametrize(
    "good",
    [answer(token_type="bearer"), answer(expires_in=60), claims(aud=["reports"]), header(typ="at+jwt")],
)
async def test_right_answers_in_other_words_are_taken(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider, good: Lie
) -> None:
    async with at_fake.visitor() as browser:
        alice = await principal_of(at_fake, browser, "alice")
        good(fake_provider)
        assert (await plugin_of(at_fake, ProviderToken("reports"))(alice, "reports")).subject == "alice"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda fake: fake.on("exchange").fails(503), "answers 503"),
        (lambda fake: fake.on("exchange").resets(), "did not answer in full"),
        (lambda fake: fake.on("exchange").redirects("https://evil.example/"), "redirects"),
        (lambda fake: fake.on("exchange").answers_raw(b"<html>", "text/html"), "no JSON object"),
        (lambda fake: fake.on("exchange").pads(2_000_000), "more than"),
        (lambda fake: fake.on("exchange").refuses("x\r\n<b>", 400, "a\r\nb\u202e<b>"), "status 400"),
        (lambda fake: fake.stop(), "cannot be reached"),
    ],
)
async def test_a_provider_that_fails_is_named_with_the_audience(
    at_fake: OidcPortal, fake_provider: FakeIdentityProvider, fault: Callable[[Any], Any], words: str
) -> None:
    """And nothing is tried in its place: no second exchange, no revocation, no end of the session."""
    exchange = plugin_of(at_fake, ProviderToken("reports"))
    async with at_fake.visitor() as browser:
        alice = await principal_of(at_fake, browser, "alice")
        fault(fake_provider)
        with pytest.raises(UpstreamAuthFailed, match=words) as failed:
            await exchange(alice, "reports")
        assert "reports" in failed.value.detail
        assert failed.value.remedy
        assert "\n" not in failed.value.detail + failed.value.remedy
        assert fake_provider.calls["exchange"] <= 1
        assert fake_provider.calls["revoke"] == 0
        assert await browser.is_signed_in()
        assert len(await failures(at_fake)) == 1


async def test_the_portals_own_client_is_no_audience(at_fake: OidcPortal, fake_provider: FakeIdentityProvider) -> None:
    fake_provider.audiences = ("openlakes-portal",)
    exchange = plugin_of(at_fake, ProviderToken("reports", requested="openlakes-portal"))
    async with at_fake.visitor() as browser:
        alice = await principal_of(at_fake, browser, "alice")
        with pytest.raises(UpstreamAuthFailed, match="for the portal itself"):
            await exchange(alice, "reports")
        assert fake_provider.calls["exchange"] == 0


async def test_a_session_that_ends_during_an_exchange_keeps_nothing_of_it(
    provider: Provider, tmp_path: Path, write_plugin: Callable[..., Any], upstream: Callable[[str], FakeUpstream]
) -> None:
    """A plugin's route from end to end: the token reaches its upstream, no browser, and goes with the session."""
    audience = provider.audiences[1]
    fake = upstream(audience)
    fake.get("/hello").answers({"hello": "you"})
    plugin = write_plugin(
        "acme",
        f"""
        @hookimpl
        def register_upstreams(context):
            return [Upstream("{audience}", "{fake.address}")]
        @hookimpl
        def register_token_exchangers(context):
            return [ProviderToken("{audience}")]
        @hookimpl
        def register_routes(context):
            async def hello(request: Request) -> dict[str, str]:
                return await context.upstream("{audience}").get("/hello", on_behalf_of=request.principal)
            return [Route("GET", "hello", hello, SignedIn("a test"))]
        """,
    )
    async with portal_with(provider, tmp_path, candidates=[plugin]) as portal, portal.visitor() as browser:
        await browser.sign_in("alice")
        for _ in range(3):
            answered = await browser.client.get("/api/plugins/acme/hello")
            assert answered.json() == {"hello": "you"}, answered.text
            assert "eyJ" not in answered.text + repr(answered.headers)
        assert len({call.headers["authorization"] for call in fake.requests}) == 1, "one exchange for all"
        assert fake.last.token.audience in (audience, [audience])
        exchange = portal.portal.registry.contributions[-1].context.exchange
        assert exchange._held
        await browser.post("/auth/logout")
        assert not exchange._held
        if isinstance(provider, FakeIdentityProvider):
            provider.on("exchange").waits(0.3)
            alice = await principal_of(portal, browser, "alice")
            late = asyncio.create_task(exchange(alice, audience))
            async with asyncio.timeout(5):
                while not provider.calls["exchange"] > 1:
                    await asyncio.sleep(0.01)
            await browser.post("/auth/logout")
            await asyncio.gather(late, return_exceptions=True)
            assert not exchange._held

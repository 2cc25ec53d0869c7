"""A provider that lies, an attacker between, and what must not be believed: section B of the cases. Each refusal has
its control: the same journey without the lie signs in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._auth.oidc.client import OidcClient, Redirect
from openlakes_portal._auth.oidc.fetch import Fetcher
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.rules import check_oidc
from openlakes_portal._auth.oidc.sign_in import safe_next
from openlakes_portal._settings.model import OidcSettings
from openlakes_portal.testing.identity_provider import (
    FakeIdentityProvider,
    SigningKey,
    signed_with_secret,
    strange_keys,
    unsigned,
)

from .portal import OidcPortal, portal_with

pytestmark = pytest.mark.slow

Lie = Callable[[dict[str, Any]], Any]


def changed(**values: Any) -> Lie:
    """Sets claims; None takes one away, a function gets the old value."""

    def change(claims: dict[str, Any]) -> None:
        for name, value in values.items():
            if value is None:
                claims.pop(name, None)
            else:
                claims[name] = value(claims.get(name)) if callable(value) else value

    return change


@pytest.fixture
async def portal(fake_provider: FakeIdentityProvider, url: str, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    async with portal_with(fake_provider, tmp_path, database=url) as running:
        yield running


async def refused(portal: OidcPortal, status: int = 400) -> str:
    """Tries to sign in as alice, and why that failed."""
    async with portal.visitor() as alice:
        answer = await alice.come_back(await alice.go("alice"))
        assert answer.status_code == status, answer.text
        assert not await alice.is_signed_in()
        detail: str = answer.json()["detail"]
        return detail


async def signs_in(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")


LIES: dict[str, tuple[Lie, str]] = {
    "another issuer": (changed(iss="https://evil.example"), "another provider"),
    "the issuer with a slash": (changed(iss=lambda v: v + "/"), "another provider"),
    "the issuer in capitals": (changed(iss=lambda v: v.upper()), "another provider"),
    "no issuer": (changed(iss=None), "another provider"),
    "another audience": (changed(aud="somebody-else"), "another client"),
    "no audience": (changed(aud=None), "another client"),
    "audience is an object": (changed(aud={"openlakes-portal": True}), "another client"),
    "audience holds a number": (changed(aud=["openlakes-portal", 5]), "another client"),
    "two audiences, no azp": (changed(aud=["openlakes-portal", "x"], azp=None), "several clients"),
    "issued to another": (changed(azp="somebody-else"), "azp"),
    "azp is a list": (changed(azp=["openlakes-portal"]), "azp"),
    "ended": (changed(exp=lambda v: time.time() - 600), "clocks"),
    "no end": (changed(exp=None), "no exp"),
    "end is text": (changed(exp=lambda v: str(v)), "no exp"),
    "end is true": (changed(exp=True), "no exp"),
    "end is infinite": (changed(exp=1e300), "no exp"),
    "from the future": (changed(iat=lambda v: time.time() + 600), "future"),
    "long ago": (changed(iat=lambda v: time.time() - 7200), "over an hour"),
    "no time of issue": (changed(iat=None), "no iat"),
    "not yet valid": (changed(nbf=lambda v: time.time() + 600), "nbf"),
    "no nonce": (changed(nonce=None), "nonce"),
    "another's nonce": (changed(nonce="x" * 32), "nonce"),
    "nonce is a list": (changed(nonce=lambda v: [v]), "nonce"),
    "nonce_supported false": (changed(nonce=None, nonce_supported=False), "nonce"),
    "nobody": (changed(sub=None), "nobody"),
    "subject is a number": (changed(sub=5), "nobody"),
    "subject is empty": (changed(sub=""), "nobody"),
    "subject too long": (changed(sub="x" * 256), "nobody"),
    "another's access token": (changed(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "at_hash"),
    "no user name": (changed(preferred_username=None), "user name"),
    "user name is a list": (changed(preferred_username=["alice"]), "user name"),
    "user name with a slash": (changed(preferred_username="../root"), "user name"),
    "user name with a line break": (changed(preferred_username="a\nb"), "user name"),
    "user name with direction marks": (changed(preferred_username="a‮b"), "user name"),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_claim_that_is_wrong_signs_nobody_in(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, name: str
) -> None:
    """Case B11."""
    lie, reason = LIES[name]
    fake_provider.change_claims(lie)
    assert reason in await refused(portal)
    fake_provider.change_claims(None)
    await signs_in(portal)


HEADERS: dict[str, Lie] = {
    "no algorithm": changed(alg=None),
    "none": changed(alg="none"),
    "None": changed(alg="None"),
    "HS256": changed(alg="HS256"),
    "an unknown one": changed(alg="XX999"),
    "algorithm is a list": changed(alg=["RS256"]),
    "an unknown key": changed(kid="nobody"),
    "key is a number": changed(kid=5),
    "critical extension": changed(crit=["exp"], exp=1),
    "another type": changed(typ="at+jwt"),
    "a logout token": changed(typ="logout+jwt"),
}


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_that_is_wrong_signs_nobody_in(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, name: str
) -> None:
    fake_provider.change_header(HEADERS[name])
    await refused(portal)
    fake_provider.change_header(None)
    await signs_in(portal)


async def test_keys_offered_by_the_token_itself_are_not_used(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    """`jwk`, `jku`, `x5u` of the header: signed by a stranger who brings the key along."""
    stranger = SigningKey.generate("RS256", fake_provider.signing_key.kid)
    fake_provider.signer = stranger.sign
    fake_provider.change_header(
        changed(jwk=stranger.public(), jku="http://127.0.0.1:9/jwks", x5u="http://127.0.0.1:9/x")
    )
    assert "signed by no key" in await refused(portal)


async def test_tokens_without_a_signature_of_the_provider_are_refused(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    public = fake_provider.signing_key.key.as_pem(private=False)
    for signer in (unsigned, signed_with_secret(fake_provider.client_secret.encode()), signed_with_secret(public)):
        fake_provider.signer = signer
        await refused(portal)
    fake_provider.signer = None
    await signs_in(portal)


async def test_keys_that_cannot_be_used_beside_the_right_one(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    """Case B12, with the same `kid` even."""
    fake_provider.extra_keys = strange_keys(fake_provider.signing_key.kid)
    await signs_in(portal)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_each_signature_that_is_believed(portal: OidcPortal, fake_provider: Any, algorithm: Any) -> None:
    fake_provider.rotate(algorithm)
    await signs_in(portal)


async def test_a_good_signature_that_the_settings_do_not_believe(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.rotate("ES512")
    assert "ES512" in await refused(portal)


async def test_a_rotated_key_is_fetched_once_and_forged_ones_fetch_no_more(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    """Case B13: at most two fetches a minute, whatever comes."""
    await signs_in(portal)
    before = fake_provider.calls["jwks"]
    fake_provider.rotate()
    await signs_in(portal)
    assert fake_provider.calls["jwks"] == before + 1
    fake_provider.change_header(changed(kid=lambda _: f"forged-{time.monotonic_ns()}"))
    for _ in range(20):
        await refused(portal)
    assert fake_provider.calls["jwks"] <= before + 2


async def test_a_thousand_forged_keys_cost_at_most_two_fetches_a_minute(fake_provider: FakeIdentityProvider) -> None:
    moment = 0.0
    fetch = Fetcher(_settings(fake_provider))
    provider = Provider(_settings(fake_provider), fetch, clock=lambda: moment)
    await provider.keys(fake_provider.signing_key.kid)
    before = fake_provider.calls["jwks"]
    for number in range(1000):
        moment = number * 0.06  # a minute in all
        assert await provider.keys(f"forged-{number}") == ()
    await fetch.close()
    assert 1 <= fake_provider.calls["jwks"] - before <= 2


@pytest.mark.parametrize("issuer", ["https://evil.example", None, ""])
async def test_a_callback_of_another_provider_never_redeems_its_code(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, issuer: str | None
) -> None:
    """Case B14 (RFC 9207)."""
    fake_provider.callback_issuer = issuer
    await refused(portal)
    assert fake_provider.calls["code"] == 0


async def test_a_provider_that_never_promised_its_issuer_need_not_state_it(
    fake_provider: FakeIdentityProvider, tmp_path: Path
) -> None:
    fake_provider.advertises_callback_issuer = False
    fake_provider.callback_issuer = None
    async with portal_with(fake_provider, tmp_path) as portal:
        await signs_in(portal)


async def test_state_nonce_and_verifier_never_repeat(fake_provider: FakeIdentityProvider) -> None:
    """Case B15, over 10,000 sign-ins; the challenge is S256 in each."""
    import secrets as source
    from urllib.parse import parse_qs, urlsplit

    fetch = Fetcher(_settings(fake_provider))
    client = OidcClient(Provider(_settings(fake_provider), fetch), "http://localhost:8600/auth/callback")
    seen: set[str] = set()
    for _ in range(10_000):
        redirect = Redirect(source.token_urlsafe(24), source.token_urlsafe(24), source.token_urlsafe(48))
        query = parse_qs(urlsplit(await client.authorization_url(redirect)).query)
        assert query["code_challenge_method"] == ["S256"]
        seen |= {query["state"][0], query["nonce"][0], query["code_challenge"][0]}
    await fetch.close()
    assert len(seen) == 30_000


@pytest.mark.parametrize("seconds", [-60, 55, -50, 0])
async def test_clocks_may_differ_a_little(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, seconds: int
) -> None:
    """Case B18."""
    fake_provider.clock = lambda: time.time() + seconds
    await signs_in(portal)


@pytest.mark.parametrize("seconds", [-600, 600])
async def test_clocks_that_differ_a_lot_are_named(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, seconds: int
) -> None:
    fake_provider.clock = lambda: time.time() + seconds
    assert "compare the clocks" in await refused(portal)


async def test_assurance_and_age_are_checked_by_us(fake_provider: FakeIdentityProvider, tmp_path: Path) -> None:
    """Providers answer a request for more with less, and with success."""
    settings = {"auth": {"oidc": {"acr_values": ["2"], "max_age": 60}}}
    async with portal_with(fake_provider, tmp_path, settings) as portal:
        assert "assurance" in await refused(portal)
        fake_provider.acr = "2"
        await signs_in(portal)
        fake_provider.change_claims(changed(auth_time=lambda v: v - 3600))
        assert "too long ago" in await refused(portal)


async def test_a_provider_that_is_down_lets_nobody_in_and_nobody_out(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    """Case M79."""
    async with portal.visitor() as alice, portal.visitor() as bob:
        await alice.sign_in("alice")
        callback = await bob.go("bob")
        fake_provider.stop()
        assert (await bob.come_back(callback)).status_code == 503
        assert not await bob.is_signed_in()
        assert await alice.is_signed_in()
        assert portal.portal.oidc is not None
        portal.portal.oidc.provider._answered = None  # as if bob had been sent there a while ago
        sent = await bob.client.get("/auth/login", headers={"accept": "application/json"})
        assert sent.status_code == 503, "and nobody is sent to a page that does not answer"
        assert sent.json()["remedy"] or sent.headers["retry-after"]
        assert "location" not in sent.headers
        for path in ("/api/audit", "/api/users", "/api/access/mine"):
            assert (await bob.client.get(path)).status_code == 401, "never anonymous"
        fake_provider.start()
        async with asyncio.timeout(30):
            while (await bob.client.get("/auth/login")).status_code == 503:
                await asyncio.sleep(0.05)
        await bob.sign_in("bob")


async def test_every_fault_of_the_token_call_is_said_and_signs_nobody_in(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    """Case M78 for the identity provider; the code call is never repeated."""
    faults: dict[str, Callable[[], object]] = {
        "reset": lambda: fake_provider.on("code").resets(),
        "500": lambda: fake_provider.on("code").fails(500),
        "429": lambda: fake_provider.on("code").fails(429),
        "cut": lambda: fake_provider.on("code").breaks_off(20),
        "HTML": lambda: fake_provider.on("code").answers_raw(b"<html>", "text/html"),
        "a list": lambda: fake_provider.on("code").answers([]),
        "huge": lambda: fake_provider.on("code").pads(3_000_000),
        "lost": lambda: fake_provider.on("code").loses_the_answer(),
        "elsewhere": lambda: fake_provider.on("code").redirects("http://127.0.0.1:9/"),
    }
    for name, fault in faults.items():
        before = fake_provider.calls["code"]
        fault()
        assert await refused(portal, 503), name
        assert fake_provider.calls["code"] == before + 1, name
        fake_provider.on("code").recovers()
    await signs_in(portal)


async def test_a_token_answer_that_lies_is_refused(portal: OidcPortal, fake_provider: FakeIdentityProvider) -> None:
    lies: list[Lie] = [
        changed(token_type="mac"),
        changed(token_type=None),
        changed(access_token=None),
        changed(access_token=["x"]),
        changed(id_token=None),
        changed(id_token="x.y"),
        changed(id_token="a" * 100_000),
        changed(expires_in="soon"),
        changed(expires_in=-1),
        changed(access_token="x" * (64 * 1024 + 1)),
    ]
    for lie in lies:
        fake_provider.change_answer("code", lie)
        await refused(portal)
    fake_provider.change_answer("code", None)
    await signs_in(portal)


async def test_a_wrong_secret_is_told_as_a_matter_for_an_admin(
    fake_provider: FakeIdentityProvider, tmp_path: Path
) -> None:
    settings = {"auth": {"oidc": {"client_secret": "wrong"}}}
    async with portal_with(fake_provider, tmp_path, settings) as portal:
        assert "does not accept the portal as its client" in await refused(portal, 503)


def _settings(provider: FakeIdentityProvider) -> OidcSettings:
    return OidcSettings(issuer=provider.issuer, client_id=provider.client_id, client_secret=provider.client_secret)


@pytest.mark.parametrize(
    ("issuer", "public_url", "reason"),
    [
        ("http://idp.example", "https://lake.example", "is http"),
        ("http://127.0.0.1:1", "https://lake.example", "not on loopback"),
        ("https://idp.example", "http://lake.example", "need https"),
        ("https://login.microsoftonline.com/common/v2.0", "https://lake.example", "no single tenant"),
        ("https://login.microsoftonline.com/organizations/v2.0", "https://lake.example", "no single tenant"),
        ("https://login.microsoftonline.com/{tenantid}/v2.0", "https://lake.example", "no single tenant"),
        ("ftp://idp.example", "https://lake.example", "no address"),
        ("https://idp.example?x=1", "https://lake.example", "no address"),
        ("https://idp.example", "https://lake.example", None),
        ("http://127.0.0.1:1", "http://openlakes.localhost:8600", None),
    ],
)
def test_what_the_portal_does_not_start_with(issuer: str, public_url: str, reason: str | None) -> None:
    """Case B19."""
    found = check_oidc(OidcSettings(issuer=issuer, client_id="x"), public_url)
    assert reason in (found or "") if reason else found is None


HOSTS = ["evil.example", "evil.example:443", "user@evil.example", "[::1]", "127.0.0.1", "2130706433", "localhost"]
STARTS = [
    *(
        "//",
        "///",
        "////",
        "/\\",
        "\\/",
        "\\\\",
        "/\t/",
        "/\n/",
        "/\r/",
        "\t//",
        "\n//",
        " //",
        "/ /",
        "/%09/",
        "/%0a/",
    ),
    *("/%2f", "/%2F", "/%5c", "/%5C", "%2f%2f", "/%252f", "/.//", "/..//", "/./\\", "/%2e/%2f", "/;//", "//;@", "/@//"),
    *("http://", "https://", "https:", "https:/", "HTTPS://", "hTtPs:\\\\", "javascript://", "javascript:", "data:,"),
    *(
        "ftp://",
        "file:///",
        "blob:https://",
        "\x00//",
        "/\x00/",
        "/\x7f/",
        "\u2028//",
        "／／",
        "/／",
        "〱//",
        "\ufeff//",
    ),
    *(
        "http:///",
        "https:///",
        "https:;//",
        "//%00",
        "/\\/\\",
        "/\\\t",
        "\\\t/",
        "/%e2%80%a8/",
        "/%0d%0aLocation:%20//",
    ),
    *("/auth/login?next=//", "/auth/callback?x=//", "/auth/../auth/logout?//", "/signin?next=//"),
    *("?next=//", "#//", "@", ".", "..//", "x//", "", "a:b@", "//////", "/..%2f/", "/%2e%2e//", "/..;//", "/.%09./"),
    *("/\u00a0/", "/\u200b/", "/\u3002/", "/%ef%bc%8f", "/%c0%af"),
]


def test_where_a_sign_in_may_lead() -> None:
    """Case A4: over 500 targets; whatever comes out is a path of this origin, as a browser reads it."""
    from urllib.parse import urljoin, urlsplit

    corpus = [start + host + end for start in STARTS for host in HOSTS for end in ("", "/")]
    assert len(corpus) >= 500
    for target in corpus:
        found = safe_next(target)
        as_browsers_read = found.replace("\\", "/")
        for tidied in ("\t", "\n", "\r"):
            as_browsers_read = as_browsers_read.replace(tidied, "")
        assert found.isascii(), target
        assert found.startswith("/"), target
        assert not as_browsers_read.startswith("//"), target
        assert urlsplit(urljoin("http://portal.example/auth/login", as_browsers_read)).netloc == "portal.example", (
            target
        )
        assert not found.startswith(("/auth", "/signin")), target


@pytest.mark.parametrize(
    "target", ["/", "/x/trino/sql?query=1#row-3", "/operate/health", "/admin/audit?actor=a%40b", "/x/a/b-c_d.e/"]
)
def test_where_a_sign_in_leads_back(target: str) -> None:
    """The control: a page of the console is kept."""
    assert safe_next(target) == target


async def test_the_location_of_a_callback_is_what_was_kept(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        for target, expected in (("//evil.example", "/"), ("/x/a?b=1", "/x/a?b=1"), ("/\\evil.example", "/")):
            answer = await alice.come_back(await alice.go("alice", target))
            assert answer.headers["location"] == expected

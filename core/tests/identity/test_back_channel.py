"""Back-channel logout: a valid token ends the sessions it names, any other ends none and is answered 400."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from openlakes_portal.testing.identity_provider import FakeIdentityProvider, unsigned

from .portal import OidcPortal, portal_with

pytestmark = pytest.mark.slow

EVENT = "http://schemas.openid.net/event/backchannel-logout"
Lie = Callable[[dict[str, Any]], Any]


@pytest.fixture
async def portal(fake_provider: FakeIdentityProvider, url: str, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    async with portal_with(fake_provider, tmp_path, database=url) as running:
        yield running


async def deliver(portal: OidcPortal, token: str, **options: Any) -> httpx.Response:
    """As the provider's server does: no cookie, no origin."""
    async with portal.visitor() as server:
        options = options or {"data": {"logout_token": token}}
        return await server.client.post("/auth/backchannel-logout", **options)


async def test_a_logout_token_ends_that_session_and_no_other(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    async with portal.visitor() as alice, portal.visitor() as elsewhere, portal.visitor() as bob:
        await alice.sign_in("alice")
        (first,) = fake_provider.sessions("alice")
        await elsewhere.sign_in("alice")
        await bob.sign_in("bob")
        answer = await deliver(portal, fake_provider.logout_token(first))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert not await alice.is_signed_in()
        assert await elsewhere.is_signed_in()
        assert await bob.is_signed_in()
        (record, *_) = (await elsewhere.client.get("/api/audit?action=core.session.ended")).json()["items"]
        assert (record["actor_name"], record["result"]) == ("alice", "by the identity provider")


async def test_a_token_that_names_only_the_person_ends_all_their_sessions(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    async with portal.visitor() as alice, portal.visitor() as elsewhere, portal.visitor() as bob:
        await alice.sign_in("alice")
        await elsewhere.sign_in("alice")
        await bob.sign_in("bob")
        fake_provider.change_claims(_without("sid"), "logout_token")
        session = fake_provider.sessions("alice")[0]
        assert (await deliver(portal, fake_provider.logout_token(session))).status_code == 200
        assert not await alice.is_signed_in()
        assert not await elsewhere.is_signed_in()
        assert await bob.is_signed_in()


def _without(*names: str) -> Lie:
    return lambda claims: {k: v for k, v in claims.items() if k not in names}


def _with(**values: Any) -> Lie:
    return lambda claims: {**claims, **values}


LIES: dict[str, Lie] = {
    "another audience": _with(aud="somebody-else"),
    "another issuer": _with(iss="https://evil.example"),
    "a nonce": _with(nonce="n"),
    "an empty nonce": _with(nonce=None),
    "no events": _without("events"),
    "another event": _with(events={"http://example/other": {}}),
    "event is no object": _with(events={EVENT: True}),
    "events is a list": _with(events=[EVENT]),
    "no jti": _without("jti"),
    "jti is a number": _with(jti=5),
    "names nobody": _without("sub", "sid"),
    "sid is a list": _with(sid=["x"]),
    "subject is an object": _with(sub={"a": 1}),
    "ended": _with(exp=time.time() - 3600),
    "no end": _without("exp"),
    "from the future": _with(iat=time.time() + 3600),
    "old": _with(iat=time.time() - 86_400),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_logout_token_with_a_wrong_claim_ends_nothing(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, name: str
) -> None:
    """Case A6."""
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        (session,) = fake_provider.sessions("alice")
        fake_provider.change_claims(LIES[name], "logout_token")
        assert (await deliver(portal, fake_provider.logout_token(session))).status_code == 400
        assert await alice.is_signed_in()
        fake_provider.change_claims(None, "logout_token")
        assert (await deliver(portal, fake_provider.logout_token(session))).status_code == 200, "control"
        assert not await alice.is_signed_in()


@pytest.mark.parametrize("change", [{"typ": "JWT"}, {"typ": None}, {"alg": "none"}, {"alg": "HS256"}, {"kid": "x"}])
async def test_a_logout_token_with_a_wrong_header_ends_nothing(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, change: dict[str, Any]
) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        (session,) = fake_provider.sessions("alice")
        fake_provider.change_header(lambda header: {**header, **change}, "logout_token")
        assert (await deliver(portal, fake_provider.logout_token(session))).status_code == 400
        assert await alice.is_signed_in()


async def test_a_logout_token_counts_once(portal: OidcPortal, fake_provider: FakeIdentityProvider) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        token = fake_provider.logout_token(fake_provider.sessions("alice")[0])
        assert (await deliver(portal, token)).status_code == 200
        await alice.sign_in("alice")
        assert (await deliver(portal, token)).status_code == 400
        assert await alice.is_signed_in()


async def test_an_id_token_or_a_token_of_nobody_is_no_logout_token(
    portal: OidcPortal, fake_provider: FakeIdentityProvider
) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        (session,) = fake_provider.sessions("alice")
        payload = json.loads(base64.urlsafe_b64decode(fake_provider.logout_token(session).split(".")[1] + "=="))
        for token in (fake_provider.id_token(session), unsigned({"typ": "logout+jwt"}, payload), "", "x", "a.b.c"):
            assert (await deliver(portal, token)).status_code == 400
        assert await alice.is_signed_in()


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"logout_token": "x"}},
        {"content": b"logout_token=a&logout_token=b", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"\xff\xfe", "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"&" * 100_000, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"x=1&" * 10_000, "headers": {"content-type": "application/x-www-form-urlencoded"}},
        {"content": b"", "headers": {"content-type": "text/plain"}},
    ],
)
async def test_a_body_that_is_no_form_with_one_token_is_refused(portal: OidcPortal, body: dict[str, Any]) -> None:
    assert (await deliver(portal, "", **body)).status_code in (400, 413)


async def test_a_web_page_cannot_deliver_one(portal: OidcPortal, fake_provider: FakeIdentityProvider) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        token = fake_provider.logout_token(fake_provider.sessions("alice")[0])
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            answer = await deliver(portal, "", data={"logout_token": token}, headers=headers)
            assert answer.status_code == 403
        assert await alice.is_signed_in()

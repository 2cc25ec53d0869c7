"""Signing in and out, with each provider: the journey, and what must not be done with it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from openlakes_portal.testing.identity_provider import FakeIdentityProvider

from .contract import Provider
from .portal import SESSION, OidcPortal, portal_with


@pytest.fixture
async def portal(pair: tuple[Provider, str], tmp_path: Path) -> AsyncIterator[OidcPortal]:
    provider, url = pair
    async with portal_with(provider, tmp_path, database=url) as running:
        yield running


@pytest.fixture
async def faked(fake_provider: FakeIdentityProvider, url: str, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    async with portal_with(fake_provider, tmp_path, database=url) as running:
        yield running


async def test_a_person_signs_in_once_and_has_the_roles_of_their_groups(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        callback = await alice.go("alice", "/operate/health?since=1")
        answer = await alice.come_back(callback)
        assert (answer.status_code, answer.headers["location"]) == (303, "/operate/health?since=1")
        told = await alice.session()
        assert told["username"] == "alice"
        assert told["issuer"] == portal.provider.issuer
        assert set(told["roles"]) == {"platform-admin", "data-engineer"}
        assert "core:audit:read" in told["permissions"]


async def test_a_person_without_a_binding_is_signed_in_and_may_nothing(portal: OidcPortal) -> None:
    async with portal.visitor() as dave:
        told = await dave.sign_in("dave")
        assert (told["roles"], told["permissions"]) == ([], [])
        assert (await dave.client.get("/api/audit")).status_code == 403
        assert (await dave.client.get("/api/bootstrap")).json()["nav"] == []


async def test_the_request_to_the_provider_is_a_code_flow_with_pkce(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        query = parse_qs(urlsplit(await alice.begin()).query)
    assert query["response_type"] == ["code"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert query["redirect_uri"] == ["http://localhost:8600/auth/callback"]
    assert len(query["state"][0]) >= 32
    assert len(query["nonce"][0]) >= 32


async def test_a_sign_in_changes_the_session_and_the_old_one_is_worth_nothing(portal: OidcPortal) -> None:
    """Case A1."""
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        old = alice.cookie()
        await alice.sign_in("alice")
        assert alice.cookie() != old
        assert await alice.is_signed_in()
        alice.client.cookies.clear()
        alice.client.cookies.set(SESSION, old, domain="localhost.local")
        assert (await alice.client.get("/api/session", headers={"cookie": f"{SESSION}={old}"})).status_code == 401


async def test_a_callback_counts_once(portal: OidcPortal) -> None:
    """Case A2: the second use is refused before the provider is asked, so that it does not end the first one."""
    async with portal.visitor() as alice:
        callback = await alice.go("alice")
        assert (await alice.come_back(callback)).status_code == 303
        assert (await alice.come_back(callback)).status_code == 400
        assert await alice.is_signed_in()
    if isinstance(portal.provider, FakeIdentityProvider):
        assert portal.provider.calls["code"] == 1


async def test_a_callback_counts_once_at_the_same_moment(faked: OidcPortal) -> None:
    assert isinstance(faked.provider, FakeIdentityProvider)
    async with faked.visitor() as alice:
        callback = await alice.go("alice")
        statuses = [a.status_code for a in await asyncio.gather(*(alice.come_back(callback) for _ in range(8)))]
        assert sorted(statuses) == [303] + [400] * 7
        assert faked.provider.calls["code"] == 1
        assert await alice.is_signed_in()


async def test_a_callback_in_another_browser_is_refused(portal: OidcPortal) -> None:
    """Sign-in CSRF: a link with the attacker's code signs nobody in as the attacker."""
    async with portal.visitor() as mallory, portal.visitor() as alice:
        callback = await mallory.go("bob")
        await alice.begin()
        assert (await alice.come_back(callback)).status_code == 400
        assert not await alice.is_signed_in()
        assert (await mallory.come_back(callback)).status_code == 303, "and it is not used up by that"


async def test_two_tabs_sign_in_together(portal: OidcPortal) -> None:
    """Case A3."""
    async with portal.visitor() as alice:
        first, second = await alice.go("alice", "/a"), await alice.go("alice", "/b")
        assert (await alice.come_back(second)).headers["location"] == "/b"
        assert (await alice.come_back(first)).headers["location"] == "/a"
        assert await alice.is_signed_in()


async def test_signing_out_ends_it_here_and_at_the_provider(portal: OidcPortal) -> None:
    """Case A5, and RP-initiated logout: the token goes from server to server, the browser carries none."""
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        cookie = alice.cookie()
        answer = await alice.post("/auth/logout")
        assert answer.status_code == 200
        onward = answer.json()["location"]
        assert "id_token_hint" not in onward
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await alice.client.get("/api/session", headers={"cookie": f"{SESSION}={cookie}"})).status_code == 401


async def test_after_signing_out_the_provider_does_not_know_the_browser(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        silent = await alice.begin(prompt="none")
        held = await alice.at_provider.get(silent)
        assert "code=" in held.headers["location"], "control: the provider's session is there"
        onward = (await alice.post("/auth/logout")).json()["location"]
        await portal.provider.sign_out(onward, session=alice.at_provider)
        gone = await alice.at_provider.get(await alice.begin(prompt="none"))
        assert "error=login_required" in gone.headers["location"]
        answer = await alice.come_back(gone.headers["location"])
        assert answer.status_code == 400
        assert not await alice.is_signed_in()


async def test_signing_out_needs_the_csrf_token_and_a_get_does_nothing(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        assert (await alice.client.post("/auth/logout")).status_code == 403
        assert (await alice.client.get("/auth/logout")).status_code in (404, 405)
        assert await alice.is_signed_in()


async def test_the_cookie_is_opaque_and_bound(portal: OidcPortal) -> None:
    """Case A8."""
    async with portal.visitor() as alice:
        answer = await alice.come_back(await alice.go("alice"))
        cookies = answer.headers.get_list("set-cookie")
        (cookie,) = [c for c in cookies if c.startswith(SESSION)]
        value, *attributes = [part.strip() for part in cookie.split(";")]
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes)
        assert not any(a.lower().startswith("domain") for a in attributes)
        assert len(cookie) < 4096
        assert "." not in value


@pytest.mark.slow  # needs the built console
async def test_no_token_is_in_any_answer(faked: OidcPortal) -> None:
    """Case A8: neither in JSON nor in HTML, nor in the audit."""
    provider = faked.provider
    assert isinstance(provider, FakeIdentityProvider)
    async with faked.visitor() as alice:
        answer = await alice.come_back(await alice.go("alice"))
        texts = [repr(answer.headers), answer.text]
        for path in ("/", "/api/session", "/api/bootstrap", "/api/audit", "/api/settings", "/api/openapi.json"):
            page = await alice.client.get(path, headers={"accept": "*/*"})
            assert page.status_code == 200, path
            texts += [page.text, repr(page.headers)]
        secrets = {*provider._access, *provider._refresh, provider.client_secret}
        assert len(secrets) >= 3
        assert not [path for path in texts for secret in secrets if secret in path]


async def test_a_sign_in_is_on_record_and_so_is_a_refused_one(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        callback = await alice.go("alice")
        await alice.come_back(callback)
        await alice.come_back(callback)
        records = (await alice.client.get("/api/audit", params={"action": "core.session"})).json()["items"]
    assert [r["action"] for r in records] == ["core.session.refused", "core.session.started"]
    assert (records[1]["actor_name"], records[0]["actor"]) == ("alice", "anonymous")


@pytest.mark.slow  # needs the built console
async def test_a_refused_sign_in_is_a_page_for_a_browser_and_a_problem_for_a_program(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        page = await alice.client.get("/auth/callback?state=x&code=y", headers={"accept": "text/html"})
        assert page.status_code == 400
        assert page.headers["content-type"].startswith("text/html")
        assert "openlakes-problem" in page.text
        told = await alice.client.get("/auth/callback?state=x&code=y", headers={"accept": "application/json"})
        assert told.headers["content-type"] == "application/problem+json"
        assert told.json()["remedy"]


async def test_of_a_parameter_that_stands_twice_neither_counts(portal: OidcPortal) -> None:
    async with portal.visitor() as alice:
        callback = await alice.go("alice")
        assert (await alice.come_back(callback + "&state=other")).status_code == 400
        assert not await alice.is_signed_in()


@pytest.mark.parametrize("error", ["access_denied", "login_required", "<script>alert(1)</script>", "server_error"])
async def test_the_providers_refusal_is_said_in_our_words(faked: OidcPortal, error: str) -> None:
    assert isinstance(faked.provider, FakeIdentityProvider)
    faked.provider.change_callback(
        lambda query: {
            "error": error,
            "error_description": "CALL 555-1234",
            "state": query["state"],
            "iss": query["iss"],
        }
    )
    async with faked.visitor() as alice:
        answer = await alice.come_back(await alice.go("alice"))
        assert answer.status_code == 400
        assert "555" not in answer.text
        assert "<script>alert" not in answer.text
        assert not await alice.is_signed_in()

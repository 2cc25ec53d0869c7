"""While a person works the provider is asked whether they still may: what follows from each of its answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from openlakes_portal.testing.identity_provider import FakeIdentityProvider

from .contract import Provider
from .keycloak import Keycloak
from .portal import SESSION, OidcPortal, checked, make_due, portal_with, session_of

pytestmark = pytest.mark.slow


@pytest.fixture
async def portal(pair: tuple[Provider, str], tmp_path: Path) -> AsyncIterator[OidcPortal]:
    provider, url = pair
    async with portal_with(provider, tmp_path, database=url) as running:
        yield running


@pytest.fixture
async def faked(fake_provider: FakeIdentityProvider, url: str, tmp_path: Path) -> AsyncIterator[OidcPortal]:
    async with portal_with(fake_provider, tmp_path, database=url) as running:
        yield running


@pytest.mark.parametrize("by_refresh", [False, True])
async def test_a_person_stays_signed_in_while_the_provider_says_so(portal: OidcPortal, by_refresh: bool) -> None:
    """Three in a row: each renewal's refresh token is the one for the next."""
    async with portal.visitor() as alice:
        before = await alice.sign_in("alice")
        for _ in range(3):
            await checked(portal, alice, by_refresh=by_refresh)
            assert await alice.session() == before


@pytest.mark.parametrize("by_refresh", [False, True])
async def test_a_disabled_person_is_out_with_the_next_check(portal: OidcPortal, by_refresh: bool) -> None:
    """Providers send no back-channel logout for it (facts of Keycloak)."""
    async with portal.visitor() as carol:
        await carol.sign_in("carol")
        await portal.provider.admin.disable("carol")
        try:
            await checked(portal, carol, by_refresh=by_refresh)
            assert not await carol.is_signed_in()
        finally:
            await portal.provider.admin.enable("carol")


async def test_a_request_after_a_while_begins_the_check_by_itself(faked: OidcPortal) -> None:
    provider = faked.provider
    assert isinstance(provider, FakeIdentityProvider)
    async with faked.visitor() as alice:
        await alice.sign_in("alice")
        await alice.session()
        assert provider.calls["userinfo"] == 0, "control: a fresh session is not asked about"
        session = await make_due(faked, alice)
        faked.portal.sessions._cache.clear()
        await alice.session()
        task = faked.portal.oidc.renewals._running[session.id_hash]  # type: ignore[union-attr]
        await task
        assert provider.calls["userinfo"] == 1
        faked.portal.sessions._cache.clear()
        await alice.session()
        assert provider.calls["userinfo"] == 1, "and is not asked about again"


async def test_what_changes_at_the_provider_changes_here(faked: OidcPortal) -> None:
    provider = faked.provider
    assert isinstance(provider, FakeIdentityProvider)
    async with faked.visitor() as bob:
        assert (await bob.sign_in("bob"))["roles"] == ["bi-analyst"]
        provider.people["bob"].groups = ["/platform/admins"]
        await checked(faked, bob)
        assert (await bob.session())["roles"] == ["platform-admin"]
        provider.people["bob"].groups = []
        await checked(faked, bob, by_refresh=True)
        assert (await bob.session())["roles"] == []


@pytest.mark.server
async def test_groups_that_change_in_keycloak_change_here(keycloak: Keycloak, tmp_path: Path) -> None:
    async with portal_with(keycloak, tmp_path) as portal, portal.visitor() as walter:
        await keycloak.admin.create_user("walter", ("/data/engineers",))
        try:
            assert (await walter.sign_in("walter"))["roles"] == ["data-engineer"]
            await keycloak.admin.leave_group("walter", "/data/engineers")
            await checked(portal, walter)
            assert (await walter.session())["roles"] == [], "Keycloak leaves the claim out where there is no group"
            await keycloak.admin.join_group("walter", "/platform/admins")
            await checked(portal, walter, by_refresh=True)
            assert (await walter.session())["roles"] == ["platform-admin"]
        finally:
            await keycloak.admin.delete("walter")
        await checked(portal, walter)
        assert not await walter.is_signed_in(), "a deleted person is out"


async def test_one_renewal_at_a_time_over_all_processes(
    fake_provider: FakeIdentityProvider, url: str, tmp_path: Path
) -> None:
    """With rotation a second use of a refresh token ends the sign-in: one process refreshes, the others leave it."""
    shared = {"security": {"key": "ab" * 32}}
    async with AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(portal_with(fake_provider, tmp_path / str(n), shared, url)) for n in "abc"
        ]
        alice = await stack.enter_async_context(replicas[0].visitor())
        await alice.sign_in("alice")
        fake_provider.on("refresh").waits(0.2)
        session = await make_due(replicas[0], alice, by_refresh=True)
        oidcs = [replica.portal.oidc for replica in replicas]
        await asyncio.gather(*(oidc.renewals.renew(session) for oidc in oidcs * 5 if oidc is not None))
        assert fake_provider.calls["refresh"] == 1
        assert await alice.is_signed_in()


@pytest.mark.parametrize("fault", ["lost", "cut"])
async def test_a_refresh_whose_answer_is_lost_is_the_end(faked: OidcPortal, fault: str) -> None:
    """Whether the token was used up cannot be known, and to try it again would be taken for theft."""
    provider = faked.provider
    assert isinstance(provider, FakeIdentityProvider)
    async with faked.visitor() as alice, faked.visitor() as admin:
        await admin.sign_in("alice")
        await alice.sign_in("carol")
        behaviour = provider.on("refresh")
        behaviour.loses_the_answer() if fault == "lost" else behaviour.breaks_off(10)
        await checked(faked, alice, by_refresh=True)
        assert provider.calls["refresh"] == 1
        assert not await alice.is_signed_in()
        provider.on("refresh").recovers()
        (record, *_) = (await admin.client.get("/api/audit?action=core.session.ended")).json()["items"]
        assert record["actor_name"] == "carol"


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_request"])
async def test_a_refused_refresh_ends_the_session_everywhere_once(
    fake_provider: FakeIdentityProvider, url: str, tmp_path: Path, error: str
) -> None:
    """Case B16."""
    shared = {"security": {"key": "ab" * 32}}
    async with (
        portal_with(fake_provider, tmp_path / "a", shared, url) as here,
        portal_with(fake_provider, tmp_path / "b", shared, url) as there,
        here.visitor() as alice,
        there.visitor() as other,
    ):
        await alice.sign_in("alice")
        cookie = {"cookie": f"{SESSION}={alice.cookie()}"}
        assert (await other.client.get("/api/session", headers=cookie)).status_code == 200
        fake_provider.on("refresh").refuses(error)
        await checked(here, alice, by_refresh=True)
        assert not await alice.is_signed_in()
        async with asyncio.timeout(1):
            while (await other.client.get("/api/session", headers=cookie)).status_code == 200:
                await asyncio.sleep(0.02)
        assert fake_provider.calls["refresh"] == 1, "no loop"


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_provider_that_is_away_ends_nothing(faked: OidcPortal, status: int) -> None:
    provider = faked.provider
    assert isinstance(provider, FakeIdentityProvider)
    async with faked.visitor() as alice:
        await alice.sign_in("alice")
        provider.on("userinfo").fails(status)
        await checked(faked, alice)
        assert await alice.is_signed_in()
        provider.on("userinfo").recovers()
        await checked(faked, alice, by_refresh=True)
        provider.stop()
        await checked(faked, alice)
        assert await alice.is_signed_in()
        provider.start()
        await checked(faked, alice, by_refresh=True)
        assert await alice.is_signed_in()


async def test_an_answer_for_another_person_is_the_end(faked: OidcPortal) -> None:
    provider = faked.provider
    assert isinstance(provider, FakeIdentityProvider)
    for change in ("userinfo", "refresh"):
        async with faked.visitor() as bob:
            await bob.sign_in("bob")
            if change == "userinfo":
                provider.change_answer("userinfo", lambda answer: {**answer, "sub": "subject-of-alice"})
                await checked(faked, bob)
            else:
                provider.change_claims(lambda claims: {**claims, "sub": "subject-of-alice"})
                await checked(faked, bob, by_refresh=True)
            provider.change_answer("userinfo", None)
            provider.change_claims(None)
            assert not await bob.is_signed_in(), change


async def test_a_person_without_a_refresh_token_is_in_until_their_token_ends(
    fake_provider: FakeIdentityProvider, tmp_path: Path
) -> None:
    fake_provider.gives_refresh_tokens = False
    fake_provider.access_token_lifetime = 120
    async with portal_with(fake_provider, tmp_path) as portal, portal.visitor() as alice:
        await alice.sign_in("alice")
        session = await session_of(portal, alice)
        assert session.expires_at - session.created_at <= timedelta(seconds=121)


async def test_two_hundred_groups_are_read_and_go_nowhere(faked: OidcPortal) -> None:
    provider = faked.provider
    assert isinstance(provider, FakeIdentityProvider)
    provider.people["bob"].groups = [f"/groups/of/some/length/{n:04}" for n in range(200)] + ["/data/analysts"]
    async with faked.visitor() as bob:
        assert (await bob.sign_in("bob"))["roles"] == ["bi-analyst"]
        assert "/groups/of" not in (await bob.client.get("/api/session")).text
        assert len(bob.cookie()) < 100

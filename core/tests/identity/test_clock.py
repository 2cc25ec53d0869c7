"""M80 beside a provider whose clock is right: a wrong clock of ours signs nobody out, and keeps nobody who is out."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from machine_clock import MachineClock
from openlakes_portal.testing.identity_provider import FakeIdentityProvider

from .portal import OidcPortal, Visitor, portal_with, session_of

JUMPS = pytest.mark.parametrize("jump", [600, -600, -3600], ids="{:+d} s".format)


@pytest.fixture
async def portal(
    fake_provider: FakeIdentityProvider, url: str, tmp_path: Path, machine: MachineClock
) -> AsyncIterator[OidcPortal]:
    """One whose access tokens last for five minutes, as most do, and whose provider has the true time."""
    fake_provider.clock = machine.true
    fake_provider.access_token_lifetime = 300
    async with portal_with(fake_provider, tmp_path, database=url) as running:
        yield running


async def looked_at(portal: OidcPortal, visitor: Visitor) -> None:
    """What a request begins where a check is due, by the portal's own reckoning; nothing where none is."""
    assert portal.portal.oidc is not None
    renewals, session = portal.portal.oidc.renewals, await session_of(portal, visitor)
    renewals.look_at(session)
    if (task := renewals._running.get(session.id_hash)) is not None:
        await task


async def true_minutes(fake: FakeIdentityProvider, machine: MachineClock, minutes: float) -> None:
    """Time passes for both."""
    before, after = fake.clock, minutes * 60
    fake.clock = lambda: before() + after
    machine.ahead += after


@JUMPS
async def test_whoever_is_signed_in_stays_so_and_is_checked_on(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, machine: MachineClock, jump: int
) -> None:
    async with portal.visitor() as alice:
        told = await alice.sign_in("alice")
        machine.ahead += jump
        for _ in range(4):  # over the end of the access token, and of the renewed one
            await true_minutes(fake_provider, machine, 4)
            asked = fake_provider.calls["userinfo"] + fake_provider.calls["refresh"]
            await looked_at(portal, alice)
            assert fake_provider.calls["userinfo"] + fake_provider.calls["refresh"] > asked, "it is asked on"
            assert await alice.session() == told, "no mass logout"
        assert fake_provider.calls["refresh"] > 0, "control: renewed ID tokens were looked at"
        machine.ahead -= jump
        await true_minutes(fake_provider, machine, 4)
        await looked_at(portal, alice)
        assert await alice.session() == told, "and none when it is put right"


@JUMPS
async def test_whoever_is_disabled_is_out_with_the_next_check(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, machine: MachineClock, jump: int
) -> None:
    """A check that was noted by a clock since set back must not put off the next one by an hour."""
    async with portal.visitor() as carol, portal.visitor() as alice:
        await carol.sign_in("carol")
        await alice.sign_in("alice")
        machine.ahead += jump
        await fake_provider.admin.disable("carol")
        await true_minutes(fake_provider, machine, 2)
        await looked_at(portal, carol)
        assert not await carol.is_signed_in(), "no immortal session"
        await looked_at(portal, alice)
        assert await alice.is_signed_in()


@JUMPS
async def test_groups_that_change_are_seen(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, machine: MachineClock, jump: int
) -> None:
    async with portal.visitor() as carol:
        assert (await carol.sign_in("carol"))["roles"] == ["data-engineer"]
        machine.ahead += jump
        fake_provider.people["carol"].groups = []
        for minutes in (2, 6):
            await true_minutes(fake_provider, machine, minutes)
            await looked_at(portal, carol)
            assert (await carol.session())["roles"] == []


@JUMPS
async def test_signing_in_is_refused_in_words_and_works_once_the_clock_is_right(
    portal: OidcPortal, machine: MachineClock, jump: int
) -> None:
    async with portal.visitor() as alice:
        machine.ahead += jump
        answer = await alice.come_back(await alice.go("alice"))
        assert answer.status_code == 400
        assert "compare the clocks" in answer.json()["detail"]
        assert not await alice.is_signed_in()
        machine.ahead = 0
        await alice.sign_in("alice")


async def test_a_session_whose_renewals_do_not_fit_the_clock_still_ends(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, machine: MachineClock
) -> None:
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        machine.ahead -= 600
        await portal.portal.sessions.sweep()
        for _ in range(25):
            await true_minutes(fake_provider, machine, 60)
            if await alice.is_signed_in():
                await looked_at(portal, alice)
        await portal.portal.sessions.sweep()
        assert not await alice.is_signed_in(), "24 hours are the most"


async def test_a_token_of_another_is_refused_however_wrong_the_clock_is(
    portal: OidcPortal, fake_provider: FakeIdentityProvider, machine: MachineClock
) -> None:
    """Only the times are forgiven."""
    async with portal.visitor() as alice:
        await alice.sign_in("alice")
        machine.ahead -= 3600
        await true_minutes(fake_provider, machine, 6)
        fake_provider.change_claims(lambda claims: claims.update(iss="https://evil.example"))
        await looked_at(portal, alice)
        assert not await alice.is_signed_in()

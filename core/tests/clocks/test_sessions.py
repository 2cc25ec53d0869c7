"""M80: a clock that is set signs nobody out, and lets nobody stay longer than they may."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from machine_clock import MachineClock
from openlakes_portal.testing import PortalUnderTest, SignedIn, portal_for

JUMPS = pytest.mark.parametrize("jump", [600, -600, -3600], ids="{:+d} s".format)
IDLE, ABSOLUTE = 4 * 3600, 8 * 3600
SETTINGS: dict[str, Any] = {
    "auth": {"session": {"idle_timeout": IDLE, "absolute_timeout": ABSOLUTE, "cache_seconds": 0}}
}


@pytest.fixture
async def portal(url: str, tmp_path: Path, machine: MachineClock) -> AsyncIterator[PortalUnderTest]:
    """One whose sessions are looked up with each request."""
    async with portal_for(tmp_path / "portal", {**SETTINGS, "database": {"url": url}}, []) as running:
        yield running


async def status(person: SignedIn) -> int:
    return (await person.get("/api/session")).status_code


@JUMPS
async def test_everybody_stays_signed_in_and_nobody_for_longer_than_ever(
    portal: PortalUnderTest, machine: MachineClock, jump: int
) -> None:
    busy, idle, gone = (portal.new_session("viewer") for _ in range(3))
    assert [await status(person) for person in (busy, idle, gone)] == [200, 200, 200]
    machine.ahead += jump
    assert await portal.app.portal.sessions.sweep() == 0
    assert [await status(person) for person in (busy, idle)] == [200, 200], "no mass logout"
    assert await status(portal.new_session("viewer")) == 200, "and who comes now is let in"
    machine.ahead += IDLE / 2
    assert await status(busy) == 200
    machine.ahead += IDLE / 2 + 90  # times are written once a minute
    assert [await status(person) for person in (busy, idle, gone)] == [200, 401, 401], "idleness counts on"
    machine.ahead += ABSOLUTE - IDLE - 90
    await portal.app.portal.sessions.sweep()
    assert await status(busy) == 401, "nobody lives for longer than the absolute end after the jump"


async def test_a_session_of_a_clock_that_was_a_year_ahead_ends_like_any_other(
    portal: PortalUnderTest, machine: MachineClock
) -> None:
    machine.ahead = 365 * 86_400
    early, idle = portal.new_session("viewer"), portal.new_session("viewer")
    assert [await status(person) for person in (early, idle)] == [200, 200]
    machine.ahead = 0
    assert await portal.app.portal.sessions.sweep() == 0
    for _ in range(3):
        assert await status(early) == 200
        machine.ahead += ABSOLUTE / 4
    assert await status(idle) == 401
    assert await status(early) == 200
    machine.ahead += ABSOLUTE / 4 + 1
    assert await status(early) == 401


@JUMPS
async def test_an_api_token_ends_by_the_clock_there_is(
    portal: PortalUnderTest, machine: MachineClock, jump: int
) -> None:
    admin = portal.signed_in("platform-admin")
    body = {
        "name": "ci",
        "permissions": ["core:health:read"],
        "expires_at": (machine.now() + timedelta(hours=3)).isoformat(),
    }
    made = await admin.post("/api/tokens", json=body)
    assert made.status_code == 201, made.text
    bearer = {"authorization": f"Bearer {made.json()['token']}"}

    async def used() -> int:
        return (await portal.anonymous.get("/api/components", headers=bearer)).status_code

    assert await used() == 200
    machine.ahead += jump
    assert await used() == 200
    machine.ahead += 3 * 3600 - jump - 5
    assert await used() == 200
    machine.ahead += 5
    assert await used() == 401
    machine.ahead -= 3600
    assert (await admin.delete(f"/api/tokens/{made.json()['id']}")).status_code in (200, 204)
    assert await used() == 401, "revoked is revoked, whatever the clock says"


@JUMPS
async def test_a_binding_ends_by_the_clock_there_is(portal: PortalUnderTest, machine: MachineClock, jump: int) -> None:
    admin, viewer = portal.signed_in("platform-admin"), portal.signed_in("viewer")
    ends = machine.now() + timedelta(hours=2)
    body = {"role": "core:access:read", "subject": "viewer", "reason": "a test", "expires_at": ends.isoformat()}

    async def may() -> bool:
        return (await viewer.get("/api/users")).status_code == 200

    assert not await may()
    given = await admin.post("/api/role-bindings", json=body)
    assert given.status_code == 201, given.text
    assert await may()
    machine.ahead += jump
    assert await may()
    machine.ahead += 2 * 3600 - jump - 5
    assert await may()
    machine.ahead += 6
    assert not await may()
    machine.ahead += 86_400
    assert not await may()

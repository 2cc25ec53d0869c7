"""M80 for exchanged tokens: what counts once counts once, whatever is done to the clock."""

import pytest

from machine_clock import MachineClock
from openlakes_portal.testing import PortalUnderTest

from .conftest import OpenHouse
from .exchanges import AUDIT, ask, exchanging, given, job, ready, refused, rule
from .platforms import Claims, Platform


@pytest.fixture
async def house(open_house: OpenHouse, platform: Platform, machine: MachineClock) -> PortalUnderTest:
    """A portal that trusts the platform's main branch."""
    return await ready(await open_house(**exchanging(rule(platform))), AUDIT)


def of_now(platform: Platform, machine: MachineClock, ahead: float = 0) -> Claims:
    """A job's token that begins at the true time, or so many seconds later, and lasts for five minutes."""
    moment = int(machine.true() + ahead)
    return job(platform, iat=moment, nbf=moment, exp=moment + 300)


async def test_a_used_token_is_not_good_again_when_the_clock_is_set_back(
    house: PortalUnderTest, platform: Platform, machine: MachineClock
) -> None:
    token = platform.sign(of_now(platform, machine))
    await given(house, token)
    machine.ahead = 900
    assert "compare the clocks" in await refused(house, token)
    await given(house, platform.sign(of_now(platform, machine, 900)))  # and what has ended is cleared away with it
    machine.ahead = 0
    assert await refused(house, token) == "it was used before"
    await given(house, platform.sign(of_now(platform, machine)))


@pytest.mark.parametrize("jump", [600, -600, -3600], ids="{:+d} s".format)
async def test_clocks_that_are_apart_are_named_and_an_exchanged_token_ends(
    house: PortalUnderTest, platform: Platform, machine: MachineClock, jump: int
) -> None:
    made = await given(house, platform.sign(of_now(platform, machine)))
    text, lasts = made["access_token"], made["expires_in"]
    assert await ask(house, text, "/api/audit") == 200
    machine.ahead = jump
    assert "compare the clocks" in await refused(house, platform.sign(of_now(platform, machine)))
    assert await ask(house, text, "/api/audit") == (200 if jump < lasts else 401)
    machine.ahead = lasts - 5
    assert await ask(house, text, "/api/audit") == 200
    machine.ahead = lasts
    assert await ask(house, text, "/api/audit") == 401

"""One person's requests do not take all connections to an app."""

import asyncio

import httpx
import pytest

from openlakes_portal._gateway.turns import Turns
from openlakes_portal.spi import Limited

from .conftest import House
from .upstream import OK, Received


async def test_what_is_more_waits_for_its_turn_and_is_refused_after_a_while() -> None:
    turns = Turns(2, 0.05)
    go = asyncio.Event()

    async def work() -> str:
        async with turns.of("alice"):
            await go.wait()
        return "done"

    busy = [asyncio.create_task(work()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Limited, match="2 requests under way"):
        await work()
    async with turns.of("bob"):
        pass
    go.set()
    assert await asyncio.gather(*busy) == ["done"] * 2
    assert await asyncio.gather(*(work() for _ in range(20))) == ["done"] * 20


async def test_nothing_is_kept_of_who_has_nothing_under_way() -> None:
    turns = Turns(1, 0.01)
    for number in range(100):
        async with turns.of(str(number)):
            with pytest.raises(Limited):
                async with turns.of(str(number)):
                    pass
    task = asyncio.create_task(asyncio.sleep(3600))

    async def given_up() -> None:
        async with turns.of("alice"):
            await task

    waiting = asyncio.create_task(given_up())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with turns.of("alice"):
        pass
    assert turns._of == {}


async def test_who_has_many_requests_under_way_keeps_nobody_else_waiting(
    open_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_house()
    gateway = house.portal.app._gateway
    assert gateway is not None
    one, other = house.browser("data-engineer"), house.browser("viewer")
    await one.open("/")
    await other.open("/")
    monkeypatch.setattr(gateway, "turns", Turns(3, 0.05))
    go = asyncio.Event()

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        if request.target == b"/slow":
            await go.wait()
        writer.write(OK)

    house.app.respond = respond
    slow: list[asyncio.Task[httpx.Response]] = [asyncio.create_task(one.ask("/slow")) for _ in range(3)]
    while sum(received.target == b"/slow" for received in house.app.received) < 3:
        await asyncio.sleep(0.01)
    more = await one.ask("/", headers={"accept": "application/json"})
    assert more.status_code == 429
    assert more.headers["retry-after"]
    assert (await other.ask("/")).status_code == 200
    go.set()
    assert [(await answer).status_code for answer in slow] == [200] * 3
    assert (await one.ask("/")).status_code == 200

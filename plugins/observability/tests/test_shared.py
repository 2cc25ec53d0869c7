"""One answer for everybody who asks at about the same time."""

import asyncio

import pytest

from openlakes_portal_observability.shared import Shared


async def test_a_hundred_pages_ask_once_and_once_more_two_seconds_later() -> None:
    moment, asked = 100.0, 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return asked

    shared = Shared(ask, lambda: moment)
    assert await asyncio.gather(*(shared.get() for _ in range(100))) == [1] * 100
    moment = 101.9
    assert await shared.get() == 1
    moment = 102.0
    assert await asyncio.gather(*(shared.get() for _ in range(2))) == [2, 2]


async def test_who_gives_up_takes_nothing_from_the_others_and_a_failure_is_asked_again_later() -> None:
    moment = 100.0
    gate = asyncio.Event()

    async def ask() -> str:
        await gate.wait()
        raise ConnectionRefusedError("nobody there")

    shared = Shared(ask, lambda: moment)
    impatient, patient = asyncio.create_task(shared.get()), asyncio.create_task(shared.get())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    gate.set()
    for waiting in (patient, shared.get()):
        with pytest.raises(ConnectionRefusedError, match="nobody there"):
            await waiting

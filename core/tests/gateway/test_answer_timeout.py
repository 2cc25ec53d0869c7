"""How long an app may take is the operator's to say."""

import asyncio
from pathlib import Path

from .real import real_house
from .upstream import Received, raw_app


async def test_an_app_that_takes_longer_than_the_operator_lets_it_is_given_up(tmp_path: Path) -> None:
    with real_house(tmp_path, 1, {"gateway": {"answer_timeout": 0.5}}) as house:
        seat = house.seat()
        async with raw_app(house.target_port) as app:

            async def hang(received: Received, writer: asyncio.StreamWriter) -> None:
                await asyncio.sleep(30)

            assert (await seat.ask("GET", "/")).status == 200
            app.respond = hang
            answer = await seat.ask("GET", "/", "Accept: application/json", seconds=15)
            assert answer.status == 503
            assert answer.body is not None
            assert b"did not answer within 0.5 s" in answer.body

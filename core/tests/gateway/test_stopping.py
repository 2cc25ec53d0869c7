"""A stop while apps are in use: what is short is finished, what would never end is ended, and nobody waits for it."""

import asyncio
import time
from pathlib import Path

import pytest
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from .real import Answer, everything, real_house
from .test_websockets import Echo, opened
from .upstream import OK, Received, raw_app

pytestmark = pytest.mark.slow
PATIENT = {"server": {"drain_timeout": 20}}


async def test_a_websocket_ends_at_once(tmp_path: Path) -> None:
    with real_house(tmp_path, 1, PATIENT) as house:
        echo = Echo()
        async with serve(echo.handle, "127.0.0.1", house.target_port), opened(house.seat()) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
            begin = time.monotonic()
            stopping = asyncio.create_task(asyncio.to_thread(house.replica.stop))
            with pytest.raises(ConnectionClosed):
                await socket.recv()
            assert socket.close_code in (1001, 1006), "told to go, or cut by the server below us"
            await stopping
            assert time.monotonic() - begin < 10, "nobody waits for the drain's end"


async def test_a_request_that_is_under_way_is_finished_and_an_event_stream_is_cut(tmp_path: Path) -> None:
    with real_house(tmp_path, 1, PATIENT) as house:
        go = asyncio.Event()

        async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
            if request.target == b"/events":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
                await asyncio.sleep(3600)
            await go.wait()
            writer.write(OK)

        async with raw_app(house.target_port) as app:
            app.respond = respond
            seat = house.seat()
            reader, writer = await seat.connect()
            writer.write(seat.head("GET", "/events"))
            first = await asyncio.wait_for(reader.readuntil(b"data: 1"), 5)
            short = asyncio.create_task(seat.ask("GET", "/short"))
            while len(app.received) < 2:
                await asyncio.sleep(0.01)
            begin = time.monotonic()
            stopping = asyncio.create_task(asyncio.to_thread(house.replica.stop))
            rest = await asyncio.wait_for(everything(reader), 10)
            assert Answer(first + rest).body is None
            go.set()
            answer = await short
            assert (answer.status, answer.body) == (200, b"ok")
            await stopping
            assert time.monotonic() - begin < 10
            writer.close()

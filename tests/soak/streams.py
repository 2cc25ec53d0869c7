"""A thousand streams through the gateway: how much memory they take, and whether it grows."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from core.tests.gateway.real import MIB, RealHouse, Seat, real_house
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from bench.figures import Figure
from soak import app

EACH = 500
APPS = 20
"""Of one target, so that nobody has more under way at one of them than the gateway lets one person have."""
LIMITS = {"limits": {"streams": 10_000}}
MOST_MEMORY, MOST_GROWTH = 512, 1.05
SETTLED = 0.2
"""Share of the time after which memory is looked at first."""


def measure(folder: Path, seconds: float) -> Iterator[Figure]:
    """500 WebSockets and 500 streams of events, each with a message a second."""
    with real_house(folder / "house", APPS, LIMITS) as house, app.running(folder, house.target_port):
        seats = [house.seat() for _ in range(APPS)]
        before = house.memory()
        settled, end, alive = asyncio.run(_hold(house, seats, seconds))
    yield Figure("streams", f"memory of the portal's processes with {2 * EACH} streams, MiB", end / MIB, MOST_MEMORY)
    yield Figure("streams", "MiB that they added", (end - before) / MIB)
    yield Figure(
        "streams", f"memory after {seconds:.0f} s / after {seconds * SETTLED:.0f} s", end / settled, MOST_GROWTH
    )
    yield Figure(
        "streams", f"of {2 * EACH} streams, those with a message in the last three seconds", alive, 2 * EACH, True
    )


async def _hold(house: RealHouse, seats: list[Seat], seconds: float) -> tuple[int, int, int]:
    last: dict[int, float] = {}
    tasks = [asyncio.create_task(_events(seats[number % APPS], number, last)) for number in range(EACH)]
    tasks += [asyncio.create_task(_websocket(seats[number % APPS], EACH + number, last)) for number in range(EACH)]
    begin = time.monotonic()
    while len(last) < 2 * EACH and time.monotonic() - begin < 60:
        await asyncio.sleep(0.2)
        for task in tasks:
            if task.done():
                task.result()
    await asyncio.sleep(seconds * SETTLED)
    settled = house.memory()
    await asyncio.sleep(seconds * (1 - SETTLED))
    end, now = house.memory(), time.monotonic()
    alive = sum(now - moment < 3 for moment in last.values())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return settled, end, alive


async def _events(seat: Seat, number: int, last: dict[int, float]) -> None:
    reader, writer = await seat.connect()
    writer.write(seat.head("GET", "/events", "Accept: text/event-stream"))
    try:
        while part := await reader.read(65536):
            if b"data: tick" in part:
                last[number] = time.monotonic()
        raise RuntimeError("a stream of events ended")
    finally:
        writer.close()


async def _websocket(seat: Seat, number: int, last: dict[int, float]) -> None:
    connection = await _opened(seat)
    try:
        async for _ in connection:
            last[number] = time.monotonic()
        raise RuntimeError("a WebSocket ended")
    finally:
        connection.transport.abort()


async def _opened(seat: Seat) -> ClientConnection:
    taken = socket.create_connection(("127.0.0.1", seat.replica.port), timeout=10)
    taken.setblocking(False)
    cookie = "; ".join(f"{name}={value}" for name, value in seat.cookies.items())
    return await connect(
        f"ws://{seat.host}/",
        sock=taken,
        origin=Origin(f"http://{seat.host}"),
        additional_headers={"Cookie": cookie},
        compression=None,
        proxy=None,
        open_timeout=60,
    )

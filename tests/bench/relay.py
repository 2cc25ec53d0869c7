"""Messages of a WebSocket that are sent back: through the gateway beside a connection of its own to the application."""

import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from core.tests.gateway.real import RealHouse, real_house
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from bench.figures import ROUNDS, Figure, median_of_pairs
from real_servers import child

SECONDS = 3.0
MESSAGE = "x" * 100
ECHO = """
import sys
from websockets.sync.server import serve
def echo(connection):
    for message in connection:
        connection.send(message)
with serve(echo, "127.0.0.1", int(sys.argv[1])) as server:
    server.serve_forever()
"""


def measure(folder: Path) -> Iterator[Figure]:
    """P3: one message at a time there and back."""
    with real_house(folder, 1) as house:
        process = child.start([sys.executable, "-c", ECHO, str(house.target_port)], folder / "echo.log")
        try:
            process.wait_until(lambda: child.accepts(house.target_port), 20)
            direct = connect(f"ws://127.0.0.1:{house.target_port}/", compression=None, proxy=None)
            with direct, _through(house) as relayed:
                rounds = [(_rate(relayed), _rate(direct)) for _ in range(ROUNDS)]
        finally:
            process.stop()
    yield Figure("P3", "WebSocket echo, gateway / direct", median_of_pairs(rounds, 0, 1), 0.5, True)


def _through(house: RealHouse) -> ClientConnection:
    seat = house.seat_of()
    cookie = "; ".join(f"{name}={value}" for name, value in seat.cookies.items())
    return connect(
        f"ws://{seat.host}/",
        sock=socket.create_connection(("127.0.0.1", house.replica.port), timeout=10),
        origin=Origin(f"http://{seat.host}"),
        additional_headers={"Cookie": cookie},
        compression=None,
        proxy=None,
    )


def _rate(connection: ClientConnection) -> float:
    """Messages a second."""
    count, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS:
        connection.send(MESSAGE)
        connection.recv()
        count += 1
    return count / (time.perf_counter() - begin)

"""What open streams cost a server: memory and processor time of all its processes, and how long others wait."""

import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.servers import Running

COUNT = 2000
SECONDS = 10.0
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Bytes that the streams added, seconds of processor time while they ran, the 99th percentile of the seconds that a
    small request took meanwhile, and connections that were still open a while after all of them were closed."""

    memory: int
    seconds: float
    wait: float
    left: int


def cost(running: Running, request: bytes, small: bytes) -> Cost:
    """Open COUNT streams, let them tick, close them; `small` is the request that is asked besides."""
    _open(running, request, 20, 1.5)  # whatever is made once is made now
    memory, _ = used(running)
    idle = _measure_cpu(running, SECONDS / 2) * 2
    sockets = _connect(running, request, COUNT)
    _drain(sockets, 2.0)
    before = used(running)[1]
    waits: list[float] = []
    asking = threading.Thread(target=_ask_besides, args=(running, small, waits))
    asking.start()
    _drain(sockets, SECONDS)
    asking.join()
    held, after = used(running)
    for each in sockets:
        each.close()
    waits.sort()
    seconds = max(1 / TICKS, after - before - idle)
    return Cost(max(1, held - memory), seconds, waits[int(len(waits) * 0.99)], _still_open(running))


def _ask_besides(running: Running, small: bytes, waits: list[float]) -> None:
    """One request every twentieth of a second: it waits as long as the streams hold the server up."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        end = time.perf_counter() + SECONDS
        while (began := time.perf_counter()) < end:
            connection.sendall(small)
            connection.recv(65536)
            waits.append(time.perf_counter() - began)
            time.sleep(0.05)


def _still_open(running: Running) -> int:
    """Connections to the server that it holds after five seconds, or none sooner."""
    deadline = time.monotonic() + 5
    while True:
        told = psutil.net_connections(kind="tcp4")
        held = [
            one
            for one in told
            if one.pid and one.laddr and one.laddr.port == running.port and one.status != psutil.CONN_LISTEN
        ]
        left = sum(os.getsid(one.pid) == running.process.pid for one in held if one.pid)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def _open(running: Running, request: bytes, count: int, seconds: float) -> None:
    sockets = _connect(running, request, count)
    _drain(sockets, seconds)
    for each in sockets:
        each.close()


def _connect(running: Running, request: bytes, count: int) -> list[socket.socket]:
    sockets = [socket.create_connection(("127.0.0.1", running.port), timeout=10) for _ in range(count)]
    for each in sockets:
        each.sendall(request)
    for each in sockets:
        answer = each.recv(65536)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"no stream: {answer[:300]!r}")
        each.setblocking(False)
    return sockets


def _drain(sockets: list[socket.socket], seconds: float) -> None:
    """Read what comes, so that nobody is a slow reader."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for each in sockets:
            try:
                if not each.recv(65536):
                    raise RuntimeError("a stream ended")
            except BlockingIOError:
                continue
        time.sleep(0.25)


def _measure_cpu(running: Running, seconds: float) -> float:
    before = used(running)[1]
    time.sleep(seconds)
    return used(running)[1] - before


def used(running: Running) -> tuple[int, float]:
    """Resident bytes and processor seconds of the server's processes; each server leads a group of its own."""
    memory, seconds = 0, 0.0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == running.process.pid:
                memory += int(fields[21]) * PAGE
                seconds += (int(fields[11]) + int(fields[12])) / TICKS
        except (OSError, IndexError):
            continue
    return memory, seconds

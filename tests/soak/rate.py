"""Requests at a fixed rate, whatever the answers take: each one's time counts from when it was due.

A client that sends the next request once the last one is answered would not notice a server that stands still.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

CLOSING = 20


@dataclass(frozen=True)
class Lane:
    """One browser's connection: what it asks in turn."""

    port: int
    requests: Sequence[bytes]


@dataclass
class Outcome:
    """Seconds of each answer from when its request was due, and answers that were none, with what came instead."""

    times: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def p99(self) -> float:
        """The 99th percentile in seconds; infinite where nothing was answered."""
        ordered = sorted(self.times)
        return ordered[max(0, int(len(ordered) * 0.99) - 1)] if ordered else float("inf")


async def ask(lanes: Sequence[Lane], rate: float, seconds: float) -> Outcome:
    """Let the lanes take turns, `rate` requests a second in all, for so many seconds."""
    outcome = Outcome()
    begin = time.perf_counter() + 0.1
    pause = len(lanes) / rate
    turns = [_lane(lane, begin + number / rate, pause, begin + seconds, outcome) for number, lane in enumerate(lanes)]
    await asyncio.gather(*turns)
    return outcome


async def _lane(lane: Lane, due: float, pause: float, end: float, outcome: Outcome) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", lane.port)
    number = 0
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        try:
            async with asyncio.timeout(CLOSING):
                writer.write(lane.requests[number % len(lane.requests)])
                status = await _answer(reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            outcome.errors.append(repr(error))
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", lane.port)
        else:
            outcome.times.append(time.perf_counter() - due)
            if status != 200:
                outcome.errors.append(f"status {status}")
        number, due = number + 1, due + pause
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
    )
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])

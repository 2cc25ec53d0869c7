"""One app hangs: who uses another one, or the API, does not notice; who waits for it is told in the end."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from core.tests.gateway.real import Seat, real_house

from bench.figures import Figure
from soak import app
from soak.load import both, seats_at
from soak.rate import Outcome

Both = tuple[Outcome, Outcome]
SESSIONS, HANGING = 60, 24
ANSWER_TIMEOUT, MOST_WAIT = 4, 5
SCALE = 1 / 3
"""Of the rates of `load`: unrelated answers are compared with themselves, not with a limit."""


def measure(folder: Path, seconds: float) -> Iterator[Figure]:
    """The same load without and with requests that hang at another app."""
    settings = {"gateway": {"answer_timeout": ANSWER_TIMEOUT}}
    with real_house(folder / "house", 2, settings) as house, app.running(folder, house.target_port):
        seats = seats_at(house, house.fresh(), SESSIONS)
        stuck = house.seat(house.fresh())
        calm, (during, waited) = asyncio.run(_compare(seats, stuck, seconds / 2))
    for what, before, after in (("API", calm[0], during[0]), ("proxied", calm[1], during[1])):
        errors = [*before.errors, *after.errors]
        yield Figure("hang", f"errors of {len(after.times):,} unrelated {what} requests", len(errors), 0)
        what = f"p99 of unrelated {what} requests beside {HANGING} that hang / before"
        yield Figure("hang", what, after.p99 / before.p99, 1.5)
    what = f"longest that one who asked the app that hangs waited, s (answer_timeout {ANSWER_TIMEOUT})"
    yield Figure("hang", what, max(waited), MOST_WAIT)


async def _compare(seats: list[Seat], stuck: Seat, seconds: float) -> tuple[Both, tuple[Both, list[float]]]:
    calm = await both(seats, seats, seconds, SCALE)
    hanging = [asyncio.create_task(_hang(stuck)) for _ in range(HANGING)]
    during = await both(seats, seats, seconds, SCALE)
    return calm, (during, await asyncio.gather(*hanging))


async def _hang(seat: Seat) -> float:
    """Seconds until the portal gives up; 504 or 503 is the only way out."""
    begin = time.perf_counter()
    answer = await seat.ask("GET", "/hang", seconds=120)
    assert answer.status in (503, 504), answer.raw[:200]
    return time.perf_counter() - begin

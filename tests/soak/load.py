"""Two hundred sessions ask the API and an app at a fixed rate: no error, and hardly anybody waits."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from core.tests.gateway.real import PORTAL_HOST, RealHouse, Seat, real_house

from bench.figures import Figure
from replica_process import SESSION
from soak import app
from soak.rate import Lane, Outcome, ask

SESSIONS = 200
API_RATE, APP_RATE = 300, 150
MOST_MS = 150
PATHS = ("/api/session", "/api/components", "/api/bootstrap")


def measure(folder: Path, seconds: float) -> Iterator[Figure]:
    """300 requests of the API and 150 through the gateway a second."""
    with real_house(folder / "house", 1) as house, app.running(folder, house.target_port):
        seats = seats_at(house, house.fresh(), SESSIONS)
        api, proxied = asyncio.run(both(seats, seats, seconds))
    for what, outcome in (("API", api), ("proxied", proxied)):
        for error in sorted(set(outcome.errors)):
            print(f"  {what}: {error} ({outcome.errors.count(error)} times)", flush=True)
        yield Figure(
            "load", f"errors of {len(outcome.times):,} {what} requests of {SESSIONS} sessions", len(outcome.errors), 0
        )
        yield Figure("load", f"p99 of {what} requests, ms", outcome.p99 * 1000, MOST_MS)


def seats_at(house: RealHouse, app_id: str, count: int) -> list[Seat]:
    """So many sessions, each of a browser of its own, at an app."""
    return [house.seat(app_id, house.replica.signed_in("data-engineer")) for _ in range(count)]


async def both(api: list[Seat], proxied: list[Seat], seconds: float, scale: float = 1.0) -> tuple[Outcome, Outcome]:
    """The two rates at once; `scale` makes both smaller."""
    lanes = [Lane(seat.replica.port, [_api(seat, path) for path in PATHS]) for seat in api]
    through = [Lane(seat.replica.port, [seat.head("GET", "/small")]) for seat in proxied]
    done = await asyncio.gather(ask(lanes, API_RATE * scale, seconds), ask(through, APP_RATE * scale, seconds))
    return done[0], done[1]


def _api(seat: Seat, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {PORTAL_HOST}\r\nCookie: {SESSION}={seat.person.cookie}\r\n\r\n".encode()

"""N84: a leader that is killed is followed within 15 s, and no job of one schedule runs in two processes at a time."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from openlakes_portal._store.database import Database
from openlakes_portal._store.migrate import migrate
from replica_process import eventually

pytestmark = pytest.mark.slow
EVERY = 0.5
Process = subprocess.Popen[bytes]


@pytest.fixture
def start(url: str, tmp_path: Path) -> Iterator[Callable[[], Process]]:
    """Starts such a process on a migrated database."""

    async def prepare() -> None:
        database = Database(url)
        await migrate(database)
        await database.close()

    asyncio.run(prepare())
    started = list[Process]()

    def begin() -> Process:
        script = Path(__file__).with_name("standing.py")
        started.append(subprocess.Popen([sys.executable, str(script), url, str(tmp_path / "ticks"), str(EVERY)]))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.wait(20)


def test_a_killed_leader_is_followed_in_time_and_its_schedule_is_kept_by_one(
    start: Callable[[], Process], tmp_path: Path
) -> None:
    def ticks() -> list[tuple[int, float]]:
        path = tmp_path / "ticks"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(pid), float(at)) for pid, at in map(str.split, lines)]

    processes = {process.pid: process for process in (start() for _ in range(3))}
    for round in range(2):
        known = len(ticks())
        eventually(lambda: len(ticks()) > known + 3, 30, "somebody leads and its job runs")  # noqa: B023
        leader = ticks()[-1][0]
        processes[leader].kill()
        killed = time.monotonic()
        processes[leader].wait(20)
        (_, last) = ticks()[-1]
        pid, at = eventually(lambda: next((t for t in ticks() if t[1] > last and t[0] != leader), None), 20, "a heir")  # noqa: B023
        assert at - killed <= 15, f"round {round}: {at - killed:.1f} s"
        assert pid in processes
    seen = ticks()
    assert len([pid for pid, _ in groupby(pid for pid, _ in seen)]) == 3, "each led once, and none beside another"
    gaps = [later[1] - earlier[1] for earlier, later in pairwise(seen)]
    assert min(gaps) >= EVERY * 0.8, "no run twice in its time"

"""A process that stands for leader until it is killed: `python standing.py URL FILE SECONDS`. Its job, due every so
many seconds, adds a line to the file: who ran it and when, by the machine's monotonic clock."""

import asyncio
import os
import sys
import time
from pathlib import Path

from openlakes_portal._host.leader import Job, Leader
from openlakes_portal._store.database import Database


async def stand(url: str, ticks: Path, every: float) -> None:
    """For ever."""

    async def job() -> None:
        with ticks.open("a") as file:
            file.write(f"{os.getpid()} {time.monotonic():.3f}\n")
        await asyncio.sleep(every / 5)

    Leader(Database(url), [Job("count", every, job)]).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(stand(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))

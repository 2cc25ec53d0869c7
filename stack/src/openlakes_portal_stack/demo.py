"""The demo's data, seeded before the portal says it is ready (entry-point group `openlakes_portal.demo`).

`seed` is idempotent and goes on after an interruption. It answers with a *settings overlay*: what the plugins must
know to find the data, ranking below the file and the environment.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from openlakes_portal_stack.overlay import Overlay, overlay

FOLDER = "lakehouse"


class DemoDataFailed(RuntimeError):
    """The data could not be written; the message is the reason, in words."""


async def seed(data_dir: Path, progress: Callable[[str], None]) -> Overlay:
    """Fill `data_dir/lakehouse` (seconds the first time, about one later) and say where it is.

    Raises `DemoDataFailed`. Cancelling it ends the process that writes.
    """
    folder = await asyncio.to_thread(_folder, data_dir)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "openlakes_portal_stack.lakehouse", str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await _follow(process, progress)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return overlay(folder)


def _folder(data_dir: Path) -> Path:
    folder = data_dir.resolve() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _follow(process: asyncio.subprocess.Process, progress: Callable[[str], None]) -> None:
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    try:
        async for line in process.stdout:
            progress(line.decode().rstrip())
        status = await process.wait()
        if status != 0:
            lines = (await complaints).decode(errors="replace").strip().splitlines()
            reason = lines[-1] if lines else f"it ended with status {status}"
            raise DemoDataFailed(f"The demo's data could not be written: {reason}")
    finally:
        complaints.cancel()

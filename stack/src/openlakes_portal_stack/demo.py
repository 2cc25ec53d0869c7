"""The demo's data, seeded before the portal says it is ready (entry-point group `openlakes_portal.demo`).

`seed` is idempotent and goes on after an interruption. It answers with a *settings overlay*: what the plugins must
know to find the data, ranking below the file and the environment.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openlakes_portal_stack.overlay import Overlay, overlay

FOLDER = "lakehouse"
STACK = "stack"
LIFESPAN_DEADLINE = 38.0
"""Seconds that the portal gives the stack to end, after those that running requests get: within a minute in all."""


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


def plan(data_dir: Path, address: str, public_url: str, progress: Callable[[str], None]) -> dict[str, Any]:
    """Choose the components that can be had here and their ports (a moment; nothing is installed yet), and say what
    the portal must know of them: it brings them up itself, behind the first page. Raises `StackError`."""
    from openlakes_portal_stack.components import all_components
    from openlakes_portal_stack.runner.stack import Stack, is_installed, merged

    stack = Stack(data_dir.resolve() / STACK, all_components())
    wanted = []
    for id, component in stack.known.items():
        if component.in_demo and (component.checked_by is None or is_installed(component.checked_by)):
            if reason := component.unavailable():
                progress(f"{component.title} is left out: {reason}")
            else:
                wanted.append(id)
    stack.plan(wanted, portal=address, portal_issuer=public_url)
    beside = {"limits": {"lifespan_deadline": LIFESPAN_DEADLINE}, "plugins": {"stack": {"raise_with_portal": True}}}
    return merged(stack.settings(), beside)


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

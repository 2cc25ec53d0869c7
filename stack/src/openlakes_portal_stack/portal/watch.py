"""What the portal knows of the stack: read each second from its files and its supervisor, in a worker thread.

What is asked on the event loop is answered from memory.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from openlakes_portal.spi import Context, Deployment, HealthReport
from openlakes_portal_stack.portal.settings import Settings

if TYPE_CHECKING:  # psutil and the supervisor's client are no business of the portal's start
    from openlakes_portal_stack.runner.stack import ComponentStatus, Stack

LOOK_EVERY = 1.0
END_WITHIN = 12
FAILED = {"failed": "could not be started", "crashed": "has ended", "stopped": "was stopped"}
ON_ITS_WAY = {
    "waiting": "Waiting",
    "installing": "Installing",
    "preparing": "Preparing",
    "starting": "Starting",
    "finishing": "Started",
}


class Watch(Deployment):
    """The stack in `settings.folder`, as it was a second ago."""

    def __init__(self, context: Context[Settings]) -> None:
        self._context = context
        self._states: dict[str, ComponentStatus] = {}
        self._raising: asyncio.subprocess.Process | None = None

    def report(self, address: str) -> HealthReport | None:
        door = urlsplit(address).netloc
        for id, component in self._context.settings.components.items():
            if door in component.addresses:
                found = self.health(id)
                return None if found.state == "healthy" else found
        return None

    def health(self, id: str) -> HealthReport:
        """A component's health as the stack sees it."""
        status = self._states.get(id)
        is_raised = self._raising is not None and self._raising.returncode is None
        if status is None or (status.state == "stopped" and is_raised):
            return HealthReport.starting("Waiting for its turn.")
        text = f": {status.text}" if status.text else ""
        if status.state in ON_ITS_WAY:
            return HealthReport.starting(f"{ON_ITS_WAY[status.state]}{text}.")
        if status.state in ("ready", "external"):
            return HealthReport.healthy(version=status.version)
        if status.state == "left-out":
            return HealthReport.missing(f"Left out{text}")
        # What it printed is for those who may see logs: everybody sees health.
        return HealthReport.down(
            f"{status.title} {FAILED.get(status.state, 'does not run')}.",
            f"Operate > Stack says why, and `openlakes stack --folder {self._context.settings.folder} status`; "
            "`up` starts it again.",
        )

    def stack(self) -> "Stack":
        """The stack itself, for work in a thread. Raises `RuntimeError` where this portal keeps none."""
        from openlakes_portal_stack.components import all_components
        from openlakes_portal_stack.runner.stack import Stack

        folder = self._context.settings.folder
        if folder is None:
            raise RuntimeError("plugins.stack.folder is not set")
        return Stack(folder, all_components())

    @asynccontextmanager
    async def life(self) -> AsyncIterator[None]:
        """Look at the stack as long as the portal runs, and where the settings say so bring it up and down."""
        if self._context.settings.raise_with_portal:
            self._raising = await self._raise()
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)
            if self._raising is not None:
                await self._end(self._raising)

    async def _look(self) -> None:
        while True:
            try:
                found: Sequence[ComponentStatus] = await self._context.in_thread(self._read)
                self._states = {one.id: one for one in found}
            except Exception as error:
                self._context.log.warning("the stack cannot be looked at", error=repr(error))
            await asyncio.sleep(LOOK_EVERY)

    def _read(self) -> "list[ComponentStatus]":
        return self.stack().status(with_memory=False)

    async def _raise(self) -> asyncio.subprocess.Process:
        """A process of its own: installing and waiting take minutes, and what it imports stays out of the portal."""
        folder = str(self._context.settings.folder)
        words = ["-m", "openlakes_portal_stack", "--folder", folder, "up", "--planned", "--owner", str(os.getpid())]
        log = await self._context.in_thread(_open_log, self._context.data_dir / "up.log")
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable, *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        finally:
            os.close(log)

    async def _end(self, raising: asyncio.subprocess.Process) -> None:
        if raising.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                raising.terminate()  # it ends what it started
        try:
            async with asyncio.timeout(END_WITHIN):
                await raising.wait()
        except TimeoutError:
            raising.kill()
        try:
            await asyncio.to_thread(lambda: self.stack().down())
        except RuntimeError as error:  # another command is at work on it: the guardian ends it once that is done
            self._context.log.warning("the stack is not ended here", reason=str(error))


def _open_log(file: Path) -> int:
    return os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)

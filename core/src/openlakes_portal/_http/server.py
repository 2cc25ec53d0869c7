"""Running the workers: granian, with bounded reading of headers, a graceful stop, and a new worker for a dead one.

A worker that dies (a plugin that calls `os._exit`) is replaced within a second; the journal counts who was running, so
that a plugin which does it three times is quarantined by then. Ten deaths in a minute end the whole.
"""

import contextlib
import os
import signal
import time
from types import FrameType

from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.mp import MPServer

from openlakes_portal._settings.model import Settings

MOST_DEATHS = 10
IN_SECONDS = 60.0


class _Supervisor:
    """Starts granian again when it gave up because a worker died, until somebody stops us or it dies too often."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopped = False
        self._server: MPServer | None = None

    def run(self) -> int:
        """Serve until stopped; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        deaths: list[float] = []
        while not self._stopped:
            self._server = _server(self._settings)
            self._server.on_startup(self._hear_signals)
            with contextlib.suppress(SystemExit):
                self._server.serve()
            if self._stopped:
                break
            moment = time.monotonic()
            deaths = [d for d in deaths if moment - d < IN_SECONDS] + [moment]
            if len(deaths) >= MOST_DEATHS:
                return 1
            time.sleep(0.2)
        return 0

    def _hear_signals(self) -> None:
        """granian has set its own handlers by now: ours go in front of them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        self._stopped = True
        if self._server is not None:
            self._server.interrupt_signal = True
            self._server.main_loop_interrupt.set()


def _server(settings: Settings) -> MPServer:
    limits, server = settings.limits, settings.server
    return MPServer(
        target="openlakes_portal._http.app:from_environment",
        factory=True,
        address=server.host,
        port=server.port,
        interface=Interfaces.ASGI,
        workers=server.workers,
        loop=Loops.auto,
        http=HTTPModes.http1,
        websockets=True,
        backlog=1024,
        backpressure=limits.connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=int(limits.header_timeout * 1000),
            max_buffer_size=max(8192 + 4096, limits.header_bytes * 2),
        ),
        log_enabled=False,
        log_level=LogLevels.critical,
        # First the running requests end, then what the plugins started.
        workers_kill_timeout=max(1, int(server.drain_timeout + limits.lifespan_deadline)),
        respawn_failed_workers=False,
    )


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit status."""
    os.umask(0o077)
    return _Supervisor(settings).run()

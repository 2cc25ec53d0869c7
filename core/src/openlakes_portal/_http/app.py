"""The ASGI application of one worker: starts the portal in the lifespan, then hands every request to the dispatcher."""

import asyncio
import contextlib
import gc
import json
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from openlakes_portal._gateway.gateway import Gateway
from openlakes_portal._host.portal import BootFailed, Portal
from openlakes_portal._http.dispatcher import Dispatcher
from openlakes_portal._http.documents import Documents
from openlakes_portal._http.logs import configure
from openlakes_portal._http.shared_rates import SharedRates
from openlakes_portal._settings.load import LoadedSettings, load
from openlakes_portal._store.keyring import KeyringError
from openlakes_portal.spi import PortalError

BOOT = "OPENLAKES_BOOT"
"""Environment variable by which `openlakes` hands the demo's overlay and the command line's options to workers."""

log = structlog.get_logger("app")


class Application:
    """ASGI 3."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal
        self._dispatcher: ASGIApp | None = None
        self._gateway: Gateway | None = None
        self._rates: SharedRates | None = None
        self._end_tracing: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif self._dispatcher is None:
            await self.start()
            await self(scope, receive, send)
        else:
            await self._dispatcher(scope, receive, send)

    async def start(self) -> None:
        """Start the portal and open the door."""
        await self.portal.start()
        wrap, self._end_tracing = _tracing(self.portal.loaded)
        self._gateway = Gateway(self.portal)
        documents = Documents(self.portal, self._gateway)
        dispatcher = Dispatcher(self.portal, documents.app, self._gateway)
        limits = {"session": dispatcher.by_session, "address": dispatcher.by_address, **documents.rates}
        self._rates = SharedRates(self.portal.database, limits)
        self._rates.start()
        self._dispatcher = wrap(dispatcher)
        # What is loaded by now stays for good: the collector need not look at it again with every full round.
        gc.collect()
        gc.freeze()

    async def stop(self) -> None:
        """Close the door's streams and stop the portal."""
        if self._rates is not None:
            await self._rates.stop()
        if self._gateway is not None:
            self._gateway.close()
        await self.portal.stop()
        self._end_tracing()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except (PortalError, BootFailed, KeyringError) as error:
            words = error.detail if isinstance(error, PortalError) else str(error)
            log.error("start failed", reason=words, remedy=getattr(error, "remedy", None))
            await send({"type": "lifespan.startup.failed", "message": words})
            return
        self._hear_stop()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    def _hear_stop(self) -> None:
        """Open streams would hold a graceful stop for ever: they are told as soon as the signal comes."""
        loop, stopping = asyncio.get_running_loop(), self.portal.stopping
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError):  # not in the main thread: somebody else stops us
                before = signal.getsignal(number)

                def heard(
                    signum: int,
                    frame: FrameType | None,
                    before: Any = before,
                    loop: Any = loop,
                    stopping: Any = stopping,
                ) -> None:
                    loop.call_soon_threadsafe(stopping.set)
                    if callable(before):
                        before(signum, frame)

                signal.signal(number, heard)


def create_app(loaded: LoadedSettings) -> Application:
    """The application for these settings."""
    return Application(Portal(loaded))


def from_environment() -> Application:
    """The application of a worker process, as `openlakes serve` prepared it."""
    boot = json.loads(os.environ.get(BOOT, "{}"))
    loaded = load(overlay=boot.get("overlay"), overrides=boot.get("overrides"))
    configure(loaded.settings.server.log_format, loaded.settings.server.log_level)
    return create_app(loaded)


def _tracing(loaded: LoadedSettings) -> tuple[Callable[[ASGIApp], ASGIApp], Callable[[], None]]:
    """What wraps the application in spans, and what ends that; nothing where no endpoint is set."""
    endpoint = loaded.settings.telemetry.otlp_endpoint
    if endpoint is not None:
        try:
            from openlakes_portal._http.tracing import start

            return start(endpoint)
        except ImportError:
            remedy = "pip install 'openlakes-portal[otel]'"
            log.error("traces are not sent", reason="the extra 'otel' is not installed", remedy=remedy)
    return (lambda app: app), (lambda: None)

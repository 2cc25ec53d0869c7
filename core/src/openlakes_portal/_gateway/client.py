"""The browser's side of an exchange: its body as it comes, and whether it is still there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from openlakes_portal._gateway.request_headers import Header
from openlakes_portal._http.problems import RequestTimeout
from openlakes_portal._http.request import HttpRequest
from openlakes_portal.spi import BadRequest

PAUSE = 60.0
"""Seconds that a client may pause in the middle of its body."""
LOOK_AFTER = 0.5
"""Seconds after which an answer that goes on is worth a task that watches whether anybody is still there."""


class ClientGone(Exception):
    """The client went away, or its connection is cut because nothing more may be sent on it."""


class Client:
    """One request's client."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self._receive = request._receive
        self._reading = False
        self._gone = False
        self._watched: asyncio.Task[object] | None = None
        self._cancelled = False

    def framing(self) -> tuple[list[Header], bool]:
        """How the body is framed towards the app, and whether there is one. Two ways to read it are refused."""
        lengths = [v.strip() for n, v in self._request.scope["headers"] if n == b"content-length"]
        codings = [v.strip().lower() for n, v in self._request.scope["headers"] if n == b"transfer-encoding"]
        if len(lengths) > 1 or (lengths and codings) or any(not length.isdigit() for length in lengths):
            raise BadRequest("The length of the body can be read in two ways.")
        if codings and codings != [b"chunked"]:
            raise BadRequest("A transfer coding other than chunked is not read.")
        if codings:
            return [(b"transfer-encoding", b"chunked")], True
        if lengths and int(lengths[0]) > 0:
            return [(b"content-length", lengths[0])], True
        if lengths or self._request.scope["method"] in ("POST", "PUT", "PATCH"):
            return [(b"content-length", b"0")], False
        return [], False

    async def body(self) -> AsyncIterator[bytes]:
        """The request's body, part by part. Raises `ClientGone`, and `RequestTimeout` for a client that pauses."""
        self._reading = True
        while True:
            try:
                async with asyncio.timeout(PAUSE):
                    message = await self._receive()
            except TimeoutError:
                raise RequestTimeout(f"No more of the body came for {PAUSE:.0f} s.") from None
            if message["type"] == "http.disconnect":
                self._end()
                raise ClientGone
            part = message.get("body", b"")
            if not message.get("more_body"):
                self._reading = False
                if part:
                    yield part
                return
            if part:
                yield part

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Within the block: a client that goes away ends it, even while the app says nothing."""
        self._watched = asyncio.current_task()
        assert self._watched is not None
        watch: asyncio.Task[None] | None = None
        timer: asyncio.TimerHandle
        loop = asyncio.get_running_loop()

        def begin() -> None:
            nonlocal watch, timer
            if self._reading:  # the body is still coming: who reads it sees the client go
                timer = loop.call_later(LOOK_AFTER, begin)
            else:
                watch = asyncio.create_task(self._until_gone())

        timer = loop.call_later(LOOK_AFTER, begin)
        try:
            yield
        except BaseException as error:
            if not self._gone:
                raise
            await self._take_back(isinstance(error, asyncio.CancelledError))
            raise ClientGone from None
        finally:
            self._watched = None
            timer.cancel()
            if watch is not None:
                watch.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await watch
        await self._take_back(False)

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._end()

    def _end(self) -> None:
        self._gone = True
        if self._watched is not None and not self._cancelled:
            self._cancelled = True
            self._watched.cancel()

    async def _take_back(self, arrived: bool) -> None:
        """What was cancelled here is not cancelled for who comes after: not by this, that is."""
        if self._cancelled and (task := asyncio.current_task()) is not None:
            self._cancelled = False
            if not arrived:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)
            task.uncancel()

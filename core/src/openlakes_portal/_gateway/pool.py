"""Connections to one app: made to an address that was judged, kept while they are good, at most so many at once."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openlakes_portal._gateway.connection import Broken, UpstreamConnection
from openlakes_portal._gateway.request_headers import Header
from openlakes_portal._gateway.targets import Resolve, Target, addresses
from openlakes_portal._host.upstreams import Breaker
from openlakes_portal.spi import Unavailable, UpstreamError, UpstreamUnavailable

SAFE_TO_REPEAT = frozenset({"GET", "HEAD", "OPTIONS"})
"""Sent again, once, where a kept connection turns out to be gone; anything else the app may have acted upon."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds that each phase of an exchange may take."""

    connect: float = 5.0
    send: float = 30.0
    """Of one part of the body, into a socket that the app does not read."""
    head: float = 60.0
    """From the last byte of the request to the head of the answer."""
    idle: float = 60.0
    """Between two parts of an answer, other than a stream of events."""
    acquire: float = 5.0
    """Until one of `limit` connections is free."""
    keep: float = 30.0
    """That a connection is kept without use: shorter than servers' own, so that they seldom end it first."""


@dataclass(frozen=True)
class Received:
    """An answer that has begun."""

    status: int
    headers: list[Header]
    parts: AsyncIterator[bytes]
    """Its body. The first part is empty where none is there yet, so that the head need not wait for it."""
    is_over: Callable[[], bool]
    """Whether the last part has been read."""

    @property
    def is_event_stream(self) -> bool:
        """Whether it is quiet by nature, and has no end (HTML, 9.2: Server-sent events)."""
        return _is_event_stream(self.headers)


class Pool:
    """Connections to one target. Belongs to one event loop."""

    def __init__(
        self,
        name: str,
        target: Target,
        *,
        limit: int = 512,
        timeouts: Timeouts | None = None,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.target = target
        self.timeouts = timeouts or Timeouts()
        self.tls = (tls or ssl.create_default_context()) if target.tls else None
        self._resolve = resolve
        self._clock = clock
        self._free: list[tuple[float, UpstreamConnection]] = []
        self._room = asyncio.Semaphore(limit)
        self.breaker = Breaker(clock)

    @asynccontextmanager
    async def exchange(
        self, method: str, path: bytes, headers: Sequence[Header], body: AsyncIterator[bytes] | None
    ) -> AsyncIterator[Received]:
        """One request and its answer, whose body is to be read within the block.

        Raises `UpstreamUnavailable` (no answer, or none in time), `UpstreamError` (what is none), and `Unavailable`
        where all connections are taken.
        """
        self.breaker.check(self.name)
        await self._take_place()
        try:
            try:
                connection, sending, status, received = await self._answered(method, path, headers, body)
                self.breaker.succeeded()
            except UpstreamUnavailable:
                self.breaker.failed()
                raise
            try:
                parts = self._paced(connection, received)
                yield Received(status, received, parts, lambda: connection.is_over)
            finally:
                if sending is not None and not await _ended(sending):
                    connection.close()  # in the middle of a request's body: nothing else can be said on it
                if connection.release():
                    self._free.append((self._clock(), connection))
        finally:
            self._room.release()

    async def _answered(
        self, method: str, path: bytes, headers: Sequence[Header], body: AsyncIterator[bytes] | None
    ) -> "tuple[UpstreamConnection, asyncio.Task[bool] | None, int, list[Header]]":
        """A connection with the head of its answer, and what still sends the request's body. A kept connection that
        turns out to be gone is replaced, where that is safe."""
        while True:
            kept = self._kept()
            connection = kept or await self.connect()
            connection.begin(method, path, headers)
            sending = None
            if body is not None:
                chunked = (b"transfer-encoding", b"chunked") in headers
                sending = asyncio.create_task(self._send(connection, body, chunked))
            try:
                status, received = await self._head(connection, sending)
            except Broken as broken:
                connection.close()
                if kept is not None and not broken.answered and sending is None and method in SAFE_TO_REPEAT:
                    continue
                raise UpstreamUnavailable(f"{self.name} ended the connection without an answer.") from None
            except BaseException:
                connection.close()
                if sending is not None:
                    await _ended(sending)
                raise
            return connection, sending, status, received

    async def _head(
        self, connection: UpstreamConnection, sending: asyncio.Task[bool] | None
    ) -> tuple[int, list[Header]]:
        """The answer's head, which may come before the request's body is sent; its time counts from then on."""
        if sending is None:
            return await self._in_time(connection.head())
        head = asyncio.create_task(connection.head())
        try:
            await asyncio.wait({head, sending}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done() and not head.done():
                sending.result()
            return await self._in_time(head)
        finally:
            head.cancel()

    async def _in_time(self, head: Awaitable[tuple[int, list[Header]]]) -> tuple[int, list[Header]]:
        try:
            async with asyncio.timeout(self.timeouts.head):
                return await head
        except TimeoutError:
            raise UpstreamUnavailable(f"{self.name} did not answer within {self.timeouts.head:g} s.") from None

    async def _send(self, connection: UpstreamConnection, body: AsyncIterator[bytes], chunked: bool) -> bool:
        """The request's body, until the app has had it or has answered all it will; whether it has had it."""
        async for part in body:
            if not part:
                continue
            data = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
            try:
                async with asyncio.timeout(self.timeouts.send):
                    if not await connection.send(data):
                        return False
            except TimeoutError:
                raise UpstreamUnavailable(f"{self.name} does not take what is sent to it.") from None
        return not chunked or await connection.send(b"0\r\n\r\n")

    async def _paced(self, connection: UpstreamConnection, headers: list[Header]) -> AsyncIterator[bytes]:
        """The body; a pause of more than `idle` ends it, except in a stream of events, which is quiet by nature."""
        parts = connection.body()
        if not connection.has_news:
            yield b""
        while True:
            if connection.has_news:  # a timer costs more than what is there already
                part = await anext(parts, None)
            else:
                part = await self._next(parts, None if _is_event_stream(headers) else self.timeouts.idle)
            if part is None:
                return
            yield part

    async def _next(self, parts: AsyncIterator[bytes], idle: float | None) -> bytes | None:
        try:
            async with asyncio.timeout(idle):
                return await anext(parts, None)
        except TimeoutError:
            raise UpstreamUnavailable(f"{self.name} stopped in the middle of its answer.") from None

    async def _take_place(self) -> None:
        """One of the connections that may be open at once; `_room` gets it back."""
        if not self._room.locked():
            await self._room.acquire()  # at once
            return
        try:
            async with asyncio.timeout(self.timeouts.acquire):
                await self._room.acquire()
        except TimeoutError:
            raise Unavailable(f"All connections to {self.name} are in use.", remedy="Try again in a moment.") from None

    def _kept(self) -> UpstreamConnection | None:
        """The connection that was used last, so that the rest of them grows old and is let go."""
        now = self._clock()
        while self._free and now - self._free[0][0] > self.timeouts.keep:
            self._free.pop(0)[1].close()
        while self._free:
            _, connection = self._free.pop()
            if connection.is_usable and connection.is_quiet:
                return connection
            connection.close()
        return None

    async def connect(self) -> UpstreamConnection:
        """A new connection, to the first judged address that takes it. Raises `UpstreamUnavailable`."""
        loop, target = asyncio.get_running_loop(), self.target
        last: Exception | None = None
        for address in await addresses(target, self._resolve):
            try:
                async with asyncio.timeout(self.timeouts.connect):
                    _, connection = await loop.create_connection(
                        UpstreamConnection,
                        address,
                        target.port,
                        ssl=self.tls,
                        server_hostname=target.host if self.tls else None,
                    )
                    return connection
            except ssl.SSLError as error:
                raise UpstreamError(
                    f"{self.name} has no certificate that is trusted for {target.host}: {error.reason}.",
                    remedy="Name its certificate authority in the settings.",
                ) from None
            except (OSError, TimeoutError) as error:
                last = error
        words = "does not answer" if isinstance(last, TimeoutError) else "refuses connections"
        raise UpstreamUnavailable(f"{self.name} {words} at {target.host}:{target.port}.")

    def close(self) -> None:
        """End what is kept."""
        for _, connection in self._free:
            connection.close()
        self._free.clear()


def _is_event_stream(headers: list[Header]) -> bool:
    return any(n == b"content-type" and v.strip().lower().startswith(b"text/event-stream") for n, v in headers)


async def _ended(task: asyncio.Task[bool]) -> bool:
    """A task that is of no use any more, with whatever it raises: the answer has told already how it went. Whether all
    was sent."""
    task.cancel()
    with contextlib.suppress(Exception, asyncio.CancelledError):
        return await task
    return False

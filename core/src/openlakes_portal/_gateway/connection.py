"""One HTTP/1.1 connection to an app: a request out, an answer in, both streamed, with bounded memory.

httptools parses (llhttp, which Node.js uses, in its strict mode): two lengths, a length beside chunks, bare line feeds,
folded or malformed header lines end the connection. What the parser has no word for is judged here: answers that nobody
asked for, interim answers without end, heads without bound. An answer that ended early is an error, never an end.
"""

import asyncio
import select
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import cast

import httptools

from openlakes_portal._gateway.request_headers import Header
from openlakes_portal.spi import UpstreamError, UpstreamUnavailable

HIGH_WATER = 256 * 1024
"""Bytes of an answer that wait for a slow reader before the app is not read from any more."""
LOW_WATER = 64 * 1024
MAX_HEAD = 64 * 1024
MAX_SILENT = 64 * 1024
"""Bytes that bring no byte of a body: heads, trailers, extensions of chunks. The parser would gather them for ever."""
MAX_INTERIM = 10
BODILESS = frozenset({204, 304})


class Broken(Exception):
    """The connection ended before an answer's head. `answered`: whether any byte of one had come."""

    def __init__(self, answered: bool) -> None:
        self.answered = answered


class UpstreamConnection(asyncio.Protocol):
    """The client's side of one connection. One exchange at a time; the pool sees to it."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._look: select.poll | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = asyncio.Event()
        self._news = asyncio.Event()
        self._reset("GET")
        self._idle = True

    def _reset(self, method: str) -> None:
        self._idle = False
        self._method = method
        self._head: tuple[int, list[Header]] | None = None
        self._headers: list[Header] = []
        self._head_bytes = 0
        self._interim = 0
        self._in_interim = False
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._taken = 0
        self._silent = 0
        self._reading = True
        self._complete = False
        self._reusable = False
        self._by_close = False
        self._error: UpstreamError | None = None
        self._answered = False
        self._news.clear()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are registered nowhere as such

    def data_received(self, data: bytes) -> None:
        if self._idle or self._complete:
            self._fail("The app sent what nobody had asked for.")
            return
        self._answered = True
        taken = self._taken
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail("The app changed the protocol, unasked.")
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._fail(str(cause) if isinstance(cause, UpstreamError) else f"The app's answer is not HTTP: {error}.")
        self._silent = 0 if self._taken > taken else self._silent + len(data)
        if self._silent > MAX_SILENT and not self._complete:
            self._fail("The app sends head without end.")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._head is not None and self._by_close and exc is None and self._error is None:
            self._complete = True
        self._closed.set()
        self._writable.set()
        self._news.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._complete:
            raise UpstreamError("The app sent two answers to one request.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is not None:
            return  # trailers: nobody asked for them, and what they say would come too late to be judged
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD:
            raise UpstreamError("The head of the app's answer is too large.")
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not 100 <= status <= 599:  # the server in front of us ends the process at what is no status (RFC 9110, 15)
            raise UpstreamError("The app's answer has a status that is none.")
        self._in_interim = 100 <= status < 200
        if self._in_interim:
            self._interim += 1
            if self._interim > MAX_INTERIM or status == 101:
                raise UpstreamError("The app answers and does not come to the point.")
            self._headers = []
            return
        names = {name for name, _ in self._headers}
        codings = [value.strip().lower() for name, value in self._headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or self._parser.get_http_version() != "1.1"):
            raise UpstreamError("The app's answer has a transfer coding other than chunked.")
        framed = b"content-length" in names or b"transfer-encoding" in names
        bodiless = self._method == "HEAD" or status in BODILESS
        self._by_close = not framed and not bodiless
        self._reusable = self._parser.should_keep_alive() and not self._by_close and self._method != "HEAD"
        self._head = (status, self._headers)
        if bodiless:
            self._complete = True
        self._news.set()

    def on_body(self, body: bytes) -> None:
        if self._method == "HEAD":
            return
        self._chunks.append(body)
        self._taken += len(body)
        self._waiting += len(body)
        if self._waiting > HIGH_WATER and self._reading and self._transport is not None:
            self._transport.pause_reading()
            self._reading = False
        self._news.set()

    def on_message_complete(self) -> None:
        if self._in_interim:
            return
        self._complete = True
        self._news.set()

    # What the gateway calls.

    @property
    def is_usable(self) -> bool:
        """Whether another request may be sent on it."""
        return not self._closed.is_set() and self._transport is not None and not self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come that the loop has not read yet: an end, or an answer to a question not yet asked,
        which would be taken for the answer to the next one."""
        if self._look is None:
            assert self._transport is not None
            self._look = select.poll()
            self._look.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._look.poll(0)

    @property
    def is_reusable(self) -> bool:
        """Whether the exchange ended so that both sides know where the next one begins."""
        return self._complete and self._reusable and not self._chunks and self._error is None and self.is_usable

    @property
    def has_news(self) -> bool:
        """Whether `body` has something to say without waiting: a part, the end, or what went wrong."""
        return bool(self._chunks) or self._complete or self._error is not None or self._closed.is_set()

    @property
    def is_over(self) -> bool:
        """Whether all of the answer has been read."""
        return self._complete and not self._chunks

    def begin(self, method: str, target: bytes, headers: Sequence[Header]) -> None:
        """Send a request's head; `target` as it was authorised, byte for byte."""
        assert self._transport is not None
        self._reset(method)
        self._parser = httptools.HttpResponseParser(self)
        head = [method.encode() + b" " + target + b" HTTP/1.1\r\n"]
        head += [name + b": " + value + b"\r\n" for name, value in headers]
        self._transport.write(b"".join((*head, b"\r\n")))

    async def send(self, data: bytes) -> bool:
        """Send a part of the body; False where the app has answered to the end, or gone: it wants no more."""
        if self._complete or not self.is_usable:
            return False
        assert self._transport is not None
        self._transport.write(data)
        await self._writable.wait()
        return not self._complete and self.is_usable

    async def head(self) -> tuple[int, list[Header]]:
        """Status and headers. Raises `Broken`, or `UpstreamError` for what is no answer."""
        while self._head is None:
            if self._error is not None:
                raise self._error
            if self._closed.is_set():
                raise Broken(self._answered)
            self._news.clear()
            await self._news.wait()
        if self._error is not None and not self._complete:
            raise self._error
        return self._head

    async def body(self) -> AsyncIterator[bytes]:
        """The body, part by part. Raises `UpstreamUnavailable` where it ends before it should."""
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._waiting -= len(chunk)
                if self._waiting < LOW_WATER and not self._reading and self._transport is not None:
                    self._reading = True
                    self._transport.resume_reading()
                yield chunk
            if self._complete:
                return  # what came after its end is the connection's trouble: it is closed, and the answer is whole
            if self._error is not None:
                raise self._error
            if self._closed.is_set():
                raise UpstreamUnavailable("The app's answer ended before its end.")
            self._news.clear()
            await self._news.wait()

    def release(self) -> bool:
        """The exchange is over; whether the connection can serve another one. It is closed where not."""
        if self.is_reusable:
            self._idle = True
            return True
        self.close()
        return False

    def close(self) -> None:
        """End it at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, words: str) -> None:
        self._error = self._error or UpstreamError(words)
        self._news.set()
        self.close()

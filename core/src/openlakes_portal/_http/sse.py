"""Server-Sent Events: encoding, keep-alives, and the ends of a stream (source, client, session, server).

One keeper looks after all streams of a process, in slices: it is what asks whether a session still holds and what
breaks the silence. A stream itself costs one task that waits for its source, and nothing else for each event.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog
from pydantic_core import to_json

from openlakes_portal.spi import Event

KEEP_ALIVE = 15.0
CHECK_SESSION = 2.0
SLICE = 100
"""Streams that are looked after before others get their turn: about a millisecond."""
FAREWELL = 1.0
"""Seconds that a client gets to take the last word."""

OPEN = b": open\n\nretry: 2000\n\n"
STILL_HERE = b": still here\n\n"
SIGNED_OUT = b"event: signed-out\ndata: {}\n\n"
BYE = b"event: bye\ndata: {}\n\n"

Send = Callable[[Any], Awaitable[None]]
log = structlog.get_logger("http")


def encode(event: Event) -> bytes:
    """An event on the wire. JSON has no raw line breaks, so the data is one line."""
    data = to_json(event.data)
    if not event.event and not event.id:
        return b"data: " + data + b"\n\n"
    head = b""
    if event.event:
        head += b"event: " + _line(event.event) + b"\n"
    if event.id:
        head += b"id: " + _line(event.id) + b"\n"
    return head + b"data: " + data + b"\n\n"


def _line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").encode()


@dataclass(frozen=True)
class Holder:
    """Whose stream it is: `still_allowed` is asked once for all streams with the same `key`."""

    key: str
    still_allowed: Callable[[], Awaitable[bool]]


@dataclass(eq=False, slots=True)
class _Stream:
    """A stream that is open: its task waits for the source; `farewell` is said to the client at its end."""

    task: asyncio.Task[Any]
    send: Send
    holder: Holder | None
    spoke: float
    sending: bool = False
    over: bool = False
    farewell: bytes = b""

    def finish(self, farewell: bytes = b"") -> None:
        """End it from outside. The second call changes nothing."""
        if not self.over:
            self.over, self.farewell = True, farewell
            self.task.cancel()

    async def say(self, data: bytes) -> None:
        """Send, and remember when."""
        self.sending = True
        await self.send({"type": "http.response.body", "body": data, "more_body": True})
        self.sending = False
        self.spoke = monotonic()


@dataclass(eq=False)
class OpenStreams:
    """Every event stream of this process; `stopping` ends them all."""

    stopping: asyncio.Event
    _open: set[_Stream] = field(default_factory=set)
    _keeper: asyncio.Task[None] | None = None
    _speaking: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(
        self, source: AsyncIterator[Event], send: Send, holder: Holder | None, gone: Callable[[], Awaitable[object]]
    ) -> None:
        """Send events as they come, and comments when it is quiet, until the source, the client (`gone` returns), the
        holder's session or the server ends it. The source is closed in each case."""
        task = asyncio.current_task()
        assert task is not None
        stream = _Stream(task, send, holder, monotonic())
        watch = asyncio.create_task(_when(gone, stream.finish))
        self._open.add(stream)
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep())
        try:
            await stream.say(OPEN)
            async for event in source:  # the hot loop: what `say` does, without its call
                stream.sending = True
                await send({"type": "http.response.body", "body": encode(event), "more_body": True})
                stream.sending = False
                stream.spoke = monotonic()
        except asyncio.CancelledError:
            if not stream.over:
                raise
            task.uncancel()
        finally:
            stream.over = True
            self._open.discard(stream)
            watch.cancel()
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await send({"type": "http.response.body", "body": stream.farewell})

    async def _keep(self) -> None:
        """Look after the streams until there is none."""
        while self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SESSION):
                    await self.stopping.wait()
            if self.stopping.is_set():
                for stream in list(self._open):
                    stream.finish(BYE)
                await asyncio.sleep(0.01)
                continue
            await self._ask_holders()
            self._break_silence()

    async def _ask_holders(self) -> None:
        by_holder: dict[str, list[_Stream]] = {}
        for stream in self._open:
            if stream.holder is not None:
                by_holder.setdefault(stream.holder.key, []).append(stream)
        held = list(by_holder.values())
        for start in range(0, len(held), SLICE):
            part = held[start : start + SLICE]
            answers = await asyncio.gather(*(allows(streams[0].holder) for streams in part))
            for streams, allowed in zip(part, answers, strict=True):
                if not allowed:
                    for stream in streams:
                        stream.finish(SIGNED_OUT)

    def _break_silence(self) -> None:
        """A client that does not read must not keep the keeper: each comment is sent by a task of its own."""
        moment = monotonic()
        for stream in self._open:
            if not stream.sending and not stream.over and moment - stream.spoke >= KEEP_ALIVE:
                speaking = asyncio.create_task(stream.say(STILL_HERE))
                self._speaking.add(speaking)
                speaking.add_done_callback(self._speaking.discard)


async def allows(holder: Holder | None) -> bool:
    """What cannot be asked is not allowed: the client connects again, and is asked who it is."""
    if holder is None:
        return True
    try:
        return await holder.still_allowed()
    except Exception as error:
        log.warning("a stream's session could not be looked up", error=repr(error))
        return False


async def until_refused(holder: Holder | None) -> None:
    """Returns once the holder of a stream may not have it any more; never where nobody holds it."""
    while True:
        await asyncio.sleep(CHECK_SESSION)
        if not await allows(holder):
            return


async def _when(happened: Callable[[], Awaitable[object]], then: Callable[[], None]) -> None:
    await happened()
    then()

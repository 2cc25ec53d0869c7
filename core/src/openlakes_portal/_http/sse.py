"""Server-Sent Events: encoding, keep-alives, and the ends of a stream (client, session, server, deadline)."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from pydantic_core import to_json

from openlakes_portal.spi import Event

KEEP_ALIVE = 15.0
CHECK_SESSION = 2.0


def encode(event: Event) -> bytes:
    """An event on the wire. JSON has no raw line breaks, so the data is one line."""
    parts = []
    if event.event:
        parts.append(b"event: " + _line(event.event))
    if event.id:
        parts.append(b"id: " + _line(event.id))
    parts.append(b"data: " + to_json(event.data))
    return b"\n".join(parts) + b"\n\n"


def _line(text: str) -> bytes:
    return text.replace("\r", " ").replace("\n", " ").encode()


async def follow(
    source: AsyncIterator[Event],
    still_allowed: Callable[[], Awaitable[bool]],
    stopping: asyncio.Event,
) -> AsyncGenerator[bytes]:
    """Bytes of a stream: events as they come, a comment when it is quiet; ends with the session or the server."""
    yield b": open\n\nretry: 2000\n\n"
    iterator = source.__aiter__()
    pending: asyncio.Task[Event] | None = None
    stop = asyncio.create_task(stopping.wait())
    spoke = checked = time.monotonic()
    try:
        while True:
            if pending is None:
                pending = asyncio.ensure_future(_next(iterator))
            done, _ = await asyncio.wait({pending, stop}, timeout=CHECK_SESSION, return_when=asyncio.FIRST_COMPLETED)
            if stop in done:
                yield b"event: bye\ndata: {}\n\n"
                return
            if pending in done:
                try:
                    event = pending.result()
                except StopAsyncIteration:
                    return
                finally:
                    pending = None
                spoke = time.monotonic()
                yield encode(event)
            if time.monotonic() - checked >= CHECK_SESSION:
                checked = time.monotonic()
                if not await still_allowed():
                    yield b"event: signed-out\ndata: {}\n\n"
                    return
            if time.monotonic() - spoke >= KEEP_ALIVE:
                spoke = time.monotonic()
                yield b": still here\n\n"
    finally:
        stop.cancel()
        if pending is not None:
            pending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await pending
        close = getattr(iterator, "aclose", None)
        if close is not None:
            await close()


async def _next(iterator: AsyncIterator[Event]) -> Event:
    return await iterator.__anext__()

"""A Superset that fails in one way, over a real socket: each way is a name, what it does stands in `FAULTS`."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Fault = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(status: str, body: bytes, kind: str = "application/json", *more: str) -> bytes:
    """A whole answer, as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *more]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def says(status: str, body: object, *more: str) -> Fault:
    """Answers with JSON."""

    async def fault(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status, json.dumps(body).encode(), "application/json", *more))

    return fault


def page(status: str, *more: str) -> Fault:
    """Answers with a web page."""

    async def fault(writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status, b"<!doctype html><title>Sign in</title>", "text/html", *more))

    return fault


async def reset(writer: asyncio.StreamWriter) -> None:
    """Breaks the connection off."""
    writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answers."""
    await asyncio.Event().wait()


async def truncated(writer: asyncio.StreamWriter) -> None:
    """Announces more than it sends."""
    writer.write(answer("200 OK", b'{"result": []' + b" " * 500)[:-480])


async def drip(writer: asyncio.StreamWriter) -> None:
    """A byte now and then, without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def huge(writer: asyncio.StreamWriter) -> None:
    """More than anybody asked for."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(100):
        writer.write(b" " * 1_000_000)
        await writer.drain()


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Something that is no HTTP."""
    writer.write(b"\x00\x01\x02 SSH-2.0-nothing\r\n\r\n")


NEWER = {"errors": [{"message": "The database is asleep", "error_type": "GENERIC_DB_ENGINE_ERROR", "extra": {}}]}
FAULTS: dict[str, Fault] = {
    "reset": reset,
    "hang": hang,
    "truncated": truncated,
    "drip": drip,
    "huge": huge,
    "garbage": garbage,
    "a web page": page("200 OK"),
    "a web page of an error": page("500 Internal Server Error"),
    "a redirect to its sign-in": page("302 Found", "Location: /login/"),
    "500": says("500 Internal Server Error", NEWER),
    "503": says("503 Service Unavailable", {"message": "starting"}),
    "429": says("429 Too Many Requests", {"message": "slowly"}, "Retry-After: 7"),
    "401": says("401 Unauthorized", {"msg": "Missing Authorization Header"}),
    "422 of the token layer": says("422 Unprocessable", {"msg": "Signature verification failed"}),
    "403": says("403 Forbidden", {"message": "Forbidden"}),
    "no object": says("200 OK", []),
    "no result": says("200 OK", {"result": 3}),
    "a result of something else": says("200 OK", {"result": [{"id": "x"}], "count": 1}),
}
"""By name. `refuse` is none of them: nobody listens then."""


@asynccontextmanager
async def failing(fault: Fault) -> AsyncIterator[str]:
    """Its address, while it runs."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await fault(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # whoever asked is gone, or the test is over
        finally:
            serving.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        left = list(serving)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

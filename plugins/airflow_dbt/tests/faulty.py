"""A server that fails in one way, whatever it is asked: what stands before Airflow, and Airflow on a bad day."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
HTML = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 22\r\n\r\n<html>Sign in</html>\r\n"
Fault = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def _reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


def _answer(status: str, body: bytes, *headers: bytes) -> Fault:
    async def send(writer: asyncio.StreamWriter) -> None:
        head = [f"HTTP/1.1 {status}".encode(), b"content-type: application/json", *headers]
        writer.write(b"\r\n".join([*head, b"content-length: %d" % len(body), b"", body]))

    return send


async def _truncated(writer: asyncio.StreamWriter) -> None:
    writer.write(JSON + b'content-length: 5000\r\n\r\n{"dags": [')
    await writer.drain()
    writer.close()


async def _html(writer: asyncio.StreamWriter) -> None:
    writer.write(HTML)


async def _drip(writer: asyncio.StreamWriter) -> None:
    writer.write(JSON + b"content-length: 5000\r\n\r\n")
    for _ in range(5000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _huge(writer: asyncio.StreamWriter) -> None:
    writer.write(JSON + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b" " * (1024 * 1024)
    for _ in range(64):
        writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        await writer.drain()


FAULTS: dict[str, Fault] = {
    "reset": _reset,
    "hang": _hang,
    "error": _answer("500 Internal Server Error", b"Internal Server Error"),
    "limited": _answer("429 Too Many Requests", b'{"detail": "slow down"}', b"retry-after: 7"),
    "away": _answer("503 Service Unavailable", b'{"detail": "Database is locked"}'),
    "redirect": _answer("302 Found", b"", b"location: https://sign-in.test/"),
    "truncated": _truncated,
    "html": _html,
    "another shape": _answer("200 OK", b'{"detail": null, "items": [1, 2]}'),
    "a number": _answer("200 OK", b"7"),
    "nothing": _answer("200 OK", b""),
    "drip": _drip,
    "huge": _huge,
}


@asynccontextmanager
async def failing(fault: str) -> AsyncIterator[str]:
    """The address of a server that fails so; of nobody for `refused`."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await FAULTS[fault](writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if fault == "refused":
        server.close()
    try:
        yield address
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

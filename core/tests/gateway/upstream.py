"""An app on a raw socket: it keeps every byte that it was sent, and answers what a test tells it to."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Respond = Callable[["Received", asyncio.StreamWriter], Awaitable[None]]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Received:
    """One request, as its bytes were."""

    head: bytes
    body: bytes = b""

    @property
    def line(self) -> bytes:
        """Method, target, version."""
        return self.head.split(b"\r\n", 1)[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    def all(self, name: str) -> list[bytes]:
        """The values of a header."""
        wanted = name.lower().encode()
        lines = (line.partition(b":") for line in self.head.split(b"\r\n")[1:] if line)
        return [value.strip() for key, _, value in lines if key.lower() == wanted]


@dataclass
class RawApp:
    """The app. `respond` writes the answer to each request; by default "ok"."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    open_connections: int = 0
    respond: Respond | None = None
    answer: bytes = OK
    handler: Handler | None = None
    """Instead of all of it: what a test does with a connection."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        try:
            if self.handler is not None:
                await self.handler(reader, writer)
                await writer.drain()
            while self.handler is None:
                head = await reader.readuntil(b"\r\n\r\n")
                request = Received(head)
                await self._body(request, reader)
                self.received.append(request)
                if self.respond is not None:
                    await self.respond(request, writer)
                else:
                    writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open_connections -= 1
            writer.close()

    async def _body(self, request: Received, reader: asyncio.StreamReader) -> None:
        if request.all("transfer-encoding"):
            while size := int(await reader.readline(), 16):
                request.body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        elif length := request.all("content-length"):
            request.body = await reader.readexactly(int(length[0]))

    @property
    def last(self) -> Received:
        return self.received[-1]


@asynccontextmanager
async def raw_app(port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawApp]:
    """Running on loopback, at a free port unless one is named."""
    app = RawApp()
    server = await asyncio.start_server(app.handle, "127.0.0.1", port, limit=2**20, ssl=tls)
    app.port = server.sockets[0].getsockname()[1]
    try:
        yield app
    finally:
        server.close()

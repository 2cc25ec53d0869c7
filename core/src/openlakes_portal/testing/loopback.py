"""A small HTTP/1.1 server on loopback in a thread of its own, for fakes that can break off in mid-answer."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

import h11

from openlakes_portal.testing.upstream import ReceivedRequest

MAX_BODY = 4 * 1024 * 1024


@dataclass(frozen=True)
class Reply:
    """An answer. `cut_after`: the connection is closed after so many bytes of the body; 0: before the status line."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    cut_after: int | None = None

    def header(self, name: str) -> str | None:
        """The first header of this name (lower case)."""
        return next((value for key, value in self.headers if key == name), None)


Handler = Callable[[ReceivedRequest], Awaitable[Reply]]


class LoopbackServer:
    """Answers on a port of 127.0.0.1 that stays the same when it is stopped and started again.

    What the handler raises is answered with 500 and raised by `stop`, so that no test passes over it.
    """

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self._handler = handler
        self._tls = tls
        self._socket: socket.socket | None = _bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._fault: Exception | None = None

    def start(self) -> None:
        """Listen; returns when everybody who connects is answered."""
        listening = threading.Event()
        self._socket = self._socket or _bound(self.port)
        self._socket.listen(128)
        main = self._main(self._socket, listening)
        self._thread = threading.Thread(target=asyncio.run, args=(main,), daemon=True, name=f"loopback-{self.port}")
        self._thread.start()
        listening.wait(10)

    def stop(self) -> None:
        """Close every connection and stop listening. Raises what went wrong in the handler since the start."""
        if self._thread is None:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
            return
        assert self._loop is not None
        assert self._stopping is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(10)
        self._thread = self._socket = None
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    async def _main(self, listener: socket.socket, listening: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await asyncio.start_server(self._serve, sock=listener, ssl=self._tls)
        listening.set()
        await self._stopping.wait()
        server.close()  # asyncio.run cancels the connections that are left

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, ssl.SSLError, h11.ProtocolError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        connection = h11.Connection(h11.SERVER)
        request = await _received(connection, reader)
        if request is None:
            return False
        try:
            reply = await self._handler(request)
        except Exception as fault:
            self._fault = self._fault or fault
            reply = Reply(500, repr(fault).encode())
        if reply.cut_after == 0:
            return False
        headers = [*reply.headers, ("content-length", str(len(reply.body)))]
        writer.write(connection.send(h11.Response(status_code=reply.status, headers=headers)))
        if reply.cut_after is not None:
            writer.write(connection.send(h11.Data(data=reply.body[: reply.cut_after])))
            await writer.drain()
            return False
        if request.method != "HEAD":
            writer.write(connection.send(h11.Data(data=reply.body)))
        writer.write(connection.send(h11.EndOfMessage()))
        await writer.drain()
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE


def _bound(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


async def _received(connection: h11.Connection, reader: asyncio.StreamReader) -> ReceivedRequest | None:
    """The next request of a connection, None at its end."""
    head: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(65536)
            if not data:
                return None
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            target = urlsplit(head.target.decode())
            headers = {k.decode().lower(): v.decode("latin-1") for k, v in head.headers}
            query = dict(parse_qsl(target.query, keep_blank_values=True))
            return ReceivedRequest(head.method.decode(), target.path, query, headers, body)
        else:
            return None

"""A fake upstream over a real socket on loopback: it answers what the test says, and remembers what it was asked."""

import asyncio
import base64
import json
import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import h11


@dataclass(frozen=True)
class ReceivedToken:
    """The bearer token of a request, its claims as sent (a fake does not verify; the issuer's tests do)."""

    subject: str | None
    audience: str | None
    claims: dict[str, Any]


@dataclass(frozen=True)
class ReceivedRequest:
    """A request that the fake got."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def token(self) -> ReceivedToken:
        """The bearer token; raises `AssertionError` where there is none."""
        kind, _, value = self.headers.get("authorization", "").partition(" ")
        assert kind.lower() == "bearer", "the request carries no bearer token"
        assert value.count(".") == 2, "the bearer token is no JWT"
        part = value.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return ReceivedToken(claims.get("sub"), claims.get("aud"), claims)


@dataclass
class Answer:
    """What the fake answers to one method and path."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})
    hang: bool = False
    reset: bool = False

    def answers(self, value: Any, status: int = 200) -> None:
        """Answer with JSON."""
        self.status, self.body = status, json.dumps(value).encode()

    def answers_raw(self, body: bytes, content_type: str, status: int = 200) -> None:
        """Answer with these bytes."""
        self.status, self.body, self.headers = status, body, {"content-type": content_type}

    def fails(self, status: int) -> None:
        """Answer with an error."""
        self.answers({"message": "made to fail"}, status)

    def hangs(self) -> None:
        """Never answer."""
        self.hang = True

    def resets(self) -> None:
        """Close the connection without an answer."""
        self.reset = True


class FakeUpstream:
    """One fake; made by the fixture `upstream(name)`. `address` is what the plugin's settings are given."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.requests: list[ReceivedRequest] = []
        self._answers: dict[tuple[str, str], Answer] = {}
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._port: int = self._socket.getsockname()[1]
        self._starting: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Its base address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def last(self) -> ReceivedRequest:
        """The newest request to something that the test gave an answer for: health checks go on meanwhile."""
        asked = [r for r in self.requests if (r.method, r.path) in self._answers] or self.requests
        assert asked, f"nobody called the upstream {self.name!r}"
        return asked[-1]

    def on(self, method: str, path: str) -> Answer:
        """The answer to a method and path, to be filled in."""
        return self._answers.setdefault((method, path), Answer())

    def get(self, path: str) -> Answer:
        """The answer to GET of a path."""
        return self.on("GET", path)

    def post(self, path: str) -> Answer:
        """The answer to POST to a path."""
        return self.on("POST", path)

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen at once, so that nobody is refused, and answer as soon as the loop runs."""
        self._socket.listen(128)
        self._starting = loop.create_task(self._start())

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def stop(self) -> None:
        """Stop, also for those who are connected: the upstream is down."""
        if self._starting is not None:
            await self._starting
        if self._server is not None:
            self._server.close()
            for writer in list(self._connections):
                writer.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, h11.ProtocolError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        connection = h11.Connection(h11.SERVER)
        head: h11.Request | None = None
        body = b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                if not data and head is None:
                    return False
                connection.receive_data(data)
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert head is not None
        return await self._reply(connection, head, body, writer)

    async def _reply(
        self, connection: h11.Connection, head: h11.Request, body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        target = urlsplit(head.target.decode())
        headers = {k.decode().lower(): v.decode("latin-1") for k, v in head.headers}
        request = ReceivedRequest(head.method.decode(), target.path, dict(parse_qsl(target.query)), headers, body)
        self.requests.append(request)
        answer = self._answers.get((request.method, request.path))
        if answer is None:
            answer = Answer(404, b'{"message": "the test said nothing about this"}')
        if answer.reset:
            return False
        if answer.hang:
            await asyncio.Event().wait()
        sent = [(k, v) for k, v in answer.headers.items()] + [("content-length", str(len(answer.body)))]
        writer.write(connection.send(h11.Response(status_code=answer.status, headers=sent)))
        writer.write(connection.send(h11.Data(data=answer.body)))
        writer.write(connection.send(h11.EndOfMessage()))
        await writer.drain()
        return True

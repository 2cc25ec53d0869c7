"""WebSockets of an app through the real process: both ways, from the app's own page, as who is signed in (C22)."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request
from websockets.typing import Subprotocol

from .real import PUBLIC, SESSION, RealHouse, Seat, real_house
from .test_streaming import until
from .upstream import Received, raw_app

pytestmark = pytest.mark.slow
BIG = 16 * 1024 * 1024


@dataclass
class Echo:
    """An app that sends back what it gets: what it was asked, what it got, how each connection ended."""

    requests: list[Request] = field(default_factory=list)
    messages: list[str | bytes] = field(default_factory=list)
    ended: list[tuple[int, str]] = field(default_factory=list)

    async def handle(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.requests.append(connection.request)
        try:
            async for message in connection:
                self.messages.append(message)
                if isinstance(message, str) and message.startswith("close "):
                    await connection.close(int(message[6:]), "as you wish")
                elif message == "much":
                    await connection.send(b"x" * (BIG + 1))
                else:
                    await connection.send(message)
        finally:
            self.ended.append((connection.close_code or 0, connection.close_reason or ""))


def chosen(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("echo.v2") if "echo.v2" in offered else None


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    with real_house(tmp_path_factory.mktemp("websockets")) as running:
        yield running


@pytest.fixture
async def echo(house: RealHouse) -> AsyncIterator[Echo]:
    app = Echo()
    async with serve(
        app.handle,
        "127.0.0.1",
        house.target_port,
        select_subprotocol=chosen,
        max_size=None,
        origins=None,
    ):
        yield app


def opened(seat: Seat, path: str = "/ws", *, origin: str | None = "own", **options: Any) -> connect:
    """A browser's WebSocket at the app's host."""
    cookies = options.pop("cookies", seat.cookies)
    headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items()), **options.pop("headers", {})}
    return connect(
        f"ws://{seat.host}{path}",
        host="127.0.0.1",
        port=seat.replica.port,
        origin=f"http://{seat.host}" if origin == "own" else origin,  # type: ignore[arg-type]
        additional_headers=headers,
        proxy=None,
        max_size=None,
        open_timeout=10,
        **options,
    )


async def refused(seat: Seat, **options: Any) -> int:
    """The status that it is refused with."""
    with pytest.raises(InvalidStatus) as found:
        async with opened(seat, **options):
            pass
    status: int = found.value.response.status_code
    return status


async def test_messages_go_both_ways_as_they_are(house: RealHouse, echo: Echo) -> None:
    seat = house.seat()
    async with opened(seat, "/ws/a?b=%20c&d", subprotocols=["other", "echo.v2"]) as socket:
        assert socket.subprotocol == "echo.v2"
        for message in ("text", "", "ünï\u2028", b"", b"\x00\xff" * 50_000, "x" * 1_000_000):
            await socket.send(message)
            assert await socket.recv() == message
        for number in range(200):
            await socket.send(str(number))
        assert [await socket.recv() for _ in range(200)] == [str(number) for number in range(200)]
    request = echo.requests[0]
    assert request.path == "/ws/a?b=%20c&d", "byte for byte"
    assert request.headers["Host"] == seat.host
    assert request.headers["Origin"] == f"http://{seat.host}"
    assert request.headers.get_all("X-Remote-User") == ["data-engineer"]
    assert "cookie" not in request.headers


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 3000, 4999])
async def test_the_code_of_an_end_goes_through_both_ways(house: RealHouse, echo: Echo, code: int) -> None:
    seat = house.seat_of()
    async with opened(seat) as socket:
        await socket.send(f"close {code}")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == code
    async with opened(seat) as socket:
        await socket.close(code)
    await until(lambda: len(echo.ended) == 2, "the app hears of it")
    assert echo.ended[1][0] == code


async def test_who_just_goes_away_is_gone_for_the_app_too(house: RealHouse, echo: Echo) -> None:
    async with opened(house.seat()) as socket:
        await socket.send("hello")
        await socket.recv()
        socket.transport.abort()
        await until(lambda: len(echo.ended) == 1, "the app hears of it", 2)


async def test_an_app_that_just_goes_away_ends_it_with_a_failure(house: RealHouse, echo: Echo) -> None:
    async with opened(house.seat()) as socket:
        await socket.send("close 99")  # the app's own code fails
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1011


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        PUBLIC,
        "http://evil.example",
        "https://{host}",
        "http://{host}.evil.example",
        "http://app-0.{host}",
    ],
)
async def test_it_is_opened_by_the_apps_own_page_alone(house: RealHouse, echo: Echo, origin: str | None) -> None:
    seat = house.seat_of()
    assert await refused(seat, origin=origin and origin.replace("{host}", seat.host)) == 403
    assert echo.requests == []


async def test_two_origins_are_none(house: RealHouse, echo: Echo) -> None:
    seat = house.seat_of()
    assert await refused(seat, headers={"Origin": "http://evil.example"}) in (400, 403)
    assert echo.requests == []


def changed(letter: str) -> str:
    return "B" if letter == "A" else "A"


async def test_who_is_not_signed_in_there_or_may_not_opens_none(house: RealHouse, echo: Echo) -> None:
    seat, other = house.seat(), house.seat()
    assert await refused(seat, cookies={}) == 403
    assert await refused(seat, cookies={SESSION: seat.person.cookie}) == 403, "the portal's cookie is none of the app's"
    assert await refused(seat, cookies=other.cookies) == 403, "nor is another app's"
    assert await refused(seat, cookies={k: v[:-1] + changed(v[-1]) for k, v in seat.cookies.items()}) == 403
    portal = Seat(seat.replica, PUBLIC.partition("://")[2], {SESSION: seat.person.cookie}, seat.person, seat.app_id)
    assert await refused(portal, path="/api/session") == 403, "the portal has none"
    assert echo.requests == []
    async with opened(seat) as socket:
        await socket.send("control")
        assert await socket.recv() == "control"


async def test_headers_that_claim_an_identity_do_not_pass(house: RealHouse, echo: Echo) -> None:
    seat = house.seat()
    forged = {
        "X-Remote-User": "admin",
        "x_remote_user": "admin",
        "Authorization": "Bearer x",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-User": "admin",
        "X-Original-URL": "/admin",
        "Sec-WebSocket-Extensions": "permessage-deflate",
        "User-Agent": "browser",
    }
    async with opened(seat, headers=forged, user_agent_header=None, compression=None) as socket:
        await socket.send("hello")
        await socket.recv()
        assert socket.response is not None
        assert "Sec-WebSocket-Extensions" not in socket.response.headers
    sent = echo.requests[0].headers
    assert sent.get_all("X-Remote-User") == ["data-engineer"]
    assert sent["X-Forwarded-For"] == "127.0.0.1"
    assert sent["X-Forwarded-Host"] == seat.host
    assert sent["User-Agent"] == "browser"
    for name in ("x_remote_user", "Authorization", "X-Forwarded-User", "X-Original-URL", "Sec-WebSocket-Extensions"):
        assert name not in sent, name


async def test_a_message_that_is_too_big_ends_it(house: RealHouse, echo: Echo) -> None:
    seat = house.seat()
    before = house.memory()
    async with opened(seat) as socket:
        await socket.send([b"x" * (BIG // 16)] * 17)  # in parts, each of which may be
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1009
    async with opened(seat) as socket:
        with pytest.raises(ConnectionClosed):
            await socket.send(b"x" * (2 * BIG))
    assert echo.messages == [], "the app never had it"
    async with opened(seat) as socket:
        await socket.send("much")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == 1009
    async with opened(seat) as socket:
        await socket.send(b"x" * 1_000_000)
        assert len(await socket.recv()) == 1_000_000, "control"
    assert house.memory() - before < 128 * 1024 * 1024


async def test_an_app_that_is_away_or_refuses_is_told_before_it_is_opened(house: RealHouse) -> None:
    seat = house.seat()
    assert await refused(seat) in (403, 502, 503)
    async with raw_app(house.target_port) as app:
        for answer in (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
            b"SSH-2.0-x\r\n",
        ):
            app.answer = answer
            assert await refused(seat) in (403, 502, 503), answer
        app.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        assert (await seat.ask("GET", "/")).body == b"ok", "its pages go on"


async def test_the_end_of_a_sign_in_closes_what_is_open(house: RealHouse, echo: Echo) -> None:
    """C22 and A5: a WebSocket of the app is closed within five seconds."""
    person = house.replica.signed_in("data-engineer")
    seat = house.seat(person=person)
    async with opened(seat) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
        with person.at(house.replica) as client:
            assert client.post("/auth/logout").status_code in (200, 204)
        await ends_in_time(socket)
        assert socket.close_code == 1008
    await until(lambda: len(echo.ended) == 1, "the app hears of it")
    assert await refused(seat) == 403


async def test_a_permission_that_is_taken_away_closes_what_is_open(house: RealHouse, echo: Echo) -> None:
    """C22: only the WebSocket of who lost it."""
    app_id = house.fresh()
    take_away = given(house, app_id, "bi-analyst")
    loser, other = house.seat(app_id, house.person("bi-analyst")), house.seat(app_id)
    async with opened(loser) as lost, opened(other) as kept:
        for socket in (lost, kept):
            await socket.send("hello")
            assert await socket.recv() == "hello"
        take_away()
        await ends_in_time(lost)
        assert lost.close_code == 1008
        await kept.send("still")
        assert await kept.recv() == "still"
    assert await refused(loser) == 403


@pytest.mark.parametrize("kind", ["event stream", "hanging exchange", "download", "upload"])
@pytest.mark.parametrize("reason", ["signed out", "permission taken"])
async def test_what_else_is_open_ends_too(house: RealHouse, kind: str, reason: str) -> None:
    app_id = house.fresh()
    take_away = given(house, app_id, "bi-analyst")
    person = house.replica.signed_in("bi-analyst")
    seat = house.seat(app_id, person)
    gone = asyncio.Event()

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app.received.append(Received(await reader.readuntil(b"\r\n\r\n")))
        if kind == "event stream":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: hello\n\n")
        if kind == "download":
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            pass
        gone.set()

    async with raw_app(house.target_port) as app:
        app.handler = handler
        reader, writer = await seat.connect()
        upload = ["Content-Length: 50"] if kind == "upload" else []
        writer.write(seat.head("POST" if upload else "GET", "/", *upload) + b"some" * bool(upload))
        if kind in ("event stream", "download"):
            await asyncio.wait_for(reader.readuntil(b"hello"), 5)
        await until(lambda: len(app.received) == 1, "the app is asked")
        begin = time.monotonic()
        if reason == "signed out":
            with person.at(house.replica) as client:
                assert client.post("/auth/logout").status_code in (200, 204)
        else:
            take_away()
        async with asyncio.timeout(5):
            await gone.wait()
            rest = await reader.read(65536)
        assert time.monotonic() - begin < 5
        assert b"0\r\n\r\n" not in rest, "it is cut, and not ended"
        assert rest == b"\r\n" or rest == b"" or rest.startswith((b"HTTP/1.1 401", b"\n\n"))
        writer.close()


def given(house: RealHouse, app_id: str, persona: str) -> Any:
    """Give somebody the permission to open an app; what takes it away again."""
    with house.person("platform-admin").at(house.replica) as admin:
        role = {"role": f"core:app-{app_id}:open", "subject": persona, "reason": "test"}
        made = admin.post("/api/role-bindings", json=role)
    assert made.status_code == 201, made.text
    binding = made.json()["binding"]

    def take_away() -> None:
        with house.person("platform-admin").at(house.replica) as admin:
            address = f"/api/role-bindings/{binding['id']}"
            removed = admin.delete(address, headers={"if-match": str(binding["version"])})
        assert removed.status_code == 200, removed.text

    return take_away


async def ends_in_time(socket: ClientConnection) -> None:
    begin = time.monotonic()
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    assert time.monotonic() - begin < 5

"""Bodies both ways through the real process: bounded memory, slow readers, early answers, clients that leave (C25)."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

import pytest

from .real import MIB, Answer, RealHouse, everything, real_house
from .upstream import OK, RawApp, Received, raw_app

pytestmark = pytest.mark.slow
SIZE = 64 * MIB
BLOCK = bytes(range(256)) * 256
ROOM = 24 * MIB
"""How much more memory all processes of the portal may take while much passes through them."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    with real_house(tmp_path_factory.mktemp("streaming")) as running:
        yield running


@pytest.fixture
async def app(house: RealHouse) -> AsyncIterator[RawApp]:
    async with raw_app(house.target_port) as running:
        yield running


async def warm(house: RealHouse, app: RawApp) -> int:
    """Memory after a body of a MiB has passed each way: buffers that are kept are there by then."""
    seat = house.seat()
    app.answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB + b"x" * MIB
    for _ in range(3):
        body = b"y" * MIB
        answer = await seat.ask("POST", "/", f"Content-Length: {MIB}", body=body)
        assert answer.status == 200, answer.raw[:300]
        assert app.last.body == body
    app.answer = OK
    return house.memory()


class Peak:
    """The most memory that the house took within the block."""

    def __init__(self, house: RealHouse) -> None:
        self.house, self.most = house, 0

    async def __aenter__(self) -> "Peak":
        self._task = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._look_once()
        self._task.cancel()

    def _look_once(self) -> None:
        self.most = max(self.most, self.house.memory())

    async def _look(self) -> None:
        while True:
            self._look_once()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("framing", ["length", "chunks", "until the end"])
async def test_a_large_answer_arrives_whole_in_bounded_memory(house: RealHouse, app: RawApp, framing: str) -> None:
    first = await warm(house, app)

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        line = {"length": b"Content-Length: %d\r\n" % SIZE, "chunks": b"Transfer-Encoding: chunked\r\n"}
        writer.write(b"HTTP/1.1 200 OK\r\n" + line.get(framing, b"") + b"\r\n")
        for _ in range(SIZE // len(BLOCK)):
            writer.write(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if framing == "chunks" else BLOCK)
            await writer.drain()
        if framing == "chunks":
            writer.write(b"0\r\n\r\n")
        if framing == "until the end":
            writer.close()

    app.respond = respond
    async with Peak(house) as peak:
        answer = await house.seat().ask("GET", "/", seconds=60)
    assert answer.status == 200
    assert answer.body is not None
    assert len(answer.body) == SIZE
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(BLOCK * (SIZE // len(BLOCK))).digest()
    assert peak.most - first < ROOM, f"{(peak.most - first) / MIB:.0f} MiB more"


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_request_reaches_a_slow_app_whole_in_bounded_memory(
    house: RealHouse, app: RawApp, chunked: bool
) -> None:
    first = await warm(house, app)
    digest, taken = hashlib.sha256(), 0

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        head = await reader.readuntil(b"\r\n\r\n")
        app.received.append(Received(head))
        while taken < SIZE:
            if chunked:
                size = int(await reader.readline(), 16)
                data = await reader.readexactly(size)
                await reader.readline()
            else:
                data = await reader.read(65536)
            digest.update(data)
            taken += len(data)
            if taken < 2 * MIB:
                await asyncio.sleep(0.02)
        writer.write(OK)

    app.handler = read
    seat = house.seat()
    reader, writer = await seat.connect()
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {SIZE}"
    writer.write(seat.head("POST", "/upload", framing, "Connection: close"))
    async with Peak(house) as peak, asyncio.timeout(60):
        for _ in range(SIZE // len(BLOCK)):
            writer.write(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK) if chunked else BLOCK)
            await writer.drain()
        if chunked:
            writer.write(b"0\r\n\r\n")
        answer = Answer(await everything(reader))
    writer.close()
    assert (answer.status, answer.body) == (200, b"ok")
    assert taken == SIZE
    assert digest.digest() == hashlib.sha256(BLOCK * (SIZE // len(BLOCK))).digest()
    assert peak.most - first < ROOM, f"{(peak.most - first) / MIB:.0f} MiB more"


async def test_readers_who_do_not_read_keep_the_app_waiting_and_not_our_memory(house: RealHouse, app: RawApp) -> None:
    first = await warm(house, app)
    written = 0

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(BLOCK)):
            writer.write(BLOCK)
            await writer.drain()
            written += len(BLOCK)

    app.respond = respond
    seat = house.seat()
    open_ones = []
    for _ in range(8):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.replica.port, limit=1024)
        writer.write(seat.head("GET", "/"))
        assert (await reader.readexactly(12)).endswith(b"200")
        open_ones.append(writer)
    before = -1
    while before != written:  # until the app gets rid of nothing more
        before = written
        await asyncio.sleep(0.5)
    assert written < 8 * SIZE / 2, "the app waits"
    held = house.memory() - first
    assert held < 8 * 4 * MIB, f"{held / MIB:.0f} MiB for eight readers (P3: 4 MiB each)"
    assert (await seat.ask("GET", "/other", seconds=60)).body is not None, "others go on"
    for writer in open_ones:
        writer.close()
    await until(lambda: app.open_connections <= 2, "the app's connections end with their readers; two are kept")


async def test_an_answers_head_does_not_wait_for_its_body(house: RealHouse, app: RawApp) -> None:
    go = asyncio.Event()

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await go.wait()
        writer.write(b"7\r\ndata: 1\r\n0\r\n\r\n")

    app.respond = respond
    seat = house.seat()
    reader, writer = await seat.connect()
    writer.write(seat.head("GET", "/", "Accept: text/event-stream", "Connection: close"))
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        go.set()
        answer = Answer(head + await everything(reader))
    writer.close()
    assert answer.body == b"data: 1"


@pytest.mark.parametrize("status", [b"413 Too Large", b"200 OK", b"401 Unauthorized"])
async def test_an_answer_that_comes_before_the_body_is_sent_arrives_at_once(
    house: RealHouse, app: RawApp, status: bytes
) -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app.received.append(Received(await reader.readuntil(b"\r\n\r\n")))
        if len(app.received) > 1:
            writer.write(OK)
            return
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nearly")
        while await reader.read(65536):
            pass

    app.handler = early
    seat = house.seat()
    reader, writer = await seat.connect()
    writer.write(seat.head("POST", "/", "Content-Length: 100000000") + b"x" * 100_000)
    async with asyncio.timeout(5):
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.split(b" ")[1] == status[:3]
        assert await reader.readexactly(5) == b"early"
    writer.close()
    assert (await seat.ask("GET", "/")).body == b"ok"
    assert app.connections == 2, "in the middle of a body nothing else can be said"


async def test_a_body_is_asked_for_before_it_is_sent(house: RealHouse, app: RawApp) -> None:
    """Expect: 100-continue (RFC 9110, 10.1.1) is between the browser and us; the app is not asked to."""
    seat = house.seat()
    reader, writer = await seat.connect()
    writer.write(seat.head("POST", "/", "Content-Length: 5", "Expect: 100-continue", "Connection: close"))
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(b"hello")
        answer = Answer(await everything(reader))
    writer.close()
    assert (answer.status, answer.body) == (200, b"ok")
    assert app.last.body == b"hello"
    assert app.last.all("expect") == []


async def test_a_range_and_a_condition_are_the_apps_to_answer(house: RealHouse, app: RawApp) -> None:
    app.answer = b'HTTP/1.1 206 Partial\r\nContent-Range: bytes 1-2/5\r\nContent-Length: 2\r\nETag: "e"\r\n\r\nel'
    answer = await house.seat().ask("GET", "/", "Range: bytes=1-2", 'If-Range: "e"')
    assert (answer.status, answer.body, answer.all("content-range")) == (206, b"el", ["bytes 1-2/5"])
    assert app.last.all("range") == [b"bytes=1-2"]
    assert app.last.all("if-range") == [b'"e"']


@pytest.mark.parametrize("when", ["before the head", "in the answer", "in an event stream", "in the request's body"])
async def test_a_client_that_goes_away_ends_the_exchange_with_the_app(house: RealHouse, app: RawApp, when: str) -> None:
    gone, asked = asyncio.Event(), asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app.received.append(Received(await reader.readuntil(b"\r\n\r\n")))
        asked.set()
        if when == "in the answer":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
        if when == "in an event stream":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: hello\n\n")
        try:
            while await reader.read(65536):
                pass
        except ConnectionResetError:
            pass
        gone.set()

    app.handler = wait
    seat = house.seat()
    reader, writer = await seat.connect()
    body = when == "in the request's body"
    writer.write(seat.head("POST" if body else "GET", "/", *(["Content-Length: 50"] if body else [])))
    if body:
        writer.write(b"hello")
    async with asyncio.timeout(5):
        await asked.wait()
        if when.startswith(("in the answer", "in an")):
            await reader.readuntil(b"hello")
    writer.transport.abort() if body else writer.close()
    async with asyncio.timeout(1):
        await gone.wait()


async def test_a_client_that_goes_away_in_its_body_while_the_app_answers_ends_both(
    house: RealHouse, app: RawApp
) -> None:
    gone = asyncio.Event()

    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        app.received.append(Received(await reader.readuntil(b"\r\n\r\n")))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: hello\n\n")
        while await reader.read(65536):
            pass
        gone.set()

    app.handler = early
    seat = house.seat()
    reader, writer = await seat.connect()
    writer.write(seat.head("POST", "/", "Content-Length: 50") + b"some")
    async with asyncio.timeout(5):
        await reader.readuntil(b"hello")
    writer.transport.abort()
    async with asyncio.timeout(1):
        await gone.wait()


async def until(condition: object, what: str, seconds: float = 10) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
    assert condition(), what

"""C21: an app that answers wrongly on purpose. The answer is 502, or, once begun, cut; its connection is done."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from .real import Answer, RealHouse, everything, real_house
from .upstream import OK, RawApp, Received, raw_app

pytestmark = pytest.mark.slow
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def with_headers(*lines: bytes, body: bytes = b"hello") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]) + body


NO_ANSWER = {
    "carriage return in a value": with_headers(b"Content-Length: 5", b"X-A: a\rSet-Cookie: b=c"),
    "line feed alone ends a line": with_headers(b"Content-Length: 5\nX-A: b"),
    "folded": with_headers(b"Content-Length: 5", b"X-A: a", b" b"),
    "null in a value": with_headers(b"Content-Length: 5", b"X-A: a\0b"),
    "space before the colon": with_headers(b"Content-Length : 5"),
    "name that is none": with_headers(b"Content-Length: 5", b"X(A): b"),
    "no name": with_headers(b"Content-Length: 5", b": b"),
    "no colon": with_headers(b"Content-Length: 5", b"X-A"),
    "two lengths": with_headers(b"Content-Length: 5", b"Content-Length: 6"),
    "two lengths in one": with_headers(b"Content-Length: 5, 6"),
    "the same length twice": with_headers(b"Content-Length: 5", b"Content-Length: 5"),
    "negative length": with_headers(b"Content-Length: -5"),
    "signed length": with_headers(b"Content-Length: +5"),
    "hexadecimal length": with_headers(b"Content-Length: 0x5"),
    "length beyond all numbers": with_headers(b"Content-Length: 99999999999999999999999"),
    "empty length": with_headers(b"Content-Length:"),
    "length beside chunks": with_headers(
        b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "chunks beside length": with_headers(
        b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "chunks twice": with_headers(b"Transfer-Encoding: chunked, chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "two codings": with_headers(
        b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "chunks and then another coding": with_headers(
        b"Transfer-Encoding: chunked, gzip", body=b"5\r\nhello\r\n0\r\n\r\n"
    ),
    "compressed chunks": with_headers(b"Transfer-Encoding: gzip, chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "unknown coding": with_headers(b"Transfer-Encoding: xchunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
    "another protocol": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "a page without a head": b"<html><body>hello</body></html>",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
    "status beyond three digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "status below one hundred": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status that is a word": b"HTTP/1.1 OK OK\r\nContent-Length: 0\r\n\r\n",
    "version of nobody": b"HTTP/7.3 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "nothing but line ends": b"\r\n" * 100_000,
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    "early hints without end": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 1000,
    "another protocol, unasked": b"HTTP/1.1 101 Upgrade\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "another protocol of no name": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "head without end": b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200_000,
    "header without end": b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 2_000_000,
    "name without end": b"HTTP/1.1 200 OK\r\n" + b"b" * 2_000_000,
    "reason without end": b"HTTP/1.1 200 " + b"b" * 2_000_000,
    "too many headers": with_headers(b"Content-Length: 5", *(b"X-%d: a" % n for n in range(250))),
    "status beyond all classes": b"HTTP/1.1 999 Well\r\nContent-Length: 0\r\n\r\n",
    "control character in a value": with_headers(b"Content-Length: 5", b"X-A: a\x01b"),
    "delete character in a value": with_headers(b"Content-Length: 5", b"X-A: a\x7fb"),
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
}
"""An answer in one piece that is none: the person gets 502 and nothing of it."""

CUT = {
    "length cut short": with_headers(b"Content-Length: 50"),
    "chunks without an end": CHUNKED + b"5\r\nhello\r\n",
    "chunk cut short": CHUNKED + b"50\r\nhello",
    "chunk's size is none": CHUNKED + b"5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n",
    "chunk's size beyond all numbers": CHUNKED + b"5\r\nhello\r\n" + b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n",
    "chunk's size negative": CHUNKED + b"5\r\nhello\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk longer than it says": CHUNKED + b"5\r\nhello there\r\n0\r\n\r\n",
    "line feed alone after a chunk": CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    "extension without end": CHUNKED + b"5\r\nhello\r\n5;a=" + b"b" * 2_000_000,
    "trailer without end": CHUNKED + b"5\r\nhello\r\n0\r\nX-A: " + b"b" * 2_000_000,
    "trailers without end": CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X-A: b\r\n" * 200_000,
}
"""An answer that begins well and is not whole: the browser's connection is cut, so that it is not seen as whole."""

WELL = {
    "length": (with_headers(b"Content-Length: 5"), b"hello"),
    "chunks": (CHUNKED + b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "chunks with extensions": (CHUNKED + b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"hello"),
    "trailers, which are dropped": (CHUNKED + b"5\r\nhello\r\n0\r\nX-Secret: x\r\nSet-Cookie: a=b\r\n\r\n", b"hello"),
    "nothing": (with_headers(b"Content-Length: 0", body=b""), b""),
    "interim answers before": (b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + with_headers(b"Content-Length: 5"), b"hello"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    with real_house(tmp_path_factory.mktemp("hostile"), 120) as running:
        yield running


@pytest.fixture
async def app(house: RealHouse) -> AsyncIterator[RawApp]:
    async with raw_app(house.target_port) as running:
        yield running


def saying(app: RawApp, answer: bytes, *, close: bool = False) -> None:
    """The app's first answer is this one, each later one is well."""

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        if len(app.received) > 1:
            writer.write(OK)
            return
        writer.write(answer)
        await writer.drain()
        if close:
            writer.close()

    app.respond = respond


@pytest.mark.parametrize("name", NO_ANSWER)
async def test_what_is_no_answer_is_502_and_its_connection_is_done(house: RealHouse, app: RawApp, name: str) -> None:
    seat = house.seat()
    saying(app, NO_ANSWER[name])
    answer = await seat.ask("GET", "/x", "Accept: application/json")
    assert answer.status == 502, answer.raw[:300]
    assert answer.all("content-type") == ["application/problem+json"]
    assert answer.body, "a whole problem"
    assert b"hello" not in answer.raw
    assert not answer.all("set-cookie")
    second = await seat.ask("GET", "/y")
    assert (second.status, second.body) == (200, b"ok")
    assert app.connections == 2, "the second request went over a connection of its own"


@pytest.mark.parametrize("name", CUT)
async def test_an_answer_that_breaks_off_is_cut_at_the_browser_too(house: RealHouse, app: RawApp, name: str) -> None:
    seat, sent = house.seat(), CUT[name]
    middle = sent.index(b"hell") + 4
    seen = asyncio.Event()

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        if len(app.received) > 1:
            writer.write(OK)
            return
        writer.write(sent[:middle])
        await seen.wait()
        writer.write(sent[middle:])
        await writer.drain()
        if name.endswith(("cut short", "without an end")):
            writer.close()

    app.respond = respond
    reader, writer = await seat.connect()
    writer.write(seat.head("GET", "/x"))
    async with asyncio.timeout(10):
        first = await reader.readuntil(b"hell")
        seen.set()
        answer = Answer(first + await everything(reader))
    writer.close()
    assert answer.status == 200
    assert answer.body is None, "the browser sees that it is not whole"
    second = await seat.ask("GET", "/y")
    assert (second.status, second.body) == (200, b"ok")
    assert app.connections == 2


async def test_an_answer_that_lasts_until_the_connection_ends_is_whole_and_one_that_is_reset_is_cut(
    house: RealHouse, app: RawApp
) -> None:
    seat = house.seat()
    seen = asyncio.Event()

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        version = b"HTTP/1.0" if request.target == b"/old" else b"HTTP/1.1"
        writer.write(version + b" 200 OK\r\nContent-Type: text/plain\r\n\r\nhello")
        await writer.drain()
        if request.target == b"/reset":
            await seen.wait()
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    app.respond = respond
    for target in ("/new", "/old"):
        answer = await seat.ask("GET", target)
        assert (answer.status, answer.body) == (200, b"hello"), target
    assert app.connections == 2
    reader, writer = await seat.connect()
    writer.write(seat.head("GET", "/reset"))
    async with asyncio.timeout(10):
        first = await reader.readuntil(b"hello")
        seen.set()
        assert Answer(first + await everything(reader)).body is None
    writer.close()


@pytest.mark.parametrize(
    "sent", ["HTTP/1.0 200 OK\r\nContent-Length: 5", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5"]
)
async def test_an_app_that_keeps_no_connections_is_asked_on_a_new_one_each_time(
    house: RealHouse, app: RawApp, sent: str
) -> None:
    seat = house.seat()
    app.answer = sent.encode() + b"\r\n\r\nhello"
    for _ in range(3):
        answer = await seat.ask("GET", "/")
        assert (answer.status, answer.body) == (200, b"hello")
    assert app.connections == 3


@pytest.mark.parametrize("head", ["200 OK\r\nContent-Length: 5", "200 OK\r\nTransfer-Encoding: chunked", "200 OK"])
async def test_head_has_the_length_and_no_body_even_where_the_app_sends_one(
    house: RealHouse, app: RawApp, head: str
) -> None:
    seat = house.seat()
    app.answer = b"HTTP/1.1 " + head.encode() + b"\r\n\r\n"
    answer = await seat.ask("HEAD", "/")
    assert (answer.status, answer.raw.partition(b"\r\n\r\n")[2]) == (200, b"")
    assert answer.all("content-length") == (["5"] if "Length" in head else [])
    app.answer += b"hello"
    answer = await seat.ask("HEAD", "/")
    assert (answer.status, answer.raw.partition(b"\r\n\r\n")[2]) == (200, b"")
    app.answer = OK
    assert (await seat.ask("GET", "/")).body == b"ok"
    assert app.connections == 3


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_ends_with_its_head(house: RealHouse, app: RawApp, status: int) -> None:
    seat = house.seat()
    app.answer = b'HTTP/1.1 %d X\r\nETag: "a"\r\n\r\n' % status
    for _ in range(2):
        answer = await seat.ask("GET", "/", 'If-None-Match: "a"')
        assert (answer.status, answer.raw.partition(b"\r\n\r\n")[2]) == (status, b"")
        assert answer.all("etag") == ['"a"']
        assert app.last.all("if-none-match") == [b'"a"']
    assert app.connections == 1
    app.answer += b"hello"
    assert (await seat.ask("GET", "/")).status == status
    app.answer = OK
    assert (await seat.ask("GET", "/")).body == b"ok"
    assert app.connections == 2


async def test_two_answers_to_one_request_reach_nobody_else(house: RealHouse, app: RawApp) -> None:
    seat = house.seat()
    app.answer = OK + OK.replace(b"ok", b"NO")
    answer = await seat.ask("GET", "/")
    assert (answer.status, answer.body) == (200, b"ok")
    app.answer = OK
    other = house.seat(seat.app_id, house.person("viewer"))
    answer = await other.ask("GET", "/")
    assert (answer.status, answer.body) == (200, b"ok")
    assert app.connections == 2


async def test_an_answer_to_nobody_on_a_kept_connection_reaches_nobody(house: RealHouse, app: RawApp) -> None:
    """Response queue poisoning: what comes before a question is no answer to it."""
    seat = house.seat()
    written = asyncio.Event()

    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        if len(app.received) == 1:
            await asyncio.sleep(0.05)  # the first answer has been read by then, and the connection is idle
            writer.write(OK.replace(b"ok", b"NO"))
            await writer.drain()
            written.set()

    app.respond = respond
    assert (await seat.ask("GET", "/")).body == b"ok"
    await written.wait()
    other = house.seat(seat.app_id, house.person("viewer"))
    assert (await other.ask("GET", "/")).body == b"ok"
    assert app.connections == 2


async def test_a_redirect_to_elsewhere_is_not_passed_on(house: RealHouse, app: RawApp) -> None:
    """C23, C24, over the wire."""
    seat = house.seat()
    for place in ("http://169.254.169.254/latest", "//evil.example", "https://evil.example/", "javascript:alert(1)"):
        app.answer = b"HTTP/1.1 302 Found\r\nLocation: " + place.encode() + b"\r\nContent-Length: 0\r\n\r\n"
        answer = await seat.ask("GET", "/")
        assert answer.status == 502, place
        assert not answer.all("location")
    app.answer = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/a\r\nContent-Length: 0\r\n\r\n" % app.port
    answer = await seat.ask("GET", "/")
    assert (answer.status, answer.all("location")) == (302, [f"http://{seat.host}/a"])


@pytest.mark.parametrize("name", WELL)
async def test_control_an_answer_that_is_well_arrives_and_its_connection_is_kept(
    house: RealHouse, app: RawApp, name: str
) -> None:
    seat = house.seat()
    sent, body = WELL[name]
    saying(app, sent)
    answer = await seat.ask("GET", "/x")
    assert (answer.status, answer.body) == (200, body)
    assert b"x-secret" not in answer.raw.lower()
    assert not answer.all("set-cookie")
    assert (await seat.ask("GET", "/y")).body == b"ok"
    assert app.connections == 1


async def test_what_names_another_target_or_method_changes_nothing_and_opens_nothing(
    house: RealHouse, app: RawApp
) -> None:
    """C20."""
    seat = house.seat()
    names = [
        "X-Original-URL: /admin",
        "X-Original-URI: /admin",
        "X-Rewrite-URL: /admin",
        "X-Forwarded-Uri: /admin",
        "X-Forwarded-Method: DELETE",
        "X-HTTP-Method-Override: DELETE",
        "X-HTTP-Method: DELETE",
        "X-Method-Override: DELETE",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-User: admin",
        "User-Agent: kube-probe/1.31",
    ]
    answer = await seat.ask("GET", "/page", *names)
    assert (answer.status, answer.body) == (200, b"ok")
    assert app.last.line == b"GET /page HTTP/1.1"
    assert b"admin" not in app.last.head
    assert b"DELETE" not in app.last.head
    assert app.last.all("x-forwarded-host") == [seat.host.encode()]
    nobody = replace(seat, cookies={})
    for more in (names, ["User-Agent: GoogleHC/1.0"], ["User-Agent: ELB-HealthChecker/2.0"], ["User-Agent: Probe"]):
        assert (await nobody.ask("GET", "/page", *more)).status == 401
    assert len(app.received) == 1


async def test_a_trace_or_a_tunnel_reaches_no_app(house: RealHouse, app: RawApp) -> None:
    """C27."""
    seat = house.seat()
    assert (await seat.ask("TRACE", "/")).status == 405
    for target in ("/", f"127.0.0.1:{app.port}", "169.254.169.254:80"):
        assert (await seat.ask("CONNECT", target)).status in (0, 400, 405, 501), target
    for target in ("http://169.254.169.254/", f"http://127.0.0.1:{app.port}/", f"http://{seat.host}/x"):
        answer = await seat.ask("GET", target)
        assert answer.status in (200, 400, 404, 421), target
        assert all(received.target.startswith(b"/") for received in app.received)
    assert (await seat.ask("GET", "/")).body == b"ok"

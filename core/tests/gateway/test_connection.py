"""Whatever an app sends, in whatever pieces: the same answer or a failure, and never more memory than is allowed."""

import asyncio
import http.client
import io
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from openlakes_portal._gateway.connection import HIGH_WATER, MAX_SILENT, Broken, UpstreamConnection
from openlakes_portal.spi import UpstreamError, UpstreamUnavailable


class Wire(asyncio.Transport):
    """The other end: what is written is dropped; it closes when it is told to."""

    def __init__(self, connection: UpstreamConnection) -> None:
        super().__init__()
        self.connection = connection
        self.closed = self.paused = False

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self.connection.connection_lost(None)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


async def outcome(parts: list[bytes], method: str = "GET") -> tuple[int, bytes, bool] | None:
    """Status, body, and whether another request may follow; None for a failure."""
    connection = UpstreamConnection()
    wire = Wire(connection)
    connection.connection_made(wire)
    connection.begin(method, b"/", [(b"host", b"x")])
    for part in parts:
        if wire.closed:
            break
        connection.data_received(part)
    if not connection._complete:
        wire.abort()  # nothing more comes
    try:
        status, _ = await connection.head()
        body = b"".join([part async for part in connection.body()])
    except (UpstreamError, UpstreamUnavailable, Broken):
        return None
    return status, body, connection.is_reusable


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(ends)]


LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.0 200 OK\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n",
        b"HTTP/1.1 101 Up\r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: 6\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip\r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"X-A: b\r\n",
        b" folded\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"hello",
        b"5\r\nhello\r\n",
        b"5;a=b\r\nhello\r\n",
        b"0\r\n\r\n",
        b"0\r\nX-T: a\r\n\r\n",
    ]
)
ANYTHING = st.lists(LINES | st.binary(max_size=6), max_size=12).map(b"".join)
WELL = st.builds(
    lambda head, body: b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body,
    st.sampled_from([b"", b"X-A: b\r\n", b"Content-Type: text/plain\r\n"]),
    st.just(b""),
) | st.builds(
    lambda body, chunked: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in body if part)
        + b"0\r\n\r\n"
        if chunked
        else b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(b"".join(body)) + b"".join(body)
    ),
    st.lists(st.binary(max_size=50), max_size=5),
    st.booleans(),
)


@given(ANYTHING, st.lists(st.integers(0, 10_000), max_size=20), st.sampled_from(["GET", "HEAD", "POST"]))
@settings(max_examples=1500, deadline=None)
def test_pieces_make_no_difference(data: bytes, cuts: list[int], method: str) -> None:
    whole = asyncio.run(outcome([data] if data else [], method))
    assert asyncio.run(outcome(split(data, cuts), method)) == whole
    assert asyncio.run(outcome([bytes([byte]) for byte in data], method)) == whole


class Plain:
    """What http.client reads from."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self.data)


@given(WELL, st.lists(st.integers(0, 10_000), max_size=20))
@settings(max_examples=500, deadline=None)
def test_what_is_well_is_read_as_the_standard_library_reads_it(data: bytes, cuts: list[int]) -> None:
    theirs = http.client.HTTPResponse(Plain(data))  # type: ignore[arg-type]
    theirs.begin()
    found = asyncio.run(outcome(split(data, cuts)))
    assert found is not None
    assert found[:2] == (theirs.status, theirs.read())


@given(ANYTHING, st.binary(min_size=1, max_size=20))
@settings(max_examples=300, deadline=None)
def test_whatever_goes_on_without_end_is_ended(start: bytes, again: bytes) -> None:
    async def feed() -> None:
        connection = UpstreamConnection()
        wire = Wire(connection)
        connection.connection_made(wire)
        connection.begin("GET", b"/", [(b"host", b"x")])
        connection.data_received(start or b"H")
        piece, fed = again * (8192 // len(again) + 1), 0
        while not wire.closed and not wire.paused and fed < HIGH_WATER + 2 * MAX_SILENT:
            connection.data_received(piece)
            fed += len(piece)
        assert wire.closed or wire.paused or connection._taken > fed // 40, "it is a body, or it is ended"
        assert connection._waiting <= HIGH_WATER + len(piece) + len(start)

    asyncio.run(feed())

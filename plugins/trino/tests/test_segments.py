"""Segments of a result, from a store that answers as it likes: what is fetched, from where, and what is refused."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from trino.client import TrinoStatus

from openlakes_portal.spi import UpstreamError, UpstreamUnavailable
from openlakes_portal_trino.coordinator import segments, transport
from openlakes_portal_trino.coordinator.reading import AHEAD, PageReader
from openlakes_portal_trino.coordinator.segments import CODECS, SegmentStore, origins, segments_of
from openlakes_portal_trino.coordinator.transport import MOST_BYTES
from openlakes_portal_trino.coordinator.writing import ResultWriter
from openlakes_portal_trino.settings import TrinoSettings
from openlakes_portal_trino.spool import SpoolLimits

from .portal_process import until

Given = tuple[int, dict[str, str], bytes | Iterator[bytes]]
Handler = Callable[[], Given | None]
NO_NUMBER = {"rowOffset": 0, "rowsCount": float("inf"), "segmentSize": 0}
BIGINT = {"name": "n", "type": "bigint", "typeSignature": {"rawType": "bigint", "arguments": []}}


@dataclass
class Place:
    """A server on loopback: what it has at which path, and what it was asked."""

    origin: str
    has: dict[str, Handler] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def gives(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Have something there; its address."""
        self.has[path] = lambda: (status, headers, body)
        return self.origin + path

    def streams(self, path: str, body: Callable[[], Iterator[bytes]], status: int = 200, **headers: str) -> None:
        """Have something there whose length nobody says."""
        self.has[path] = lambda: (status, headers, body())


def silent_until(event: threading.Event) -> Handler:
    """Says nothing, and closes once something has happened."""

    def answer() -> None:
        event.wait(10)

    return answer


@pytest.fixture
def make_place() -> Iterator[Callable[[], Place]]:
    servers: list[ThreadingHTTPServer] = []

    def make() -> Place:
        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                given = place.has.get(self.path, lambda: (404, {}, b"gone"))()
                if given is None:
                    self.connection.close()
                    return
                status, headers, body = given
                self.send_response(status)
                length = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {}
                for name, value in (length | headers).items():
                    self.send_header(name, value)
                self.end_headers()
                with suppress(ConnectionError):
                    for part in (body,) if isinstance(body, bytes) else body:
                        self.wfile.write(part)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        server.daemon_threads = True
        place = Place(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return place

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def coordinator(make_place: Callable[[], Place]) -> Place:
    return make_place()


@pytest.fixture
def store(coordinator: Place) -> Iterator[SegmentStore]:
    made = SegmentStore(coordinator.origin, frozenset(), None, 1.0)
    yield made
    made.close()


def listed(
    data: bytes, rows: int = 1, offset: int = 0, encoding: str = "json", uri: str | None = None
) -> dict[str, Any]:
    """A page's list with one segment, as Trino 476 writes it."""
    codec = CODECS[encoding]
    packed = data if codec is None else pa.compress(data, codec, asbytes=True)
    told: dict[str, Any] = {"rowOffset": offset, "rowsCount": rows, "segmentSize": len(packed)}
    if codec is not None:
        told["uncompressedSize"] = len(data)
    if uri is None:
        segment = {"type": "inline", "data": base64.b64encode(packed).decode(), "metadata": told}
    else:
        segment = {"type": "spooled", "uri": uri, "ackUri": uri.replace("download", "ack"), "metadata": told}
    return {"encoding": encoding, "segments": [segment]}


def one(*args: Any, **more: Any) -> segments.Segment:
    (segment,) = segments_of(listed(*args, **more))
    return segment


@pytest.mark.parametrize("encoding", CODECS)
def test_each_encoding_inline_and_fetched(coordinator: Place, store: SegmentStore, encoding: str) -> None:
    data = json.dumps([[n] for n in range(1000)]).encode()
    assert store.read(one(data, 1000, encoding=encoding)) == data
    codec = CODECS[encoding]
    coordinator.gives("/v1/spooled/download/a=", data if codec is None else pa.compress(data, codec, asbytes=True))
    # Whatever host Trino writes, as with its next pages: it may not know by which name the portal reaches it.
    fetched = one(data, 1000, encoding=encoding, uri="https://trino.inner:8443/v1/spooled/download/a=")
    assert store.read(fetched) == data
    store.acknowledge(fetched)
    assert [path for path, _ in coordinator.asked] == ["/v1/spooled/download/a=", "/v1/spooled/ack/a="]


def test_only_what_a_store_needs_goes_along(coordinator: Place, store: SegmentStore) -> None:
    page = listed(b"[[1]]", uri=coordinator.gives("/v1/spooled/download/a", b"[[1]]"))
    given = {"X-Amz-Server-Side-Encryption-Customer-Key": ["k"], "Authorization": ["x"], "Host": ["x"], "Cookie": ["x"]}
    page["segments"][0]["headers"] = given
    (segment,) = segments_of(page)
    assert store.read(segment) == b"[[1]]"
    ((_, sent),) = coordinator.asked
    assert sent["x-amz-server-side-encryption-customer-key"] == "k"
    assert not {"authorization", "cookie"} & set(sent), "nobody's credential"
    assert sent["host"] == coordinator.origin.removeprefix("http://")


STORE = "https://store.example:9000"
ELSEWHERE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:8600/api/me",
    "file:///etc/passwd",
    "https://store.example:9000.evil.example/x",
    "https://store.example:9000@evil.example/x",
    "http://store.example:9000/x",
    "https://store.example/x",
    "//store.example:9000/x",
    "https://trino/v1/query/20260101",
    "https://trino/v1/spooled/../query/20260101",
    "https://trino/v1/spooled/%2e%2e/query/20260101",
    "https://trino/v1/spooled/download/a?x=1",
    "https://trino/v1/SPOOLED/download/a",
    "https://trino/v1/spooled/download/a\r\nHost: evil",
    "http://[bad/v1/spooled/download/a",
    "/",
    "",
]


@pytest.mark.parametrize("uri", ELSEWHERE)
def test_c24_nothing_is_fetched_from_anywhere_else(coordinator: Place, uri: str) -> None:
    store = SegmentStore(coordinator.origin, frozenset({STORE}), None, 1.0)
    with pytest.raises(UpstreamError) as refused:
        store.read(one(b"[[1]]", uri=uri))
    store.acknowledge(one(b"[[1]]", uri=uri))
    assert coordinator.asked == []
    assert "segment_addresses" in (refused.value.remedy or "")
    store.close()


def test_a_store_that_the_settings_name_is_asked_and_may_be_sent_on_to(make_place: Callable[[], Place]) -> None:
    coordinator, lake, other = make_place(), make_place(), make_place()
    named = TrinoSettings.model_validate({"segment_addresses": [lake.origin + "/"]})
    allowed = origins(map(str, named.segment_addresses))
    store = SegmentStore(coordinator.origin, allowed, None, 1.0)
    direct = lake.gives("/bucket/a?X-Amz-Signature=s", b"[[1]]")
    assert store.read(one(b"[[1]]", uri=direct)) == b"[[1]]"
    sent_on = coordinator.gives("/v1/spooled/download/a", b"", 303, Location=direct)
    assert store.read(one(b"[[1]]", uri=sent_on)) == b"[[1]]"
    away = coordinator.gives("/v1/spooled/download/b", b"", 303, Location=other.gives("/bucket/a", b"[[1]]"))
    with pytest.raises(UpstreamError, match="where the portal does not go"):
        store.read(one(b"[[1]]", uri=away))
    twice = coordinator.gives("/v1/spooled/download/c", b"", 303, Location=sent_on)
    with pytest.raises(UpstreamError, match="answered 303"):
        store.read(one(b"[[1]]", uri=twice))
    assert other.asked == []
    store.close()


@pytest.mark.parametrize(
    ("written", "origin"),
    [
        ("https://store.example", "https://store.example"),
        ("HTTPS://Store.Example:443/", "https://store.example"),
        ("http://store.example:9000/bucket", "http://store.example:9000"),
        ("https://[::1]:9000/x", "https://[::1]:9000"),
        ("https://user@store.example/", None),
        ("https://store.example\\@evil.example/", None),
        ("https://store.example:x/", None),
        ("http://[bad/", None),
        ("ftp://store.example/", None),
        ("store.example", None),
    ],
)
def test_addresses_of_stores_are_origins(written: str, origin: str | None) -> None:
    assert origins([written]) == ({origin} if origin else set())


def changed(page: dict[str, Any], **told: Any) -> segments.Segment:
    page["segments"][0]["metadata"] |= told
    (segment,) = segments_of(page)
    return segment


@pytest.mark.parametrize(
    "segment",
    [
        changed(listed(b"[[1]]"), segmentSize=4),
        changed(listed(b"[[1]]"), segmentSize=MOST_BYTES + 1),
        changed(listed(b"[[1]]" * 50, encoding="json+zstd"), uncompressedSize=MOST_BYTES + 1),
        changed(listed(b"[[1]]" * 50, encoding="json+zstd"), uncompressedSize=249),
        changed(listed(b"[[1]]" * 50, encoding="json+zstd"), uncompressedSize=251),
        changed(listed(b"[[1]]" * 50, encoding="json+lz4"), uncompressedSize=249),
        changed(listed(b"[[1]]" * 50, encoding="json+lz4"), uncompressedSize=251),
        changed(listed(b"no zstd") | {"encoding": "json+zstd"}, uncompressedSize=100),
    ],
)
def test_l74_what_is_not_as_announced_or_too_large_is_refused(store: SegmentStore, segment: segments.Segment) -> None:
    with pytest.raises(UpstreamError):
        store.read(segment)


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"encoding": "json"},
        {"encoding": "arrow", "segments": []},
        {"encoding": "json", "segments": 1},
        {"encoding": "json", "segments": [1]},
        {"encoding": "json", "segments": [{}]},
        {"encoding": ["json"], "segments": []},
        listed(b"[[1]]") | {"segments": [{"type": "inline", "data": "*", "metadata": {}}]},
        {"encoding": "json", "segments": [{"type": "spooled", "metadata": {"rowOffset": 0, "rowsCount": 1}}]},
        listed(b"x", rows=-1),
        {"encoding": "json", "segments": [listed(b"x", uri="/x")["segments"][0] | {"headers": {"x-amz-a": []}}]},
        {"encoding": "json", "segments": [listed(b"x", uri="/x")["segments"][0] | {"headers": 1}]},
        listed(b"x") | {"segments": [{"type": "inline", "data": "", "metadata": NO_NUMBER}]},
    ],
)
def test_a_list_that_is_none_is_refused(page: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError, match="does not know") as refused:
        segments_of(page)
    assert "trino.spooling" in str(refused.value.remedy)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 500])
def test_a_place_that_refuses_is_told(coordinator: Place, store: SegmentStore, status: int) -> None:
    uri = coordinator.gives("/v1/spooled/download/a", b"<Error>secret</Error>", status)
    with pytest.raises(UpstreamError, match=f"answered {status}") as refused:
        store.read(one(b"[[1]]", uri=uri))
    assert "secret" not in refused.value.detail
    store.acknowledge(one(b"[[1]]", uri=uri))


def test_a_hiccup_is_tried_again_and_no_more(coordinator: Place, store: SegmentStore) -> None:
    path, left = "/v1/spooled/download/a", [503, 429]
    coordinator.has[path] = lambda: (left.pop(), {"Retry-After": "3600"}, b"") if left else (200, {}, b"[[1]]")
    assert store.read(one(b"[[1]]", uri=coordinator.origin + path)) == b"[[1]]"
    coordinator.gives(path, b"", 503)
    coordinator.asked.clear()
    with pytest.raises(UpstreamError, match="answered 503"):
        store.read(one(b"[[1]]", uri=coordinator.origin + path))
    assert len(coordinator.asked) == 3


def test_a_place_that_is_away_resets_hangs_or_stops_short(make_place: Callable[[], Place]) -> None:
    coordinator = make_place()
    store = SegmentStore(coordinator.origin, frozenset({"http://127.0.0.1:9"}), None, 0.3)
    hanging = threading.Event()
    coordinator.has["/v1/spooled/hang"] = silent_until(hanging)
    coordinator.has["/v1/spooled/reset"] = lambda: None
    coordinator.has["/v1/spooled/short"] = lambda: (200, {"Content-Length": "5"}, b"[[1]")
    began = time.monotonic()
    for uri in ("http://127.0.0.1:9/x", "/v1/spooled/reset", "/v1/spooled/hang", "/v1/spooled/short"):
        with pytest.raises(UpstreamUnavailable, match="store of Trino's results"):
            store.read(one(b"[[1]]", uri=uri))
    hanging.set()
    assert time.monotonic() - began < 10
    store.close()


def test_a_redirect_is_not_read_and_a_store_without_end_is_left(
    coordinator: Place, store: SegmentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these bodies never ends: a byte comes again and again, or as many as one likes."""
    ended = threading.Event()

    def drips() -> Iterator[bytes]:
        while not ended.wait(0.02):
            yield b" "

    def floods() -> Iterator[bytes]:
        while not ended.is_set():
            yield b" " * 65536

    monkeypatch.setattr(transport, "MOST_BYTES", 1024 * 1024)
    coordinator.streams("/v1/spooled/onward", drips, 303, Location="https://evil.example/")
    coordinator.streams("/v1/spooled/drips", drips)
    coordinator.streams("/v1/spooled/floods", floods)
    began = time.monotonic()
    for uri, kind, told in (
        ("/v1/spooled/onward", UpstreamUnavailable, "did not end its answer"),
        ("/v1/spooled/drips", UpstreamUnavailable, "did not end its answer"),
        ("/v1/spooled/floods", UpstreamError, "more than 1048576 bytes"),
    ):
        slow = SegmentStore(coordinator.origin, frozenset(), None, 0.2)
        slow.give_up()  # once is enough
        with pytest.raises(kind, match=told):
            slow.read(one(b"[[1]]", uri=uri))
        slow.close()
    assert time.monotonic() - began < 10
    ended.set()


def test_no_address_of_a_segment_is_logged(
    coordinator: Place, store: SegmentStore, caplog: pytest.LogCaptureFixture
) -> None:
    uri = coordinator.gives("/v1/spooled/download/secret", b"[[1]]")
    coordinator.has["/v1/spooled/download/secret"] = lambda: (200, {"no header": "x"}, b"[[1]]")
    store.read(one(b"[[1]]", uri=uri))
    coordinator.gives("/v1/spooled/download/secret", b"", 503)
    with pytest.raises(UpstreamError):
        store.read(one(b"[[1]]", uri=uri))
    assert not [record for record in caplog.records if "secret" in record.getMessage()]


class Pages:
    """A reader in front of the coordinator, and what it was given."""

    def __init__(self, store: SegmentStore, spool: Path) -> None:
        self.stop = threading.Event()
        self.writer = ResultWriter(spool, SpoolLimits(None, 1 << 30, 1 << 20))
        self.reader = PageReader(self.writer, store, self.stop.is_set)

    def take(self, *lists: dict[str, Any], last: bool = False) -> list[int]:
        """The numbers that a page brings out."""
        self.writer.open([BIGINT])
        rows: Any = {"encoding": "json", "segments": [segment for each in lists for segment in each["segments"]]}
        status = TrinoStatus("q", {}, [], "", None if last else "next", None, None, rows, [BIGINT])
        return [row["n"] for batch in self.reader.batches(status) for row in batch.to_pylist()]


@pytest.fixture
def pages(store: SegmentStore, tmp_path: Path) -> Iterator[Pages]:
    made = Pages(store, tmp_path / "spool")
    yield made
    made.reader.close()
    made.writer.close()


def test_rows_come_in_their_order_whoever_arrives_first(coordinator: Place, pages: Pages) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def slowly(n: int) -> Given:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05 if n % 3 else 0.15)
        with lock:
            running -= 1
        return 200, {}, f"[[{n}]]".encode()

    lists = []
    for n in range(12):
        path = f"/v1/spooled/download/{n}"
        coordinator.has[path] = partial(slowly, n)
        lists.append(listed(f"[[{n}]]".encode(), offset=n, uri=path))
    found = pages.take(*lists[:7])
    assert len(found) == 7 - AHEAD, "the newest stay on their way while the next page is asked for"
    found += pages.take(*lists[7:], last=True)
    assert found == list(range(12))
    assert pages.reader.seen == 12
    assert 1 < most <= AHEAD
    pages.reader.close()
    until(lambda: len([path for path, _ in coordinator.asked if "/ack/" in path]) == 12, 5)
    assert sorted(path for path, _ in coordinator.asked if "/ack/" in path) == sorted(
        f"/v1/spooled/ack/{n}" for n in range(12)
    ), "Trino may delete each"


@pytest.mark.parametrize("offset", [0, 2, -1])
def test_rows_that_are_missing_or_twice_are_no_result(pages: Pages, offset: int) -> None:
    with pytest.raises(UpstreamError, match="where row 1 comes next"):
        pages.take(listed(b"[[0]]"), listed(b"[[1]]", offset=offset), last=True)


def test_fewer_rows_than_announced_are_no_result(pages: Pages) -> None:
    with pytest.raises(ValueError, match="should have 2 rows"):
        pages.take(listed(b"[[0]]", rows=2), last=True)


def test_a_stop_waits_for_no_segment_and_begins_no_other(coordinator: Place, pages: Pages) -> None:
    hanging = threading.Event()
    coordinator.has["/v1/spooled/hang"] = silent_until(hanging)
    many = [listed(b"[[0]]", offset=n, uri="/v1/spooled/hang") for n in range(50)]
    with ThreadPoolExecutor(1) as other:
        taking = other.submit(pages.take, *many, last=True)
        until(lambda: coordinator.asked != [], 5)
        assert not taking.done()
        began = time.monotonic()
        pages.stop.set()
        assert taking.result(5) == []
        assert time.monotonic() - began < 1
    pages.reader.close()
    assert 0 < len(coordinator.asked) <= AHEAD + 1
    hanging.set()


def test_what_comes_after_a_cut_is_counted(pages: Pages) -> None:
    """A result that is full asks for no more, and says how much there would have been."""
    pages.writer.open([BIGINT])
    rows: Any = {"encoding": "json", "segments": [listed(b"[[0]]", offset=n)["segments"][0] for n in range(10)]}
    batches = pages.reader.batches(TrinoStatus("q", {}, [], "", None, None, None, rows, [BIGINT]))
    assert next(batches).num_rows == 1
    assert pages.reader.seen == 10


def test_a_deaf_coordinator_keeps_nobody_waiting(coordinator: Place, store: SegmentStore) -> None:
    hanging = threading.Event()
    coordinator.has["/v1/spooled/ack/a"] = silent_until(hanging)
    segment = one(b"[[1]]", uri="/v1/spooled/download/a")
    began = time.monotonic()
    for _ in range(5):
        store.acknowledge(segment)
    assert time.monotonic() - began < 3, "asked once, for a second"
    assert len(coordinator.asked) == 1
    hanging.set()

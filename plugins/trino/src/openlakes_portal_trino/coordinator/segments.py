"""Segments of Trino's spooling protocol (https://trino.io/docs/current/client/client-protocol.html): parts of a result
that stand in the page itself, or that are fetched, one request each, from the coordinator or from an object store.

An address is Trino's word: only the coordinator's own place for segments is asked, and the origins that the settings
name; of the headers that come with it only those by which a store finds and decrypts an object go on, and never the
person's credential. What arrives has the size that was announced, which is bounded.
"""

import base64
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import lz4.block
import pyarrow as pa
import requests

from openlakes_portal.spi import UpstreamError, UpstreamUnavailable
from openlakes_portal_trino.coordinator.transport import MOST_BYTES, BoundedSession, translated

PLACE = re.compile(r"/v1/spooled/[A-Za-z0-9_=/-]+")
ENCODINGS = ["json+zstd", "json+lz4", "json"]
CODECS = {"json+zstd": "zstd", "json+lz4": "lz4_raw", "json": None}
OF_STORES = ("x-amz-", "x-goog-", "x-ms-")
USUAL = {"http": 80, "https": 443}
NAME_IT = (
    "Name its address in `trino.segment_addresses`, or have Trino hand results out itself "
    "(`protocol.spooling.retrieval-mode=COORDINATOR_PROXY`)."
)
BUSY = (429, 502, 503, 504)
PAUSES = (0.2, 0.6)
"""Seconds between tries. urllib3's own ones would write the address of a segment, by which anybody may read it, into
the log."""


@dataclass(frozen=True)
class Segment:
    """A part of a result: `offset` is its first row's number; `size` its bytes on the way, `whole` once unpacked.

    `inline` are its bytes where they came with the page, else it lies at `uri`.
    """

    offset: int
    rows: int
    size: int
    whole: int | None
    codec: str | None
    inline: bytes | None
    uri: str
    acknowledge: str
    headers: Mapping[str, str]


def origin_of(address: str) -> str | None:
    """Scheme, host and port as one text, the usual port left out; None for what has none, or names somebody in it."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in USUAL or "@" in parts.netloc or "\\" in address:
        return None
    told = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{told}" + ("" if port in (None, USUAL[parts.scheme]) else f":{port}")


def origins(addresses: Iterable[str]) -> frozenset[str]:
    """Those of these addresses."""
    return frozenset(origin for address in addresses if (origin := origin_of(address)) is not None)


def segments_of(data: Mapping[str, Any]) -> list[Segment]:
    """What a page lists. Raises `UpstreamError` where it is not as the protocol has it."""
    try:
        codec = CODECS[data["encoding"]]
        return [_segment(raw, codec) for raw in data["segments"]]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise UpstreamError(
            "Trino lists the parts of the result in a way that the portal does not know.",
            upstream="trino",
            remedy="Set `trino.spooling` to false: rows then come in the pages themselves.",
        ) from error


def _segment(raw: Mapping[str, Any], codec: str | None) -> Segment:
    told = raw["metadata"]
    inline = base64.b64decode(raw["data"], validate=True) if raw["type"] == "inline" else None
    whole = int(told["uncompressedSize"]) if "uncompressedSize" in told else None
    given = {str(name).lower(): values for name, values in (raw.get("headers") or {}).items()}
    rows, size = int(told["rowsCount"]), int(told["segmentSize"])
    if min(rows, size, whole or 0) < 0:
        raise ValueError("a number below 0")
    return Segment(
        offset=int(told["rowOffset"]),
        rows=rows,
        size=size,
        whole=whole,
        codec=codec if whole is not None else None,  # what is small is not compressed
        inline=inline,
        uri="" if inline is not None else str(raw["uri"]),
        acknowledge="" if inline is not None else str(raw["ackUri"]),
        headers={name: str(values[0]) for name, values in given.items() if name.startswith(OF_STORES)},
    )


class SegmentStore:
    """Fetches segments; several threads may do so at once."""

    def __init__(self, origin: str, allowed: frozenset[str], verify: Path | None, timeout: float) -> None:
        self._origin = origin
        self._allowed = allowed
        self._timeout = timeout
        self._over = threading.Event()
        self._deaf = False
        self._session = BoundedSession(timeout, verify)

    def read(self, segment: Segment) -> bytes:
        """Its JSON. Raises `UpstreamError` (also where it is not what was announced) and `UpstreamUnavailable`."""
        if max(segment.size, segment.whole or 0) > MOST_BYTES:
            raise UpstreamError(f"A part of the result has more than {MOST_BYTES} bytes.", upstream="trino")
        data = segment.inline if segment.inline is not None else self._fetched(segment)
        if len(data) != segment.size:
            raise UpstreamError("A part of the result arrived with another size than Trino says.", upstream="trino")
        if segment.codec is None:
            return data
        try:
            return _unpacked(data, segment.codec, segment.whole or 0)
        except (pa.ArrowException, lz4.block.LZ4BlockError, OSError, ValueError) as error:
            raise UpstreamError("A part of the result cannot be unpacked.", upstream="trino") from error

    def acknowledge(self, segment: Segment) -> None:
        """Let Trino delete it. Where that fails, Trino does so once the segment's time is over."""
        if segment.inline is not None or self._deaf:
            return
        try:
            self._get_once(self._at_coordinator(segment.acknowledge), {})
        except (UpstreamError, UpstreamUnavailable):
            self._deaf = True  # it would keep the others waiting, too

    def give_up(self) -> None:
        """Try nothing again: nobody waits for it any more."""
        self._over.set()

    def close(self) -> None:
        """Let the connections go."""
        self._session.close()

    def _fetched(self, segment: Segment) -> bytes:
        answer = self._get(self._checked(segment.uri), segment.headers)
        if answer.is_redirect:  # the coordinator may send on to its store
            answer = self._get(self._checked(urljoin(segment.uri, answer.headers["location"])), segment.headers)
        if answer.status_code != 200:
            raise UpstreamError(
                f"A part of the result cannot be read: its place answered {answer.status_code}.",
                upstream="trino",
                remedy=NAME_IT if answer.is_redirect else "Run the statement again.",
            )
        return answer.content

    def _get(self, address: str, headers: Mapping[str, str]) -> requests.Response:
        pauses = iter(PAUSES)
        while True:
            pause = next(pauses, None)
            try:
                answer = self._get_once(address, headers)
            except UpstreamUnavailable:
                if pause is None or self._over.wait(pause):
                    raise
            else:
                if answer.status_code not in BUSY or pause is None or self._over.wait(pause):
                    return answer

    def _get_once(self, address: str, headers: Mapping[str, str]) -> requests.Response:
        sent = {**headers, "accept-encoding": "identity"}
        with translated("The store of Trino's results", "Trino names a part of the result in a way that is none."):
            return self._session.get(address, headers=sent, timeout=self._timeout, allow_redirects=False)

    def _checked(self, uri: str) -> str:
        return uri if origin_of(uri) in self._allowed else self._at_coordinator(uri)

    def _at_coordinator(self, uri: str) -> str:
        """As with `nextUri`, whatever host Trino writes: its own place for segments is at the configured address."""
        try:
            parts = urlsplit(uri)
        except ValueError:
            parts = urlsplit("")
        if not PLACE.fullmatch(parts.path) or parts.query:
            host = parts.hostname or "nowhere"
            raise UpstreamError(
                f"Trino keeps parts of the result at {host}, where the portal does not go.",
                upstream="trino",
                remedy=NAME_IT,
            )
        return self._origin + parts.path


def _unpacked(data: bytes, codec: str, whole: int) -> bytes:
    """So many bytes and no other number of them. Arrow's LZ4 would fill up what is missing with whatever memory holds,
    and Python's own Zstandard believes the size that the data name, not ours."""
    if codec == "lz4_raw":
        unpacked: bytes = lz4.block.decompress(data, uncompressed_size=whole)
    else:
        unpacked = pa.decompress(data, whole, codec, asbytes=True)
    if len(unpacked) != whole:
        raise ValueError(f"{len(unpacked)} bytes instead of {whole}")
    return unpacked

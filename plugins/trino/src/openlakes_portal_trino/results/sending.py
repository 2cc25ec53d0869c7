"""Sending a result in the form that was asked for. Arrow, pyarrow and orjson are imported when a result is sent."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openlakes_portal.spi import Stream
from openlakes_portal_trino.queries.record import ColumnView
from openlakes_portal_trino.results.follow import CHUNK, FollowedResult, InThread

if TYPE_CHECKING:
    from openlakes_portal_trino.results.forms import Form

ARROW = "application/vnd.apache.arrow.stream"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
MEDIA_TYPES = (ARROW, NDJSON, CSV, PARQUET)

EXTENSIONS = {ARROW: "arrow", NDJSON: "ndjson", CSV: "csv", PARQUET: "parquet"}


def send(
    result: FollowedResult, media_type: str, name: str, columns: list[ColumnView], in_thread: InThread, folder: Path
) -> Stream:
    """A stream that follows the result. CSV and Parquet are files to be saved; Arrow and NDJSON are data."""
    if media_type == ARROW:
        return Stream(result.chunks(in_thread), ARROW)
    if media_type == PARQUET:
        return Stream(_parquet(result, in_thread, folder), PARQUET, filename=f"{name}.parquet")
    if media_type == CSV:
        return Stream(_converted(result, CSV, columns, in_thread), f"{CSV}; charset=utf-8", filename=f"{name}.csv")
    return Stream(_converted(result, NDJSON, columns, in_thread), NDJSON)


class _Batches:
    """Record batches of a file that may still grow; blocking, for worker threads."""

    def __init__(self, path: Path, media_type: str) -> None:
        import pyarrow as pa

        from openlakes_portal_trino.results import forms

        self._file: Any = pa.OSFile(str(path), "rb")
        self._reader: Any = pa.ipc.open_stream(self._file)
        self._form: Form = forms.FORMS[media_type]
        self._slices = forms.slices

    @property
    def read(self) -> int:
        """Bytes that were read."""
        return int(self._file.tell())

    def head(self, columns: list[ColumnView]) -> bytes:
        """What comes before the rows."""
        return self._form.head(self._reader.schema, columns)

    def next(self) -> bytes | None:
        """The next batch in its form; None at the end."""
        try:
            batch = self._reader.read_next_batch()
        except StopIteration:
            return None
        return b"".join(self._form.body(piece) for piece in self._slices(batch))

    def close(self) -> None:
        """Let the file go."""
        self._reader.close()
        self._file.close()


async def _converted(
    result: FollowedResult, media_type: str, columns: list[ColumnView], in_thread: InThread
) -> AsyncIterator[bytes]:
    await result.ready()
    batches = await in_thread(_Batches, result.path, media_type)
    try:
        yield await in_thread(batches.head, columns or _known(result))
        while await result.size(batches.read) > batches.read:
            piece = await in_thread(batches.next)
            if piece is None:
                return
            if piece:
                yield piece
    finally:
        await in_thread(batches.close)


def _known(result: FollowedResult) -> list[ColumnView]:
    status = result.writer.status if result.writer else None
    return [ColumnView(name=column.name, type=column.type) for column in status.columns] if status else []


async def _parquet(result: FollowedResult, in_thread: InThread, folder: Path) -> AsyncIterator[bytes]:
    """Made as a file once the result is complete, sent, and removed."""
    size = 0
    while (grown := await result.size(size)) > size:
        size = grown
    with tempfile.TemporaryDirectory(prefix="export-", dir=folder) as scratch:
        target = Path(scratch) / "result.parquet"
        await in_thread(_write_parquet, result.path, target)
        with target.open("rb") as file:
            while chunk := await in_thread(file.read, CHUNK):
                yield chunk


def _write_parquet(source: Path, target: Path) -> None:
    from openlakes_portal_trino.results.forms import to_parquet

    to_parquet(source, target)

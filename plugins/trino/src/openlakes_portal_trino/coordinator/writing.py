"""A result of Trino into the spool, as Arrow; the file is opened once the columns are known."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa

from openlakes_portal.spi import ResultColumn
from openlakes_portal_trino.coordinator.columns import batch
from openlakes_portal_trino.coordinator.values import Signature, arrow_type, columns
from openlakes_portal_trino.spool import SpoolLimits, SpoolWriter


class ResultWriter:
    """`rows` and `size` are what is in the spool by now."""

    def __init__(self, spool: Path, limits: SpoolLimits) -> None:
        self._spool = spool
        self._limits = limits
        self._writer: SpoolWriter | None = None
        self._signatures: list[Signature] = []
        self._schema: pa.Schema = pa.schema([])
        self._closed: int | None = None
        self.columns: tuple[ResultColumn, ...] = ()

    @property
    def rows(self) -> int:
        """Rows in the spool."""
        return self._writer.rows if self._writer else 0

    @property
    def size(self) -> int:
        """Bytes of complete messages."""
        return self._writer.bytes if self._writer and self._closed is None else self._closed or 0

    @property
    def truncated(self) -> bool:
        """Whether something was left out."""
        return self._writer is not None and self._writer.truncated

    def open(self, told: Sequence[Mapping[str, Any]]) -> None:
        """Learn the columns; each page names them, the first time counts. Raises `ValueError`."""
        if self._writer is not None:
            return
        self._signatures = [_signature(one["typeSignature"]) for one in told]
        self.columns = tuple(ResultColumn(str(one["name"]), str(one["type"])) for one in told)
        fields = [(one.name, arrow_type(type_)) for one, type_ in zip(self.columns, self._signatures, strict=True)]
        self._schema = pa.schema(fields)
        self._writer = SpoolWriter(self._spool, self._schema, self._limits)

    def of_rows(self, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
        """The rows of a page."""
        return pa.RecordBatch.from_arrays(columns(rows, self._signatures), schema=self._schema)

    def of_segment(self, data: bytes, rows: int) -> pa.RecordBatch:
        """The rows of a segment, as it is once unpacked; other threads may ask meanwhile. Raises `ValueError`."""
        return batch(data, rows, self._signatures, self._schema)

    def write(self, some: pa.RecordBatch) -> bool:
        """Keep some rows; False once nothing more is wanted."""
        if self._writer is None:
            raise ValueError("rows came before their columns")
        return self._writer.write(some)

    def release(self) -> None:
        """Let the file go, whatever is in it."""
        if self._writer is not None and self._closed is None:
            with suppress(OSError, pa.ArrowException):  # such as on a full disk
                self._writer.close()

    def close(self) -> int:
        """End the stream; bytes of the whole file. A statement without columns leaves an empty result."""
        if self._closed is None:
            self.open([])
            assert self._writer is not None
            self._writer.close()
            self._closed = self._spool.stat().st_size
        return self._closed


def _signature(raw: Signature | str) -> Signature:
    if isinstance(raw, str):
        raise ValueError("Trino named a type without its signature")
    return raw

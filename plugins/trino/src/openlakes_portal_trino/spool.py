"""Writing a result: Arrow record batches into an IPC stream file, bounded in rows, bytes and the size of one value.

A batch is written in pieces small enough that a reader can follow and that no single message grows with the widest
row. Values longer than the cell limit are cut at top level (text, binary); a longer nested value ends the result. All
of it is flagged by `truncated`.
"""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

PIECE = 4 * 1024 * 1024
"""Bytes of one record batch, about; a single row may have more."""


@dataclass(frozen=True)
class SpoolLimits:
    """The most that a result keeps; `rows` None: as many as fit into `bytes`."""

    rows: int | None
    bytes: int
    cell: int


class SpoolWriter:
    """One result file. `rows` and `bytes` count complete messages; after `write` answered False nothing more fits."""

    def __init__(self, path: Path, schema: pa.Schema, limits: SpoolLimits) -> None:
        self._limits = limits
        self._sink = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._sink, schema)
        self.rows = 0
        self.truncated = False

    @property
    def bytes(self) -> int:
        """Bytes of complete messages."""
        return int(self._sink.tell())

    def write(self, batch: pa.RecordBatch) -> bool:
        """Add a batch; False once the result is full."""
        if self._limits.rows is not None and self.rows + batch.num_rows > self._limits.rows:
            self.truncated = True
            batch = batch.slice(0, self._limits.rows - self.rows)
        for piece in _pieces(self._cut(batch)):
            if not self._write_piece(piece):
                self.truncated = True
                return False
        return not self._full_of_rows()

    def close(self) -> None:
        """Write the end of the stream."""
        self._writer.close()
        self._sink.close()

    def _full_of_rows(self) -> bool:
        return self.truncated and self._limits.rows is not None and self.rows >= self._limits.rows

    def _write_piece(self, piece: pa.RecordBatch) -> bool:
        if piece.num_rows == 1 and _nested_size(piece) > self._limits.cell:
            return False
        if self.bytes + int(piece.nbytes) > self._limits.bytes:
            return False
        self._writer.write_batch(piece)
        self.rows += piece.num_rows
        return True

    def _cut(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Top-level text and binary values cut to the cell limit."""
        if batch.nbytes <= self._limits.cell:
            return batch
        columns = list(batch.columns)
        for index, column in enumerate(columns):
            if _is_text_or_binary(column.type) and column.nbytes > self._limits.cell:
                columns[index] = self._cut_column(column)
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)

    def _cut_column(self, column: pa.Array) -> pa.Array:
        longest = pc.max(pc.binary_length(column)).as_py() or 0
        if longest <= self._limits.cell:
            return column
        self.truncated = True
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            return pc.utf8_slice_codeunits(column, 0, self._limits.cell // 4)
        return pc.binary_slice(column, 0, self._limits.cell)


def _pieces(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    if batch.num_rows <= 1 or batch.nbytes <= PIECE:
        return [batch]
    half = batch.num_rows // 2
    return [*_pieces(batch.slice(0, half)), *_pieces(batch.slice(half))]


def _nested_size(batch: pa.RecordBatch) -> int:
    nested = [column for column in batch.columns if pa.types.is_nested(column.type)]
    return max((int(column.nbytes) for column in nested), default=0)


def _is_text_or_binary(type_: pa.DataType) -> bool:
    checks = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(check(type_) for check in checks)

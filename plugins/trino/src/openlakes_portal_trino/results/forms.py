"""The forms a result is sent in, made batch by batch in worker threads: NDJSON, CSV, Parquet. (Arrow is the file.)

CSV is RFC 4180 with every text in quotes, so that NULL (nothing) differs from '' (two quotes). A text that a
spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV Injection); numbers stay numbers.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv
from pyarrow import parquet as pq

from openlakes_portal_trino.queries.record import ColumnView
from openlakes_portal_trino.results.values import json_values, texts

FORMULA = "^[ \u200b\ufeff]*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]"
"""First characters that spreadsheets act on, full-width ones too, also behind spaces that they trim."""

ROWS = 4096
"""Rows converted at a time."""


class Form(Protocol):
    """Makes pieces of a result's text: what comes first, and then each batch."""

    def head(self, schema: pa.Schema, columns: list[ColumnView]) -> bytes:
        """Before the first row."""

    def body(self, batch: pa.RecordBatch) -> bytes:
        """Some rows."""


class Ndjson:
    """First line: the columns (`[{"name", "type"}]`); then one JSON array a row."""

    def head(self, schema: pa.Schema, columns: list[ColumnView]) -> bytes:
        """The columns."""
        known = columns or [ColumnView(name=field.name, type=str(field.type)) for field in schema]
        return orjson.dumps([column.model_dump() for column in known]) + b"\n"

    def body(self, batch: pa.RecordBatch) -> bytes:
        """One line a row."""
        values = [json_values(column) for column in batch.columns]
        rows = zip(*values, strict=True) if values else iter([()] * batch.num_rows)
        return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


class Csv:
    """A header line of the names, then the rows."""

    def head(self, schema: pa.Schema, columns: list[ColumnView]) -> bytes:
        """The names, as safe as the values."""
        names = [_safe(pa.array([field.name], pa.string())) for field in schema]
        return _written(pa.RecordBatch.from_arrays(names, names=[str(index) for index in range(len(names))]))

    def body(self, batch: pa.RecordBatch) -> bytes:
        """The rows."""
        columns = [_csv_column(column) for column in batch.columns]
        return _written(pa.RecordBatch.from_arrays(columns, names=[str(index) for index in range(len(columns))]))


FORMS: dict[str, Form] = {"application/x-ndjson": Ndjson(), "text/csv": Csv()}
"""By media type."""


def _csv_column(column: pa.Array) -> pa.Array:
    type_ = column.type
    if pa.types.is_boolean(type_) or pa.types.is_integer(type_) or pa.types.is_floating(type_):
        return column
    if pa.types.is_null(type_):
        return column.cast(pa.string())
    return _safe(texts(column)) if _holds_text(type_) else texts(column)


def _holds_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_nested(type_))


def _safe(column: pa.Array) -> pa.Array:
    column = column.cast(pa.string()) if pa.types.is_large_string(column.type) else column
    dangerous = pc.match_substring_regex(column, FORMULA)
    return pc.if_else(dangerous, pc.binary_join_element_wise("'", column, ""), column)


def _written(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(batch), sink, csv.WriteOptions(include_header=False, quoting_style="needed"))
    return bytes(sink.getvalue())


def slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Pieces small enough to be converted without holding much."""
    for start in range(0, batch.num_rows, ROWS):
        yield batch.slice(start, ROWS)


def to_parquet(source: Path, target: Path) -> None:
    """The result as a Parquet file, batch by batch. Names that stand twice get a number; what Parquet cannot hold
    (intervals) is text."""
    with pa.OSFile(str(source), "rb") as file, pa.ipc.open_stream(file) as reader:
        schema = _parquet_schema(reader.schema)
        with pq.ParquetWriter(str(target), schema, compression="zstd") as writer:
            for batch in reader:
                columns = [
                    column if column.type == field.type else texts(column)
                    for column, field in zip(batch.columns, schema, strict=True)
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _parquet_schema(schema: pa.Schema) -> pa.Schema:
    fields: list[pa.Field] = []
    seen: dict[str, int] = {}
    for field in schema:
        count = seen[field.name] = seen.get(field.name, 0) + 1
        name = field.name if count == 1 else f"{field.name}_{count}"
        unfit = pa.types.is_interval(field.type) or pa.types.is_duration(field.type)
        fields.append(pa.field(name, pa.string() if unfit else field.type))
    return pa.schema(fields)

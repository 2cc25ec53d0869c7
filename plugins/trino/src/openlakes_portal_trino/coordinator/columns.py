"""A segment of a result, JSON rows as Trino writes them, into an Arrow record batch.

Where no value needs an escape, `],[` stands only between rows: with line breaks in its place the rows are CSV, which
Arrow reads into columns without a Python object for each value. Everything else goes by JSON and `values.column`; both
ways give the same values.
"""

from collections.abc import Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from openlakes_portal_trino.coordinator.values import INTEGERS, Signature, arrow_type, column, columns

AS_TEXT = frozenset({*INTEGERS, "boolean", "double", "decimal", "date", "varchar", "char"})
"""Types whose text in JSON Arrow reads by itself; others are read as text and then converted as ever."""
WRITTEN_PLAINLY = AS_TEXT | {
    "real",
    "time",
    "time with time zone",
    "timestamp",
    "timestamp with time zone",
    "interval day to second",
    "interval year to month",
    "uuid",
    "ipaddress",
    "varbinary",
}
"""Types of which Trino writes null, a number, true, false or one text, and nothing else."""
UTC = " UTC"

_PARSE = pyarrow.csv.ParseOptions(double_quote=False, newlines_in_values=False, ignore_empty_lines=False)


def batch(data: bytes, rows: int, signatures: Sequence[Signature], schema: pa.Schema) -> pa.RecordBatch:
    """The rows of a segment. Raises `ValueError` where they are not as many as Trino says, or are no JSON."""
    arrays = _by_csv(data, rows, signatures)
    if arrays is None:
        found = orjson.loads(data)
        if not isinstance(found, list) or len(found) != rows:
            raise ValueError(f"a segment that should have {rows} rows has others")
        if rows == 0:
            return _empty(schema)
        arrays = columns(found, signatures)
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


def _by_csv(data: bytes, rows: int, signatures: Sequence[Signature]) -> list[pa.Array] | None:
    """The columns; None where the rows cannot be read so."""
    if b"\\" in data or not (data.startswith(b"[[") and data.endswith(b"]]")):
        return None
    if any(signature["rawType"] not in WRITTEN_PLAINLY for signature in signatures):
        return None
    text = data[2:-2].replace(b"],[", b"\n") + b"\n"
    if text.count(b"\n") != rows:  # a value has `],[` in it
        return None
    types = {f"f{at}": _read_as(signature) for at, signature in enumerate(signatures)}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text),
            pyarrow.csv.ReadOptions(use_threads=False, block_size=len(text) + 1, autogenerate_column_names=True),
            _PARSE,
            pyarrow.csv.ConvertOptions(
                column_types=types,
                null_values=["null"],
                true_values=["true"],
                false_values=["false"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:  # such as a year of five digits
        return None
    if (table.num_rows, table.num_columns) != (rows, len(signatures)):
        return None
    read = [found.combine_chunks() for found in table.columns]
    return [_converted(array, signature) for array, signature in zip(read, signatures, strict=True)]


def _converted(array: pa.Array, signature: Signature) -> pa.Array:
    type_ = arrow_type(signature)
    if array.type == type_:
        return array
    if pa.types.is_timestamp(type_) and pc.all(pc.ends_with(array, UTC)).as_py() is not False:
        return pc.utf8_slice_codeunits(array, 0, -len(UTC)).cast(pa.timestamp("us")).cast(type_)
    return column(array.to_pylist(), signature)


def _read_as(signature: Signature) -> pa.DataType:
    raw, type_ = signature["rawType"], arrow_type(signature)
    plain_time = raw == "timestamp" and pa.types.is_timestamp(type_)
    return type_ if raw in AS_TEXT or plain_time else pa.string()

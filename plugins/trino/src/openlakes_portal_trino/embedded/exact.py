"""DuckDB's types in Arrow without loss: what Arrow cannot say, or says wrongly, is handed over as text.

Left to itself DuckDB exports TIME WITH TIME ZONE without its zone, BIT as bytes of its own layout, BIGNUM as an opaque
extension, UHUGEINT in a signed decimal and UNION as a sparse union that most readers refuse. HUGEINT is exact as
decimal(38,0): 128 bits are 128 bits.
"""

import re

import pyarrow as pa
import sqlglot

from openlakes_portal.spi import ResultColumn

AS_TEXT = re.compile(r"TIME WITH TIME ZONE|\bBIT\b|BIGNUM|UHUGEINT|UNION\(|VARIANT|GEOMETRY")
ZONED_TIMESTAMP = "TIMESTAMP WITH TIME ZONE"


def needs_text(columns: tuple[ResultColumn, ...]) -> bool:
    """Whether a column of the result would lose something in Arrow."""
    return any(_lossy(column.type) for column in columns)


def _lossy(type_: str) -> bool:
    return AS_TEXT.search(re.sub(r"'(?:[^']|'')*'", "''", type_.replace(ZONED_TIMESTAMP, ""))) is not None


def wrapped(sql: str, columns: tuple[ResultColumn, ...]) -> str:
    """The statement as a subquery whose lossy columns are cast to text. `sql` was parsed as one SELECT before."""
    tokens = sqlglot.tokenize(sql, read="duckdb")
    last = next(token for token in reversed(tokens) if token.text != ";")
    names = [f"c{index}" for index in range(len(columns))]
    shown = [_shown(name, column) for name, column in zip(names, columns, strict=True)]
    return f"SELECT {', '.join(shown)} FROM ({sql[: last.end + 1]}\n) AS result({', '.join(names)})"  # noqa: S608


def _shown(name: str, column: ResultColumn) -> str:
    value = f"CAST({name} AS VARCHAR)" if _lossy(column.type) else name
    return f"{value} AS {_quoted(column.name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def schema(given: pa.Schema) -> pa.Schema:
    """The schema that is written: dictionaries (ENUM) as their values, nothing of DuckDB's own metadata."""
    return pa.schema([pa.field(field.name, _plain(field.type), field.nullable) for field in given])


def _plain(type_: pa.DataType) -> pa.DataType:
    if isinstance(type_, pa.BaseExtensionType):
        return type_.storage_type
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def batch(given: pa.RecordBatch) -> pa.RecordBatch:
    """A batch in the written schema."""
    columns = []
    for column in given.columns:
        if isinstance(column.type, pa.BaseExtensionType):
            column = column.storage
        columns.append(column.dictionary_decode() if pa.types.is_dictionary(column.type) else column)
    return pa.RecordBatch.from_arrays(columns, schema=schema(given.schema))

"""An Iceberg table as something that DuckDB can scan, without DuckDB ever opening a file.

Two ways, the first wherever it is exact:

- a pyarrow `Dataset` over the snapshot's Parquet files: DuckDB pushes columns and filters into it, and Arrow skips
  files by their identity partition and row groups by their statistics;
- `Scanned`, read by pyiceberg itself and re-scannable, for what the first cannot do by name alone: delete files,
  renamed or re-used column names, promoted types. Equality deletes, which pyiceberg refuses, fail in words.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.dataset as ds
from pyiceberg.io.pyarrow import PyArrowFileIO, schema_to_pyarrow
from pyiceberg.manifest import FileFormat
from pyiceberg.table import FileScanTask, Table
from pyiceberg.transforms import IdentityTransform


class ArrowSource(Protocol):
    """Anything that hands out Arrow data through the C stream interface, any number of times."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A new stream over all of it."""


@dataclass(frozen=True)
class Scanned:
    """A table that pyiceberg reads for each scan."""

    table: Table
    schema: pa.Schema

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A new stream over the current snapshot."""
        reader = self.table.scan().to_arrow_batch_reader()
        return reader.cast(self.schema).__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The schema alone, which costs no scan."""
        return self.schema.__arrow_c_schema__()


def arrow_schema(table: Table) -> pa.Schema:
    """The table's columns in Arrow's types, with 32-bit offsets as Parquet files have them."""
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)
    return pa.schema([pa.field(field.name, _small(field.type), field.nullable) for field in schema])


def source(table: Table) -> ds.Dataset | Scanned:
    """What DuckDB scans."""
    schema = arrow_schema(table)
    tasks = list(table.scan().plan_files())
    if not _by_name(table) or not all(_plain(task) for task in tasks):
        return Scanned(table, schema)
    return _dataset(table, tasks, schema)


def _dataset(table: Table, tasks: list[FileScanTask], schema: pa.Schema) -> ds.Dataset:
    io = table.io
    if not tasks or not isinstance(io, PyArrowFileIO):
        return ds.dataset(schema.empty_table()) if not tasks else Scanned(table, schema)
    scheme, netloc, _ = PyArrowFileIO.parse_location(tasks[0].file.file_path)
    filesystem = io.fs_by_scheme(scheme, netloc)
    format_ = ds.ParquetFileFormat()
    fragments = [
        format_.make_fragment(
            PyArrowFileIO.parse_location(task.file.file_path)[2], filesystem, partition_expression=_known(table, task)
        )
        for task in tasks
    ]
    return ds.FileSystemDataset(fragments, schema, format_, filesystem)


def _known(table: Table, task: FileScanTask) -> ds.Expression | None:
    """What holds for every row of a file: its identity partition."""
    spec = table.specs()[task.file.spec_id]
    known: ds.Expression | None = None
    for position, field in enumerate(spec.fields):
        value: Any = task.file.partition[position]
        if not isinstance(field.transform, IdentityTransform) or not isinstance(value, int | str):
            continue
        name = table.schema().find_column_name(field.source_id)
        if name is None or "." in name:
            continue
        equal = ds.field(name) == value
        known = equal if known is None else known & equal
    return known


def _plain(task: FileScanTask) -> bool:
    return not task.delete_files and task.file.file_format == FileFormat.PARQUET


def _by_name(table: Table) -> bool:
    """Whether every column has had one name and one type for as long as the table exists, so that files of any age
    can be read by name. (A column that was added later is NULL in older files: that is by name too.)"""
    current = {field.field_id: (field.name, str(field.field_type)) for field in table.schema().fields}
    names = {name: field_id for field_id, (name, _) in current.items()}
    for schema in table.schemas().values():
        for field in schema.fields:
            if field.field_id in current and current[field.field_id] != (field.name, str(field.field_type)):
                return False
            if names.get(field.name, field.field_id) != field.field_id:
                return False
    return all(field.initial_default is None for field in table.schema().fields)


def _small(type_: pa.DataType) -> pa.DataType:
    """The same type with 32-bit offsets."""
    if pa.types.is_large_string(type_):
        return pa.string()
    if pa.types.is_large_binary(type_):
        return pa.binary()
    if pa.types.is_large_list(type_) or pa.types.is_list(type_):
        return pa.list_(_small_field(type_.value_field))
    if pa.types.is_struct(type_):
        return pa.struct([_small_field(type_.field(index)) for index in range(type_.num_fields)])
    if pa.types.is_map(type_):
        return pa.map_(_small(type_.key_type), _small_field(type_.item_field))
    return type_


def _small_field(field: pa.Field) -> pa.Field:
    return pa.field(field.name, _small(field.type), field.nullable)

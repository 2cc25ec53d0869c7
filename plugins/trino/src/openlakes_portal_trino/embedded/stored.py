"""A stored result as a table for DuckDB."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa


@dataclass(frozen=True)
class StoredResult:
    """An Arrow IPC stream file, mapped into memory and read anew for each scan. Its columns are called c0, c1, ...,
    because names of a result may stand twice."""

    path: Path

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A new stream over the file."""
        reader = pa.ipc.open_stream(pa.memory_map(str(self.path)))
        schema = _numbered(reader.schema)
        batches = (pa.RecordBatch.from_arrays(batch.columns, schema=schema) for batch in reader)
        return pa.RecordBatchReader.from_batches(schema, batches).__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The schema alone."""
        with pa.OSFile(str(self.path), "rb") as file, pa.ipc.open_stream(file) as reader:
            return _numbered(reader.schema).__arrow_c_schema__()


def _numbered(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f"c{index}", field.type) for index, field in enumerate(schema)])

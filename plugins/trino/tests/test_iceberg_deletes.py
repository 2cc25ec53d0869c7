"""Row-level deletes of Iceberg (format v2): what another engine has deleted is not shown, or the refusal says why."""

import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet as pq
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent, ManifestWriterV2
from pyiceberg.table import Table
from pyiceberg.typedef import Record

from .conftest import Ask, Lakehouse, MakeEngine

POSITION_DELETES = pa.schema(
    [
        pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"}),
    ]
)


@pytest.fixture
def delete_from(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`delete_from(table, content, rows)`: a delete file as Spark or Flink would commit it. pyiceberg reads such files
    and does not write them, so its writer is told that the manifest is one of deletes."""

    def commit(table: Table, content: DataFileContent, rows: pa.Table, columns: list[int] | None) -> None:
        path = Path(table.location().removeprefix("file://")) / "data" / f"{uuid.uuid4()}-deletes.parquet"
        pq.write_table(rows, path)
        file = DataFile.from_args(
            content=content,
            file_path=path.as_uri(),
            file_format=FileFormat.PARQUET,
            partition=Record(),
            record_count=rows.num_rows,
            file_size_in_bytes=path.stat().st_size,
            equality_ids=columns,
        )
        file.spec_id = 0
        with monkeypatch.context() as patch:
            patch.setattr(ManifestWriterV2, "content", lambda self: ManifestContent.DELETES)
            with table.transaction() as transaction, transaction.update_snapshot().fast_append() as append:
                append.append_data_file(file)

    return commit


@pytest.fixture
def numbers(lakehouse: Lakehouse) -> Any:
    """A table `lab.<unique>` of the ids 0 to 9, and its catalog's end afterwards."""
    catalog = lakehouse.catalog()
    rows = pa.table({"id": pa.array(range(10), pa.int64())})
    table = catalog.create_table(f"lab.t{uuid.uuid4().hex}", rows.schema, properties={"format-version": "2"})
    table.append(rows)
    yield table
    catalog.engine.dispose()


async def test_rows_that_position_deletes_name_are_gone(
    numbers: Table, delete_from: Any, make_engine: MakeEngine, ask: Ask
) -> None:
    name = ".".join(numbers.name())
    assert (await ask(make_engine(), f"SELECT count(*), sum(id) FROM {name}")).rows == [(10, 45)]
    data = next(iter(numbers.scan().plan_files())).file.file_path
    deleted = pa.table({"file_path": [data, data], "pos": pa.array([3, 7], pa.int64())}, schema=POSITION_DELETES)
    delete_from(numbers, DataFileContent.POSITION_DELETES, deleted, None)
    answer = await ask(make_engine(), f"SELECT count(*), sum(id) FROM {name}")
    assert answer.rows == [(8, 45 - 3 - 7)]
    assert (await ask(make_engine(), f"SELECT id FROM {name} WHERE id IN (2, 3)")).rows == [(2,)]


async def test_equality_deletes_are_refused_in_words_and_never_ignored(
    numbers: Table, delete_from: Any, make_engine: MakeEngine, ask: Ask
) -> None:
    ids = pa.schema([pa.field("id", pa.int64(), True, {"PARQUET:field_id": "1"})])
    delete_from(numbers, DataFileContent.EQUALITY_DELETES, pa.table({"id": [3]}, schema=ids), [1])
    answer = await ask(make_engine(), f"SELECT count(*) FROM {'.'.join(numbers.name())}")
    assert answer.status.state == "failed"
    assert answer.status.error.kind == "engine"
    assert "equality deletes" in answer.status.error.message.lower()

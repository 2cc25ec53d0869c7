"""Values in the forms of a result, the store's retention, and turns."""

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv as pacsv
from pyarrow import parquet as pq

from openlakes_portal_trino.embedded.types import duckdb_type
from openlakes_portal_trino.queries.turns import Turns
from openlakes_portal_trino.results.forms import Csv, Ndjson, to_parquet
from openlakes_portal_trino.results.store import FileResultStore, Kept, expired
from openlakes_portal_trino.results.values import json_values


@pytest.mark.parametrize(
    ("column", "values"),
    [
        (pa.array([2**63 - 1, None]), ["9223372036854775807", None]),
        (pa.array([2**31 - 1, -1], pa.int32()), [2**31 - 1, -1]),
        (pa.array([2**32 - 1], pa.uint32()), [2**32 - 1]),
        (pa.array([Decimal("-0.000000001")], pa.decimal128(38, 9)), ["-0.000000001"]),
        (pa.array([1.5, float("nan"), float("inf"), float("-inf"), None]), [1.5, "NaN", "Infinity", "-Infinity", None]),
        (pa.array([0.1, None], pa.float32()), [0.1, None]),
        (pa.array([{"a": [1, None]}, None]), [{"a": ["1", None]}, None]),
        (pa.array([[], None, [[1]]], pa.list_(pa.list_(pa.int8()))), [[], None, [[1]]]),
        (pa.array([[(1, "a")], None], pa.map_(pa.int8(), pa.string())), [[[1, "a"]], None]),
        (pa.nulls(2), [None, None]),
        (pa.array([True, None]), [True, None]),
    ],
)
def test_json_is_exact(column: pa.Array, values: list[object]) -> None:
    assert json_values(column) == values
    padded = pa.concat_arrays([column, column])
    assert json_values(padded.slice(len(column))) == values  # an offset, as batches that were cut have


@given(st.lists(st.one_of(st.none(), st.text()), max_size=20))
def test_csv_tells_null_from_empty_and_begins_no_formula(values: list[str | None]) -> None:
    batch = pa.record_batch({"a": pa.array(values, pa.string()), "b": pa.array(range(len(values)))})
    text = Csv().head(batch.schema, []) + Csv().body(batch)
    options = pacsv.ConvertOptions(
        strings_can_be_null=True, quoted_strings_can_be_null=False, column_types={"a": pa.string()}
    )
    parse = pacsv.ParseOptions(newlines_in_values=True)
    read = pacsv.read_csv(pa.BufferReader(text), convert_options=options, parse_options=parse) if values else None
    found = read["a"].to_pylist() if read is not None else []
    for given_, got in zip(values, found, strict=True):
        if given_ is None or got is None:
            assert given_ is got is None
        else:
            assert got.removeprefix("'") == given_ or got == given_
            assert got[:1] not in tuple("=+-@\t\r\n")


def test_a_name_that_stands_twice_survives_every_form(tmp_path: Path) -> None:
    batch = pa.RecordBatch.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pa.OSFile(str(tmp_path / "r"), "wb") as file, pa.ipc.new_stream(file, batch.schema) as writer:
        writer.write_batch(batch)
    to_parquet(tmp_path / "r", tmp_path / "p")
    assert pq.read_table(tmp_path / "p").column_names == ["a", "a_2"]
    assert Csv().head(batch.schema, []) == b'"a","a"\n'
    assert json.loads(Ndjson().body(batch)) == ["1", "2"]


def test_old_and_too_many_results_go_but_none_in_use() -> None:
    now = time.time()
    kept = [Kept("old", 10, now - 100), Kept("used", 10, now - 100), Kept("a", 50, now - 3), Kept("b", 50, now)]
    assert expired(kept, 50, 1000, frozenset({"used"})) == ["old"]
    assert expired(kept, 50, 60, frozenset({"used"})) == ["old", "a"]
    assert expired(kept, 1000, 1000, frozenset()) == []


def test_the_store_forgets_what_it_is_told_to(tmp_path: Path) -> None:
    store = FileResultStore(tmp_path / "results")
    store.place("x").write_bytes(b"abc")
    assert [result.bytes for result in store.kept()] == [3]
    store.discard("x")
    store.discard("x")
    assert store.find("x") is None


async def test_turns_are_bounded_for_each_person_and_in_all() -> None:
    turns = Turns(per_user=1, total=2)
    entered: list[str] = []
    leave = asyncio.Event()

    async def take(owner: str) -> None:
        async with turns.turn(owner, asyncio.Event()):
            entered.append(owner)
            await leave.wait()

    tasks = [asyncio.create_task(take(owner)) for owner in ("a", "a", "b", "c")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert entered == ["a", "b"]
    assert (turns.waiting("a"), turns.waiting("c")) == (1, 1)
    tasks[1].cancel()
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert entered == ["a", "b", "c"]
    assert (turns.waiting("a"), turns.waiting("c")) == (0, 0)


@pytest.mark.parametrize(
    ("iceberg", "duckdb"),
    [
        ("decimal(38, 9)", "DECIMAL(38,9)"),
        ("list<int>", "INTEGER[]"),
        ("map<string, list<long>>", "MAP(VARCHAR, BIGINT[])"),
        ("struct<1: a: optional int, 2: b: required list<string>>", "STRUCT(a INTEGER, b VARCHAR[])"),
        ("fixed[16]", "BLOB"),
        ("variant", "variant"),
    ],
)
def test_iceberg_types_in_duckdbs_words(iceberg: str, duckdb: str) -> None:
    assert duckdb_type(iceberg) == duckdb

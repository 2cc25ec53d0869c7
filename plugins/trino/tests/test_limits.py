"""SECURITY G52: statements that want too much get a clear answer, and the memory stays bounded."""

import asyncio
from pathlib import Path

import pyarrow as pa
import pytest

from openlakes_portal.spi import Statement
from openlakes_portal_trino.spool import SpoolLimits, SpoolWriter

from .conftest import Ask, MakeEngine, person

MIB = 1024 * 1024


async def test_ten_million_rows_are_cut_at_the_limit(make_engine: MakeEngine, ask: Ask) -> None:
    answer = await ask(make_engine(), "SELECT range, range * 2 FROM range(10000000)", row_limit=50_000)
    assert (answer.status.rows, answer.status.truncated) == (50_000, True)


async def test_a_result_is_cut_at_its_bytes(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine(queries={"result_limit": 4 * MIB})
    answer = await ask(engine, "SELECT repeat('x', 1000) FROM range(1000000)")
    assert answer.status.truncated
    assert 2 * MIB < answer.status.bytes <= 4 * MIB + 64 * 1024


async def test_a_cell_of_100_megabytes_is_cut_and_flagged(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine(queries={"cell_limit": MIB}, memory_limit=1024 * MIB)
    answer = await ask(engine, "SELECT repeat('x', 100000000) AS cell, 1 AS one")
    assert answer.status.truncated
    assert answer.table is not None
    assert len(answer.table["cell"][0].as_py()) <= MIB
    nested = await ask(engine, "SELECT [repeat('x', 100000000)] AS cell")
    assert (nested.status.rows, nested.status.truncated) == (0, True)


async def test_ten_thousand_columns_answer(make_engine: MakeEngine, ask: Ask) -> None:
    columns = ", ".join(f"range + {index} AS c{index}" for index in range(10_000))
    answer = await ask(make_engine(memory_limit=1024 * MIB), f"SELECT {columns} FROM range(500)", row_limit=100)
    if answer.status.state == "failed":
        assert answer.status.error.kind == "resources", answer.status.error
    else:
        assert (answer.status.rows, len(answer.status.columns)) == (100, 10_000)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(DISTINCT a.range * 100000 + b.range) FROM range(100000) a, range(100000) b",
        "SELECT string_agg(repeat('x', 1000)) FROM range(100000000)",
        "SELECT list(range) FROM range(1000000000)",
        "SELECT a.range FROM range(1000000) a, range(1000000) b ORDER BY hash(a.range + b.range)",
    ],
)
async def test_a_statement_that_explodes_ends_in_words(make_engine: MakeEngine, ask: Ask, sql: str) -> None:
    engine = make_engine(temp_limit=16 * MIB, memory_limit=300 * MIB, time_limit=4)
    answer = await ask(engine, sql)
    assert answer.status.state == "failed"
    assert answer.status.error.kind in ("resources", "timeout"), answer.status.error


async def test_the_memory_of_a_worker_stays_under_its_limit(make_engine: MakeEngine, tmp_path: Path) -> None:
    engine = make_engine(memory_limit=300 * MIB, temp_limit=16 * MIB)
    sql = "SELECT list(range) FROM range(1000000000)"
    running = await engine.start(person("data-engineer"), Statement(sql), tmp_path / "x")
    assert engine._workers.server is not None
    inherited = anonymous(int(engine._workers.server.pid or 0))
    worker = int(str(running.status().engine_query_id).removeprefix("worker-"))
    peak = 0
    async with asyncio.timeout(30):
        while not running.status().done:
            await running.wait(running.status(), 0.05)
            peak = max(peak, anonymous(worker))
    assert 0 < peak - inherited < 450 * MIB


def anonymous(pid: int) -> int:
    """Bytes of a process that are in memory and in no file; 0 once it is gone."""
    try:
        words = (Path("/proc") / str(pid) / "status").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(words[words.index("RssAnon:") + 1]) * 1024 if "RssAnon:" in words else 0


async def test_a_statement_nested_too_deeply_is_refused(make_engine: MakeEngine, ask: Ask) -> None:
    answer = await ask(make_engine(), "SELECT " + "(" * 20_000 + "1" + "+1)" * 20_000)
    assert answer.status.state == "failed"
    assert answer.status.error.kind in ("syntax", "resources", "engine"), answer.status.error


async def test_a_scratch_folder_is_gone_with_its_statement(make_engine: MakeEngine, ask: Ask, tmp_path: Path) -> None:
    engine = make_engine(memory_limit=256 * MIB)
    await ask(engine, "SELECT count(*) FROM (SELECT DISTINCT hash(range) FROM range(3000000))")
    assert list(tmp_path.glob("statement-*")) == []


def test_a_page_that_is_exactly_full_is_not_truncated(tmp_path: Path) -> None:
    batch = pa.record_batch({"a": [1, 2, 3]})
    writer = SpoolWriter(tmp_path / "x", batch.schema, SpoolLimits(3, MIB, MIB))
    assert writer.write(batch)
    assert not writer.truncated
    assert not writer.write(batch)
    assert (writer.rows, writer.truncated) == (3, True)
    writer.close()

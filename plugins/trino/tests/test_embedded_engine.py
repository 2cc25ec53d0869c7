"""The embedded engine: what it answers, and how it ends."""

import asyncio
import os
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from openlakes_portal.spi import NotFound, Statement

from .conftest import Ask, MakeEngine, person


async def test_a_query_reads_the_iceberg_table(make_engine: MakeEngine, ask: Ask) -> None:
    answer = await ask(make_engine(), "SELECT count(*), sum(delay) FROM lake.nyc.flights WHERE month = 2")
    assert answer.rows == [(1000, sum(row % 60 for row in range(3000) if row % 3 == 1 and row % 100))]
    assert [column.type for column in answer.status.columns] == ["BIGINT", "HUGEINT"]
    assert answer.status.rows == answer.status.total_rows == 1


async def test_values_arrive_exact(make_engine: MakeEngine, ask: Ask) -> None:
    answer = await ask(make_engine(), "SELECT * FROM lake.lab.exact")
    first, second = answer.rows
    assert first[0] == 2**63 - 1
    assert first[1] == Decimal("12345678901234567890123456789.123456789")
    assert first[2] != first[2]
    assert first[3:] == ("", b"\x00\xff", ["a", None])
    assert second == (None,) * 6


@pytest.mark.parametrize(
    ("expression", "type_", "value"),
    [
        ("170141183460469231731687303715884105727::HUGEINT", "HUGEINT", Decimal(2**127 - 1)),
        ("340282366920938463463374607431768211455::UHUGEINT", "UHUGEINT", str(2**128 - 1)),
        ("'10:00:00+02'::TIMETZ", "TIME WITH TIME ZONE", "10:00:00+02"),
        ("'101'::BIT", "BIT", "101"),
        ("'a'::ENUM('a', 'b')", "ENUM('a', 'b')", "a"),
        ("union_value(n := 1)", "UNION(n INTEGER)", "1"),
        (
            "'123456789012345678901234567890123456789012345'::BIGNUM",
            "BIGNUM",
            "123456789012345678901234567890123456789012345",
        ),
        ("{'a': [1.5::DECIMAL(38,9)]}", "STRUCT(a DECIMAL(38,9)[])", {"a": [Decimal("1.500000000")]}),
        ("MAP {'k': 1}", "MAP(VARCHAR, INTEGER)", [("k", 1)]),
    ],
)
async def test_a_type_keeps_its_value(
    make_engine: MakeEngine, ask: Ask, expression: str, type_: str, value: object
) -> None:
    answer = await ask(make_engine(), f"SELECT {expression} AS value, 1 AS value ORDER BY 1; -- the end")
    assert answer.status.columns[0].type == type_
    assert answer.table is not None
    assert answer.table.column(0).to_pylist() == [value]


async def test_parameters_are_bound_and_never_spliced(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine()
    sql = "SELECT :word AS a, ':word' AS b, 1::int AS c /* :word */ WHERE :number > 1"
    answer = await ask(engine, sql, parameters={"word": "'; DROP TABLE x; --", "number": 2})
    assert answer.rows == [("'; DROP TABLE x; --", ":word", 1)]
    for given in ({"word": "x"}, {"word": "x", "number": 1, "more": 2}, {}):
        failed = await ask(engine, sql, parameters=given)
        assert failed.status.error is not None
        assert failed.status.error.kind == "input"


async def test_default_catalog_and_schema_resolve_names(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine()
    assert (await ask(engine, "SELECT count(*) FROM flights", catalog="lake", schema="nyc")).rows == [(3000,)]
    assert (await ask(engine, "SELECT count(*) FROM nyc.Flights")).rows == [(3000,)]
    missing = await ask(engine, "SELECT 1", catalog="lake", schema="nowhere")
    assert missing.status.error.kind == "not_found"


@pytest.mark.parametrize(
    ("sql", "kind", "line", "column"),
    [
        ("SELECT\n  1 +\n  FROM", "syntax", 3, 3),
        ("SELECT 'ü', nope FROM nyc.flights", "not_found", 1, 13),
        ("SELECT *\nFROM nyc.absent", "not_found", 2, 6),
        ("SELECT\n\tread_text('/etc/passwd')", "syntax", 2, 2),
        ("SELECT *\nFROM read_text('/etc/passwd')", "permission", 2, 6),
        ("EXPLAIN  SELECT nope FROM nyc.flights", "not_found", 1, 17),
        ("SELECT CAST('x' AS integer)", "engine", 1, 8),
        ("  ", "input", None, None),
    ],
)
async def test_errors_have_their_kind_and_place(
    make_engine: MakeEngine, ask: Ask, sql: str, kind: str, line: int | None, column: int | None
) -> None:
    error = (await ask(make_engine(), sql)).status.error
    assert (error.kind, error.line, error.column) == (kind, line, column), error


async def test_row_limit_truncates_and_says_so(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine()
    cut = await ask(engine, "SELECT * FROM range(100000)", row_limit=10)
    assert (cut.status.rows, cut.status.truncated, cut.status.total_rows) == (10, True, None)
    whole = await ask(engine, "SELECT * FROM range(10)", row_limit=10)
    assert (whole.status.rows, whole.status.truncated, whole.status.total_rows) == (10, False, 10)
    assert len(whole.rows) == 10


async def test_explain_and_describe_and_show_answer(make_engine: MakeEngine, ask: Ask) -> None:
    engine = make_engine()
    assert "FILTER" in str((await ask(engine, "EXPLAIN SELECT * FROM nyc.flights WHERE delay > 1")).rows).upper()
    assert (await ask(engine, "explain analyze select count(*) from nyc.flights")).rows
    described = await ask(engine, "DESCRIBE nyc.flights")
    assert [row[:2] for row in described.rows][1] == ("month", "INTEGER")
    shown = await ask(engine, "SHOW TABLES", catalog="lake", schema="nyc")
    assert shown.rows == [("flights",), ("planes",), ("secrets",)]
    listed = await ask(
        engine, "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL", "bi-analyst"
    )
    assert listed.rows == [("nyc", "flights"), ("nyc", "planes")]


def computing(pid: int) -> bool:
    """Whether the engine works on it: a tenth of a second of processor time was used."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]) >= os.sysconf("SC_CLK_TCK") // 10


async def test_stop_proves_the_process_dead_in_time(make_engine: MakeEngine, tmp_path: Path) -> None:
    engine = make_engine()
    running = await engine.start(
        person("data-engineer"),
        Statement("SELECT sum(a.range) FROM range(1e9::bigint) a, range(1e5::bigint)"),
        tmp_path / "x",
    )
    pid = int(str(running.status().engine_query_id).removeprefix("worker-"))
    async with asyncio.timeout(20):
        while not computing(pid):
            await running.wait(running.status(), 0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    status = await running.stop()
    assert loop.time() - began < 2
    assert status.state == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_killed_worker_fails_its_query_alone(make_engine: MakeEngine, ask: Ask, tmp_path: Path) -> None:
    engine = make_engine()
    slow = Statement("SELECT sum(a.range) FROM range(1e9::bigint) a, range(1e5::bigint)")
    running = await engine.start(person("data-engineer"), slow, tmp_path / "x")
    other = asyncio.create_task(ask(engine, "SELECT count(*) FROM nyc.flights"))
    os.kill(int(str(running.status().engine_query_id).removeprefix("worker-")), signal.SIGKILL)
    async with asyncio.timeout(10):
        while not running.status().done:
            await running.wait(running.status(), 5)
    status = running.status()
    assert status.state == "failed"
    assert status.error is not None
    assert "Nothing else is affected" in status.error.message
    assert (await other).rows == [(3000,)]


async def test_the_time_limit_ends_a_statement(make_engine: MakeEngine, ask: Ask) -> None:
    answer = await ask(make_engine(time_limit=1.5), "SELECT sum(a.range) FROM range(1e9::bigint) a, range(1e5::bigint)")
    assert (answer.status.state, answer.status.error.kind) == ("failed", "timeout")


async def test_three_statements_at_once_do_not_wait_for_each_other(
    make_engine: MakeEngine, ask: Ask, tmp_path: Path
) -> None:
    engine = make_engine()
    endless = Statement("SELECT sum(a.range) FROM range(1e9::bigint) a, range(1e5::bigint)")
    blocked = [await engine.start(person("data-engineer"), endless, tmp_path / f"b{index}") for index in range(2)]
    assert (await ask(engine, "SELECT 42")).rows == [(42,)]
    assert not any(running.status().done for running in blocked)


async def test_the_tree_shows_what_a_role_may_see(make_engine: MakeEngine) -> None:
    engine = make_engine()
    engineer, analyst, viewer = person("data-engineer"), person("bi-analyst"), person("viewer")
    assert list(await engine.schemas(engineer, "lake")) == ["lab", "nyc"]
    assert list(await engine.schemas(analyst, "lake")) == ["nyc"]
    assert list(await engine.catalogs(viewer)) == []
    assert [table.name for table in await engine.tables(analyst, "lake", "nyc")] == ["flights", "planes"]
    planes = await engine.table(analyst, "lake", "nyc", "planes")
    assert [(column.name, column.type) for column in planes.columns] == [("tailnum", "VARCHAR"), ("seats", "BIGINT")]
    flights = await engine.table(engineer, "lake", "nyc", "flights")
    assert (flights.rows, flights.partitioned_by, flights.comment) == (3000, ("month",), "Departures")
    assert (await engine.table(analyst, "lake", "nyc", "flights")).rows is None  # a filter: the true count is hidden
    for who, where in (
        (viewer, ("lake", "nyc", "flights")),
        (analyst, ("lake", "nyc", "secrets")),
        (engineer, ("x", "y", "z")),
    ):
        with pytest.raises(NotFound):
            await engine.table(who, *where)


async def test_functions_are_listed_without_the_refused_ones(make_engine: MakeEngine) -> None:
    names = set(await make_engine().functions())
    assert {"date_trunc", "sum", "unnest"} <= names
    assert not {"read_csv", "current_setting", "arrow_scan", "query"} & names

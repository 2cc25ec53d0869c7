"""The engine `trino` against the real server (marked `server`), and what can be said of it without one."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import pytest_asyncio
from pydantic import SecretStr

from openlakes_portal.spi import NotFound, Principal, Statement
from openlakes_portal.testing import SignedIn, candidate_for, portal_for
from openlakes_portal_trino import plugin
from openlakes_portal_trino.coordinator import reading
from openlakes_portal_trino.coordinator.credentials import HeldCredential, TrinoCredential
from openlakes_portal_trino.coordinator.engine import CoordinatorEngine
from openlakes_portal_trino.coordinator.running import RunningInTrino
from openlakes_portal_trino.coordinator.segments import Segment, segments_of
from openlakes_portal_trino.coordinator.statements import bound
from openlakes_portal_trino.parameters import ParameterMismatch
from openlakes_portal_trino.settings import Settings
from openlakes_portal_trino.spool import SpoolLimits

from .conftest import Ask, EngineContext, Minted, person

BIG = "SELECT count(*) FROM tpch.sf10.lineitem a CROSS JOIN tpch.sf10.lineitem b WHERE a.orderkey + b.orderkey = -1"


async def run(client: SignedIn, sql: str) -> list[dict[str, Any]]:
    """The rows of a statement, through the portal."""
    api = "/api/plugins/trino/queries"
    query = (await client.post(api, json={"sql": sql})).json()
    async with asyncio.timeout(60):
        while query["state"] in ("queued", "running"):
            await asyncio.sleep(0.05)
            query = (await client.get(f"{api}/{query['id']}")).json()
    assert query["state"] == "finished", query["error"]
    arrow = await client.get(f"{api}/{query['id']}/results", headers={"accept": "application/vnd.apache.arrow.stream"})
    rows: list[dict[str, Any]] = pa.ipc.open_stream(arrow.content).read_all().to_pylist()
    return rows


@pytest_asyncio.fixture(params=["segments", "pages"])
async def trino(
    request: pytest.FixtureRequest, trino_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[CoordinatorEngine]:
    """The engine, in front of a real Trino that wants a token for each person; by the spooling protocol and without."""
    spooling = request.param == "segments"
    where = {"address": trino_server.url, "verify": trino_server.certificate, "spooling": spooling}
    settings = Settings.model_validate({"trino": where})
    context: Any = EngineContext(settings, tmp_path)
    listed: list[bool] = []

    def listing(data: Mapping[str, Any]) -> list[Segment]:
        listed.append(True)
        return segments_of(data)

    monkeypatch.setattr(reading, "segments_of", listing)
    yield CoordinatorEngine(context, Minted(trino_server))
    assert bool(listed) <= spooling, "segments come to whom asks for them only"
    if request.function is test_rows_and_a_sum_of_many_pages:
        assert bool(listed) == spooling, "and to everybody who does"


@pytest.mark.server
async def test_values_arrive_exact(trino: CoordinatorEngine, ask: Ask) -> None:
    answer = await ask(
        trino,
        """SELECT 9223372036854775807 AS big, DECIMAL '12345678901234567890123456789.123456789' AS money,
        nan() AS nothing_real, CAST(infinity() AS real) AS endless, '' AS empty, CAST(NULL AS varchar) AS missing,
        X'00ff' AS raw, DATE '2013-01-01' AS day, TIME '10:00:00.123456' AS clock,
        TIMESTAMP '2013-01-01 10:00:00.123456' AS plain, TIMESTAMP '2013-01-01 10:00:00 America/New_York' AS zoned,
        TIMESTAMP '2013-01-01 10:00:00.123456789012' AS fine, ARRAY[1, NULL] AS list,
        MAP(ARRAY[1], ARRAY['a']) AS map, CAST(ROW(1, DECIMAL '1.5') AS row(a bigint, b decimal(38,9))) AS row,
        INTERVAL '3' MONTH AS span, UUID '12151fd2-7586-11e9-8f9e-2a86e4085a59' AS id, JSON '{"a":1}' AS js""",
    )
    assert answer.table is not None
    row = answer.table.to_pylist()[0]
    assert row["big"] == 2**63 - 1
    assert row["money"] == Decimal("12345678901234567890123456789.123456789")
    assert row["nothing_real"] != row["nothing_real"]
    assert row["endless"] == float("inf")
    assert (row["empty"], row["missing"], row["raw"]) == ("", None, b"\x00\xff")
    assert str(row["plain"]) == "2013-01-01 10:00:00.123456"
    assert row["zoned"].isoformat() == "2013-01-01T15:00:00+00:00"
    assert row["fine"] == "2013-01-01 10:00:00.123456789012"
    assert (row["list"], row["map"]) == ([1, None], [(1, "a")])
    assert row["row"] == {"a": 1, "b": Decimal("1.500000000")}
    assert (str(row["clock"]), str(row["day"]), row["span"]) == ("10:00:00.123456", "2013-01-01", "0-3")
    assert [column.type for column in answer.status.columns][:2] == ["bigint", "decimal(38, 9)"]


@pytest.mark.server
async def test_what_no_column_can_hold_ends_the_statement_in_words(trino: CoordinatorEngine, ask: Ask) -> None:
    answer = await ask(trino, "SELECT TIMESTAMP '9999-12-31 23:59:59 America/New_York'")
    assert (answer.status.state, answer.status.error.kind) == ("failed", "engine")
    assert "outside of the years 1 to 9999" in answer.status.error.message


@pytest.mark.server
async def test_a_result_without_rows_has_its_columns(trino: CoordinatorEngine, ask: Ask) -> None:
    answer = await ask(trino, "SELECT nationkey, name FROM tpch.tiny.nation WHERE nationkey < 0")
    assert (answer.status.rows, answer.status.total_rows) == (0, 0)
    assert [column.name for column in answer.status.columns] == ["nationkey", "name"]


@pytest.mark.server
async def test_rows_and_a_sum_of_many_pages(trino: CoordinatorEngine, ask: Ask) -> None:
    answer = await ask(trino, "SELECT orderkey, totalprice FROM tpch.tiny.orders")
    assert (answer.status.rows, answer.status.truncated, answer.status.total_rows) == (15_000, False, 15_000)
    assert answer.table is not None
    counted = await ask(trino, "SELECT sum(orderkey) FROM tpch.tiny.orders")
    assert sum(answer.table["orderkey"].to_pylist()) == counted.rows[0][0]
    assert answer.status.splits_total
    cut = await ask(trino, "SELECT * FROM tpch.tiny.orders", row_limit=10)
    assert (cut.status.state, cut.status.rows, cut.status.truncated) == ("finished", 10, True)
    # Of segments Trino says how many rows they have; of pages nobody knows who did not ask for the rest.
    assert cut.status.total_rows == (15_000 if trino._settings.spooling else None)


@pytest.mark.server
@pytest.mark.parametrize(
    ("sql", "parameters", "kind", "line", "column"),
    [
        ("SELECT\n  1 +\n  FROM", {}, "syntax", 3, 3),
        ("SELECT *\nFROM tpch.tiny.absent", {}, "not_found", 2, 6),
        ("SELECT 1,\n  nope FROM tpch.tiny.nation WHERE 1 = :one", {"one": 1}, "not_found", 2, 3),
        ("SELECT 1; SELECT 2", {}, "syntax", 1, 9),
        ("SELECT 1 / 0", {}, "engine", None, None),
        ("SELECT :a", {}, "input", None, None),
    ],
)
async def test_errors_have_their_kind_and_place(
    trino: CoordinatorEngine,
    ask: Ask,
    sql: str,
    parameters: dict[str, Any],
    kind: str,
    line: int | None,
    column: int | None,
) -> None:
    error = (await ask(trino, sql, parameters=parameters)).status.error
    assert (error.kind, error.line, error.column) == (kind, line, column), error


@pytest.mark.server
async def test_g50_what_a_person_may_not_read_or_write_trino_refuses(trino: CoordinatorEngine, ask: Ask) -> None:
    for sql in (
        "SELECT * FROM tpch.tiny.orders",
        "CREATE TABLE memory.default.t AS SELECT 1 AS a",
        "EXPLAIN ANALYZE CREATE TABLE memory.default.t AS SELECT 1 AS a",
        "EXECUTE IMMEDIATE 'DROP TABLE memory.default.t'",
    ):
        error = (await ask(trino, sql, "bi-analyst")).status.error
        assert error.kind in ("permission", "not_found"), (sql, error)
    masked = await ask(trino, "SELECT DISTINCT comment FROM tpch.tiny.nation", "bi-analyst")
    assert masked.rows == [("***",)]


@pytest.mark.server
async def test_parameters_are_bound(trino: CoordinatorEngine, ask: Ask) -> None:
    sql = "SELECT :word AS word, :number + 1 AS number, ':word' AS text, :real AS real, :none AS none, :yes AS yes"
    given = {"word": "it's; --", "number": 41, "real": 0.5, "none": None, "yes": True}
    assert (await ask(trino, sql, parameters=given)).rows == [("it's; --", 42, ":word", 0.5, None, True)]


@pytest.mark.server
async def test_g51_stop_is_proven_by_trino_itself(trino: CoordinatorEngine, tmp_path: Path) -> None:
    running = await trino.start(person("data-engineer"), Statement(BIG), tmp_path / "x")
    async with asyncio.timeout(30):
        while not running.status().splits_total:
            await running.wait(running.status(), 5)
    began = time.monotonic()
    status = await running.stop()
    took = time.monotonic() - began
    assert (status.state, status.error.kind if status.error else None) == ("cancelled", "cancelled")
    connect = await trino._connector(person("data-engineer"), None, None)
    assert connect().has_ended(str(status.engine_query_id))
    assert took < 2, took


@pytest.mark.server
async def test_the_portals_own_token_opens_trino_and_says_who_asks(trino_server: Any, tmp_path: Path) -> None:
    """The portal's issuer, its ES256 key and its JWKS as Trino reads it; the key is the one that the server knows."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "issuer-es256.pem").write_bytes(trino_server.key.as_pem(private=True))
    trino = {"address": trino_server.url, "verify": str(trino_server.certificate), "audience": "trino"}
    site = {
        "server": {"public_url": trino_server.issuer, "data_dir": str(data)},
        "plugins": {"trino": {"trino": trino}},
    }
    async with portal_for(tmp_path, site, [candidate_for("trino", plugin)]) as portal:
        keys = (await portal.anonymous.get("/.well-known/jwks.json")).json()["keys"]
        assert trino_server.key.kid in [key["kid"] for key in keys]
        for role in ("data-engineer", "bi-analyst"):
            answer = await run(portal.signed_in(role), "SELECT current_user AS me")
            assert answer == [{"me": role}]


@pytest.mark.server
async def test_the_tree_is_what_trino_shows_the_person(trino: CoordinatorEngine) -> None:
    engineer, analyst = person("data-engineer"), person("bi-analyst")
    assert {"memory", "tpch"} <= set(await trino.catalogs(engineer))
    assert "memory" not in await trino.catalogs(analyst)
    assert [table.name for table in await trino.tables(analyst, "tpch", "tiny")] == ["nation", "region"]
    nation = await trino.table(engineer, "tpch", "tiny", "nation")
    assert [(column.name, column.type) for column in nation.columns][:2] == [
        ("nationkey", "bigint"),
        ("name", "varchar(25)"),
    ]
    for where in (("memory", "default", "t"), ("tpch", "tiny", "orders")):
        with pytest.raises(NotFound):
            await trino.table(analyst, *where)
    assert "approx_distinct" in await trino.functions() or len(await trino.functions()) > 100


async def test_a_server_that_is_away_fails_the_query_in_words(tmp_path: Path, ask: Ask) -> None:
    settings = Settings.model_validate({"trino": {"address": "http://127.0.0.1:9", "timeout": 1}})
    context: Any = EngineContext(settings, tmp_path)
    answer = await ask(CoordinatorEngine(context), "SELECT 1")
    assert answer.status.state == "failed"
    assert "cannot be reached" in answer.status.error.message


@pytest.mark.parametrize("fault", [RuntimeError("it is broken"), MemoryError(), OverflowError("too large")])
async def test_whatever_goes_wrong_a_statement_ends(tmp_path: Path, fault: Exception) -> None:
    def connect() -> Any:
        raise fault

    with ThreadPoolExecutor(1) as threads:
        limits = SpoolLimits(None, 1 << 20, 1 << 20)
        running = RunningInTrino(connect, "SELECT 1", tmp_path / "spool", limits, threads)
        async with asyncio.timeout(10):
            status = running.status()
            while not status.done:
                status = await running.wait(status, 1)
        assert status.state == "failed"
        assert status.error is not None
        assert (str(fault) or "MemoryError") in status.error.message
        assert (await running.stop()).state == "failed"
    assert not (tmp_path / "spool").exists()


async def test_a_statement_that_outlives_its_token_goes_on_with_a_new_one() -> None:
    class Short:
        asked = 0

        async def of(self, principal: Principal) -> TrinoCredential:
            self.asked += 1
            lasts = timedelta(seconds=30 if self.asked == 1 else 300)
            return TrinoCredential(principal.username, SecretStr(f"token {self.asked}"), datetime.now(UTC) + lasts)

    short, who = Short(), person("data-engineer")
    credential = HeldCredential(short, who, await short.of(who))
    for _ in range(3):
        bearer = await asyncio.to_thread(credential.bearer)
        assert bearer is not None
        assert bearer.get_secret_value() == "token 2"
    assert short.asked == 2


def test_a_bound_statement_keeps_text_and_values_apart() -> None:
    assert bound("SELECT :a ;", {"a": "x'y"}) == "EXECUTE IMMEDIATE 'SELECT ?' USING 'x''y'"
    assert bound("EXPLAIN (TYPE IO, FORMAT JSON) SELECT :a", {"a": 1}) == (
        "EXPLAIN (TYPE IO, FORMAT JSON) EXECUTE IMMEDIATE 'SELECT ?' USING 1"
    )
    assert bound("SELECT ':a' -- :b", {}) == "SELECT ':a' -- :b"
    with pytest.raises(ParameterMismatch):
        bound("SELECT 1", {"a": 1})


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("trino", ["pages"], indirect=True)
async def test_the_tree_is_quick_at_a_thousand_tables(trino: CoordinatorEngine, ask: Ask) -> None:
    many = 1_000
    assert (await ask(trino, "CREATE SCHEMA memory.crowd")).status.state == "finished"
    turn = asyncio.Semaphore(12)

    async def make(number: int) -> None:
        async with turn:
            status = (await ask(trino, f"CREATE TABLE memory.crowd.t{number:04} (a bigint)")).status
            assert status.state == "finished", status.error

    await asyncio.gather(*(make(number) for number in range(many)))
    one = await trino.tables(person("data-engineer"), "tpch", "tiny")
    began = time.monotonic()
    few = await trino.tables(person("data-engineer"), "tpch", "tiny")
    yardstick = time.monotonic() - began
    began = time.monotonic()
    found = await trino.tables(person("data-engineer"), "memory", "crowd")
    took = time.monotonic() - began
    assert len(one) == len(few)
    assert [table.name for table in found] == [f"t{number:04}" for number in range(many)]
    assert took < 3 * yardstick + 1, (took, yardstick)

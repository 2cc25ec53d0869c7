"""P7: a result of the real Trino in Arrow, against the `trino` client's defaults; run by `make bench`.

Both read the same statement from the same server, in interleaved rounds: the yardstick by `trino.dbapi` as it comes,
rows as Python objects; ours by the engine `trino` of the workbench, into the Arrow spool, by segments and by pages. Two
figures: the whole way, in which the server's own time has a part, for a table in memory, one in the lakehouse and rows
that Trino makes up while it is asked; and the client's side alone: the same rows, decoded again by both.
"""

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import trino.auth
import trino.dbapi
from pydantic import SecretStr

from openlakes_portal.spi import Principal, Statement
from openlakes_portal_stack.runner.component import LeftOut
from openlakes_portal_trino.coordinator.credentials import TrinoCredential
from openlakes_portal_trino.coordinator.engine import CoordinatorEngine
from openlakes_portal_trino.coordinator.writing import ResultWriter
from openlakes_portal_trino.settings import Settings
from openlakes_portal_trino.spool import SpoolLimits
from real_servers import trino as real

ROWS = 1_000_000
FLIGHTS = 336_776
ROUNDS = 3
COLUMNS = (
    "orderkey, partkey, suppkey, linenumber, quantity, extendedprice, discount, tax, returnflag, shipdate, commitdate, "
    "shipmode"
)
MADE_UP = f"SELECT {COLUMNS} FROM tpch.sf1.lineitem LIMIT {ROWS}"  # noqa: S608
IN_MEMORY = "SELECT * FROM memory.default.lines"
IN_THE_LAKEHOUSE = "SELECT * FROM lakehouse.nyc.flights"
WHO = "data-engineer"


class Tokens:
    """Tokens of the issuer that the bench plays."""

    def __init__(self, server: real.TrinoServer) -> None:
        self._server = server

    async def of(self, principal: Principal) -> TrinoCredential:
        return TrinoCredential(principal.username, SecretStr(self._server.token(principal.username)))


class Bench:
    """The little of a `Context` that the engine uses."""

    plugin_id = "trino"

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.data_dir = settings, folder

    async def in_thread(self, function: Any, /, *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)


def by_client(server: real.TrinoServer, sql: str) -> list[Any]:
    """The rows as the official client has them, as it comes."""
    host, port = server.url.removeprefix("https://").split(":")
    connection = trino.dbapi.connect(
        host=host,
        port=int(port),
        user=WHO,
        http_scheme="https",
        auth=trino.auth.JWTAuthentication(server.token(WHO)),
        verify=str(server.certificate),
    )
    rows: list[Any] = connection.cursor().execute(sql).fetchall()
    connection.close()
    return rows


async def by_engine(engine: CoordinatorEngine, sql: str, folder: Path) -> pa.Table:
    """The rows of the workbench's engine: the complete Arrow stream, read."""
    spool = folder / "result.arrow"
    person = Principal(subject=WHO, issuer="bench", username=WHO, name=WHO)
    running = await engine.start(person, Statement(sql), spool)
    status = running.status()
    while not status.done:
        status = await running.wait(status, 30)
    assert status.state == "finished", status.error
    with pa.OSFile(str(spool), "rb") as file, pa.ipc.open_stream(file) as reader:
        table = reader.read_all()
    spool.unlink()
    return table


async def whole_way(
    server: real.TrinoServer, engines: list[CoordinatorEngine], sql: str, expected: int, folder: Path
) -> list[float]:
    """Median seconds of the client and of each engine."""
    rounds = []
    for _ in range(ROUNDS):
        took = []
        began = time.perf_counter()
        rows = await asyncio.to_thread(by_client, server, sql)
        took.append(time.perf_counter() - began)
        assert len(rows) == expected, len(rows)
        del rows
        for engine in engines:
            began = time.perf_counter()
            table = await by_engine(engine, sql, folder)
            took.append(time.perf_counter() - began)
            assert table.num_rows == expected, table.num_rows
        rounds.append(took)
    return [statistics.median(times) for times in zip(*rounds, strict=True)]


def page(server: real.TrinoServer) -> tuple[bytes, list[Any]]:
    """All rows in Trino's JSON, and the columns."""
    import json

    import requests

    session = requests.Session()
    session.trust_env, session.verify = False, str(server.certificate)
    headers = {"Authorization": f"Bearer {server.token(WHO, 3600)}", "X-Trino-User": WHO}
    told = session.post(f"{server.url}/v1/statement", data=IN_MEMORY, headers=headers).json()
    rows: list[Any] = []
    while "nextUri" in told:
        told = session.get(told["nextUri"], headers=headers).json()
        rows += told.get("data") or []
    session.close()
    assert len(rows) == ROWS, len(rows)
    return json.dumps(rows, separators=(",", ":")).encode(), told["columns"]


def decoded_by_client(data: bytes, columns: list[Any]) -> float:
    """Seconds of the client's own JSON and its row mapper, as it comes."""
    import json

    from trino.mapper import RowMapperFactory

    began = time.perf_counter()
    rows = RowMapperFactory().create(columns, legacy_primitive_types=False).map(json.loads(data))
    took = time.perf_counter() - began
    assert len(rows) == ROWS
    return took


def decoded_by_engine(data: bytes, columns: list[Any], folder: Path) -> float:
    """Seconds of ours: a segment's JSON into the spool."""
    began = time.perf_counter()
    spool = folder / "segment.arrow"
    writer = ResultWriter(spool, SpoolLimits(None, 1 << 40, 1 << 30))
    writer.open(columns)
    writer.write(writer.of_segment(data, ROWS))
    writer.close()
    took = time.perf_counter() - began
    assert writer.rows == ROWS
    spool.unlink()
    return took


async def measure(server: real.TrinoServer, folder: Path) -> None:
    """Measure and print."""

    def engine(spooling: bool) -> CoordinatorEngine:
        where = {"address": server.url, "verify": server.certificate, "spooling": spooling}
        limits = {"result_limit": 1 << 34, "max_row_limit": 10_000_000}
        context: Any = Bench(Settings.model_validate({"trino": where, "queries": limits}), folder)
        return CoordinatorEngine(context, Tokens(server))

    engines = [engine(True), engine(False)]
    table = await by_engine(engines[0], f"CREATE TABLE memory.default.lines AS {MADE_UP}", folder)
    assert table.to_pylist() == [{"rows": ROWS}]
    for of, sql, rows in (
        ("a table in memory", IN_MEMORY, ROWS),
        ("a table of the lakehouse", IN_THE_LAKEHOUSE, FLIGHTS),
        ("rows that tpch makes up", MADE_UP, ROWS),
    ):
        await by_engine(engines[0], sql, folder)  # what runs first is compiled first
        theirs, segments, pages = await whole_way(server, engines, sql, rows, folder)
        rates = f"{rows / segments / 1000:,.0f} against {rows / theirs / 1000:,.0f} krows/s"
        print(f"P7 Trino results, {of}, by segments: {theirs / segments:.2f} x the client's defaults (goal 5; {rates})")
        print(f"P7 Trino results, {of}, by pages: {theirs / pages:.2f} x the client's defaults")
    data, columns = await asyncio.to_thread(page, server)
    alone = [(decoded_by_client(data, columns), decoded_by_engine(data, columns, folder)) for _ in range(ROUNDS)]
    theirs, ours = (statistics.median(times) for times in zip(*alone, strict=True))
    rates = f"{ROWS / ours / 1000:,.0f} against {ROWS / theirs / 1000:,.0f} krows/s"
    print(f"P7 Trino results, the client's side alone, the same rows: {theirs / ours:.2f} x ({rates})")


def main() -> None:
    """Start Trino, where it can be had."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # else it wins over what the client is told to trust
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as name:
        try:
            with real.running(Path(name)) as server:
                asyncio.run(measure(server, Path(name)))
        except LeftOut as reason:
            print(f"P7 not measured: {reason}")


if __name__ == "__main__":
    main()

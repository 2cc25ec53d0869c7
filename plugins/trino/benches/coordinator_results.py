"""P7: a result of the real Trino in Arrow, against the `trino` client's defaults; run by `make bench`.

Both read the same statement from the same server, in interleaved rounds: the yardstick by `trino.dbapi` as it comes,
rows as Python objects; ours by the engine `trino` of the workbench, pages into the Arrow spool. Two figures: the whole
way, in which the server's own time is most of it, and the client's side alone: the same pages, decoded again by both.
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
import trino.client
import trino.dbapi
from pydantic import SecretStr

from openlakes_portal.spi import Principal, Statement
from openlakes_portal_trino.coordinator.credentials import TrinoCredential
from openlakes_portal_trino.coordinator.engine import CoordinatorEngine
from openlakes_portal_trino.coordinator.running import _ResultWriter
from openlakes_portal_trino.settings import Settings
from openlakes_portal_trino.spool import SpoolLimits
from real_servers import trino as real

ROWS = 200_000
ROUNDS = 3
COLUMNS = (
    "orderkey, partkey, suppkey, linenumber, quantity, extendedprice, discount, tax, returnflag, shipdate, commitdate, "
    "shipmode"
)
SQL = f"SELECT {COLUMNS} FROM tpch.sf1.lineitem LIMIT {ROWS}"  # noqa: S608
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


def by_client(server: real.TrinoServer) -> float:
    """Seconds of the official client, as it comes."""
    began = time.perf_counter()
    host, port = server.url.removeprefix("https://").split(":")
    connection = trino.dbapi.connect(
        host=host,
        port=int(port),
        user=WHO,
        http_scheme="https",
        auth=trino.auth.JWTAuthentication(server.token(WHO)),
        verify=str(server.certificate),
    )
    rows = connection.cursor().execute(SQL).fetchall()
    assert len(rows) == ROWS
    connection.close()
    return time.perf_counter() - began


async def by_engine(engine: CoordinatorEngine, folder: Path) -> float:
    """Seconds of the workbench's engine, to the complete Arrow stream."""
    began = time.perf_counter()
    spool = folder / f"{began}.arrow"
    person = Principal(subject=WHO, issuer="bench", username=WHO, name=WHO)
    running = await engine.start(person, Statement(SQL), spool)
    status = running.status()
    while not status.done:
        status = await running.wait(status, 30)
    assert (status.state, status.rows) == ("finished", ROWS), status.error
    took = time.perf_counter() - began
    with pa.OSFile(str(spool), "rb") as file, pa.ipc.open_stream(file) as reader:
        assert reader.read_all().num_rows == ROWS
    spool.unlink()
    return took


def pages(server: real.TrinoServer) -> list[bytes]:
    """Every page of the result, as the server sent it."""
    import requests

    session = requests.Session()
    session.trust_env, session.verify = False, str(server.certificate)
    headers = {"Authorization": f"Bearer {server.token(WHO, 3600)}", "X-Trino-User": WHO}
    answer = session.post(f"{server.url}/v1/statement", data=SQL, headers=headers)
    found = [answer.content]
    while "nextUri" in answer.json():
        answer = session.get(answer.json()["nextUri"], headers=headers)
        found.append(answer.content)
    session.close()
    return [page for page in found if b'"data"' in page]


def decoded_by_client(kept: list[bytes]) -> float:
    """Seconds of the client's own JSON and its row mapper, as it comes."""
    import json

    from trino.mapper import RowMapperFactory

    began = time.perf_counter()
    mapper, rows = None, 0
    for page in kept:
        told = json.loads(page)
        mapper = mapper or RowMapperFactory().create(told["columns"], legacy_primitive_types=False)
        rows += len(mapper.map(told["data"]))
    assert rows == ROWS, rows
    return time.perf_counter() - began


def decoded_by_engine(kept: list[bytes], folder: Path) -> float:
    """Seconds of ours: JSON, whole columns, the spool."""
    import orjson

    began = time.perf_counter()
    spool = folder / "pages.arrow"
    writer = _ResultWriter(spool, SpoolLimits(None, 1 << 40, 1 << 30))
    for page in kept:
        told = orjson.loads(page)
        writer.write(trino.client.TrinoStatus("", {}, [], "", None, None, None, told["data"], told["columns"]))
    writer.close()
    assert writer.rows == ROWS, writer.rows
    took = time.perf_counter() - began
    spool.unlink()
    return took


async def measure(server: real.TrinoServer, folder: Path) -> None:
    """Measure and print."""
    settings = Settings.model_validate(
        {
            "trino": {"address": server.url, "verify": server.certificate},
            "queries": {"result_limit": 1 << 34, "max_row_limit": 10_000_000},
        }
    )
    context: Any = Bench(settings, folder)
    engine = CoordinatorEngine(context, Tokens(server))
    await by_engine(engine, folder)  # what runs first is compiled first
    whole = [(await asyncio.to_thread(by_client, server), await by_engine(engine, folder)) for _ in range(ROUNDS)]
    kept = await asyncio.to_thread(pages, server)
    alone = [(decoded_by_client(kept), decoded_by_engine(kept, folder)) for _ in range(ROUNDS)]
    for what, rounds in (("whole way", whole), ("client's side alone, the same pages", alone)):
        theirs, ours = (statistics.median(times) for times in zip(*rounds, strict=True))
        rates = f"{ROWS / ours / 1000:,.0f} against {ROWS / theirs / 1000:,.0f} krows/s"
        print(f"P7 Trino results, {what}: {theirs / ours:.2f} x the trino client's defaults (goal 5; {rates})")


def main() -> None:
    """Start Trino, where it can be had."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # else it wins over what the client is told to trust
        os.environ.pop(name, None)
    try:
        home = real.installed()
    except real.NotAvailable as reason:
        print(f"P7 not measured: {reason}")
        return
    with tempfile.TemporaryDirectory() as name, real.running(home, Path(name)) as server:
        asyncio.run(measure(server, Path(name)))


if __name__ == "__main__":
    main()

"""Fixtures of the SQL plugin's tests: a small Iceberg lakehouse, people, the embedded engine over it."""

import asyncio
import decimal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import pytest_asyncio
from pydantic import SecretStr
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.transforms import IdentityTransform

from openlakes_portal.spi import Principal, QueryStatus, SqlEngine, Statement
from openlakes_portal_trino.coordinator.credentials import TrinoCredential
from openlakes_portal_trino.embedded.engine import EmbeddedEngine
from openlakes_portal_trino.embedded.process import Workers
from openlakes_portal_trino.settings import Settings

SECRET_PLACE = "vault-of-files"
"""Stands in the path of every file of the lakehouse: it must be in no message."""


def person(role: str) -> Principal:
    """Somebody who holds one role; the user name is the role, as in the demo."""
    return Principal(subject=role, issuer="test", username=role, name=role.title(), roles=frozenset({role}))


@dataclass(frozen=True)
class Lakehouse:
    """A pyiceberg SQL catalog: `nyc.flights` (partitioned), `nyc.planes`, `nyc.secrets`, `lab.exact`."""

    folder: Path

    @property
    def settings(self) -> dict[str, Any]:
        """As they stand in the settings file under `plugins.trino`."""
        uri, warehouse = f"sqlite:///{self.folder}/catalog.db", (self.folder / "warehouse").as_uri()
        everybody, nyc = "data-engineer|bi-analyst", {"catalog": "lake", "schema": "nyc", "privileges": ["SELECT"]}
        mask = {"name": "tailnum", "mask": "substr(tailnum, 1, 1) || '***'"}
        return {
            "duckdb": {"catalogs": {"lake": {"uri": uri, "warehouse": warehouse}}, "memory_limit": 512 * 1024**2},
            "access": {
                "catalogs": [{"role": everybody, "catalog": "lake"}],
                "tables": [
                    {"role": "data-engineer", "catalog": "lake", "privileges": ["SELECT"]},
                    {
                        **nyc,
                        "role": "bi-analyst",
                        "table": "planes",
                        "columns": [mask, {"name": "cost", "allow": False}],
                    },
                    {**nyc, "role": "bi-analyst", "table": "flights", "filter": "carrier = 'UA'"},
                    {**nyc, "role": "bi-analyst", "table": "secrets", "privileges": []},
                    {**nyc, "role": "bi-analyst"},
                ],
            },
        }

    def catalog(self) -> SqlCatalog:
        """The catalog itself."""
        return SqlCatalog(
            "lake", uri=f"sqlite:///{self.folder}/catalog.db", warehouse=(self.folder / "warehouse").as_uri()
        )


def _flights() -> pa.Table:
    rows = 3000
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "month": pa.array([row % 3 + 1 for row in range(rows)], pa.int32()),
            "carrier": pa.array([("UA", "AA", "B6")[row % 3] for row in range(rows)]),
            "tailnum": pa.array([f"N{row % 10}" for row in range(rows)]),
            "delay": pa.array([None if row % 100 == 0 else row % 60 for row in range(rows)], pa.int32()),
            "at": pa.array(
                [datetime(2013, 1, 1, row % 24, tzinfo=UTC) for row in range(rows)], pa.timestamp("us", "UTC")
            ),
        }
    )


def _exact() -> pa.Table:
    return pa.table(
        {
            "big": pa.array([2**63 - 1, None], pa.int64()),
            "money": pa.array([decimal.Decimal("12345678901234567890123456789.123456789"), None], pa.decimal128(38, 9)),
            "ratio": pa.array([float("nan"), None], pa.float64()),
            "word": pa.array(["", None], pa.string()),
            "raw": pa.array([b"\x00\xff", None], pa.binary()),
            "tags": pa.array([["a", None], None], pa.list_(pa.string())),
        }
    )


@pytest.fixture(scope="session")
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """Four small tables, made once."""
    made = Lakehouse(tmp_path_factory.mktemp(SECRET_PLACE))
    (made.folder / "warehouse").mkdir()
    catalog = made.catalog()
    for namespace in ("nyc", "lab"):
        catalog.create_namespace(namespace)
    flights = _flights()
    table = catalog.create_table("nyc.flights", flights.schema, properties={"comment": "Departures"})
    with table.update_spec() as update:
        update.add_field("month", IdentityTransform(), "month")
    assert table.spec() != PartitionSpec()
    table.append(flights)
    planes = pa.table(
        {
            "tailnum": [f"N{row}" for row in range(10)],
            "cost": list(range(10)),
            "seats": [100 + row for row in range(10)],
        }
    )
    catalog.create_table("nyc.planes", planes.schema).append(planes)
    secrets = pa.table({"word": ["hush"]})
    catalog.create_table("nyc.secrets", secrets.schema).append(secrets)
    catalog.create_table("lab.exact", _exact().schema).append(_exact())
    catalog.engine.dispose()
    return made


class Silent:
    """A log that keeps what was said."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def info(self, event: str, **facts: Any) -> None:
        self.events.append((event, facts))

    warning = error = info


class EngineContext:
    """The little of a Context that an engine uses."""

    def __init__(self, settings: Settings, data_dir: Path) -> None:
        self.plugin_id = "trino"
        self.settings = settings
        self.data_dir = data_dir
        self.log = Silent()

    async def in_thread(self, function: Callable[..., Any], /, *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)


class Minted:
    """Tokens of the issuer that the test plays."""

    def __init__(self, server: Any) -> None:
        self._server = server

    async def of(self, principal: Principal) -> TrinoCredential:
        return TrinoCredential(principal.username, SecretStr(self._server.token(principal.username)))


MakeEngine = Callable[..., EmbeddedEngine]


@pytest.fixture(scope="session")
def shared_workers() -> Iterator[Workers]:
    """One fork server for all engines of the tests."""
    workers = Workers(60.0)
    yield workers
    workers.close()


class LastingWorkers(Workers):
    """Workers that a portal does not end when it stops."""

    def close(self) -> None:
        """The next portal goes on with them."""


@pytest.fixture(scope="session")
def lasting_workers() -> Iterator[Workers]:
    """One fork server for all portals in the tests' own process, which would import everything again for each."""
    workers = LastingWorkers(60.0)
    yield workers
    Workers.close(workers)


@pytest_asyncio.fixture
async def make_engine(lakehouse: Lakehouse, tmp_path: Path, shared_workers: Workers) -> AsyncIterator[MakeEngine]:
    """An embedded engine over the lakehouse; keywords are settings of `duckdb` and, as `queries`, of queries."""
    made: list[EmbeddedEngine] = []

    def make(
        queries: dict[str, Any] | None = None, access: dict[str, Any] | None = None, **duckdb: Any
    ) -> EmbeddedEngine:
        raw = lakehouse.settings | ({} if access is None else {"access": access})
        settings = Settings.model_validate({**raw, "duckdb": {**raw["duckdb"], **duckdb}, "queries": queries or {}})
        context: Any = EngineContext(settings, tmp_path)
        made.append(EmbeddedEngine(context, shared_workers))
        return made[-1]

    yield make
    for engine in made:
        await engine.close()


@dataclass(frozen=True)
class Answer:
    """How a statement ended, and its rows."""

    status: QueryStatus
    table: pa.Table | None

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        """The rows as Python values."""
        assert self.status.state == "finished", self.status.error
        assert self.table is not None
        return [tuple(row.values()) for row in self.table.to_pylist()]


Ask = Callable[..., Any]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """`await ask(engine, sql, role=..., **statement)`: run it to its end and read the spool."""
    count = 0

    async def run(engine: SqlEngine, sql: str, role: str = "data-engineer", **statement: Any) -> Answer:
        nonlocal count
        count += 1
        spool = tmp_path / f"spool-{count}.arrow"
        running = await engine.start(person(role), Statement(sql, **statement), spool)
        status = running.status()
        async with asyncio.timeout(60):
            while not status.done:
                status = await running.wait(status, 1.0)
        if status.state != "finished":
            return Answer(status, None)
        with pa.OSFile(str(spool), "rb") as file, pa.ipc.open_stream(file) as reader:
            return Answer(status, reader.read_all())

    return run

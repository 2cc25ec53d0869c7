"""The embedded engine's health: lost, cut and closed files of tables, an absent catalog; reading makes none."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from openlakes_portal.spi import HealthReport
from openlakes_portal_trino.embedded import checkup
from openlakes_portal_trino.embedded.checkup import Checkup
from openlakes_portal_trino.embedded.engine import EmbeddedEngine
from openlakes_portal_trino.embedded.metadata import Metadata
from openlakes_portal_trino.embedded.process import Workers
from openlakes_portal_trino.settings import Settings

from .conftest import SECRET_PLACE, Ask, EngineContext, Lakehouse, person


class Clock:
    """Seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _put_back(lakehouse: Lakehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Iceberg's metadata hold absolute paths, so a copy elsewhere would read the original's files."""
    kept = tmp_path_factory.mktemp("kept")
    shutil.copytree(lakehouse.folder, kept / "all")
    yield
    shutil.rmtree(lakehouse.folder)
    shutil.copytree(kept / "all", lakehouse.folder)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def look(lakehouse: Lakehouse, clock: Clock) -> Callable[[], HealthReport]:
    """One round of the check-up, a minute after the last."""
    metadata = Metadata(Settings.model_validate(lakehouse.settings).duckdb.catalogs)
    made = Checkup(metadata, clock)

    def round_() -> HealthReport:
        clock.now += checkup.EVERY
        report = made.round()
        assert SECRET_PLACE not in f"{report}"
        return report

    return round_


def files(lakehouse: Lakehouse, table: str, kind: str) -> list[Path]:
    found = sorted((lakehouse.folder / "warehouse" / "nyc").glob(f"{table}/{kind}"))
    assert found
    return found


DATA, METADATA = "data/**/*.parquet", "metadata/*.metadata.json"


def test_a_lakehouse_in_order_is_healthy(lakehouse: Lakehouse, look: Callable[[], HealthReport]) -> None:
    catalog = lakehouse.catalog()
    tables = sum(len(catalog.list_tables(schema)) for schema in ("nyc", "lab"))
    catalog.engine.dispose()
    assert tables >= 4
    for _ in range(2):
        report = look()
        assert (report.state, report.details) == ("healthy", {"catalogs": "lake", "tables": str(tables)})


def test_lost_data_files_are_counted_and_their_return_is_seen(
    lakehouse: Lakehouse, look: Callable[[], HealthReport], clock: Clock, tmp_path: Path
) -> None:
    assert look().state == "healthy"
    first, second, *_ = files(lakehouse, "flights", DATA)
    for file in (first, second):
        shutil.move(file, tmp_path / file.name)
    report = look()
    assert (report.state, report.cause) == ("degraded", "Table lake.nyc.flights: 2 files lost.")
    assert "backup" in str(report.remedy)
    shutil.move(tmp_path / first.name, first)
    clock.now -= checkup.EVERY  # at once: what is broken is looked at in every round
    assert look().cause == "Table lake.nyc.flights: 1 file lost."
    shutil.move(tmp_path / second.name, second)
    assert look().state == "healthy"


def _cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _replace(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


@pytest.mark.parametrize("harm", [_cut, _replace])
def test_a_data_file_that_is_not_what_was_written_is_noticed(
    lakehouse: Lakehouse, look: Callable[[], HealthReport], harm: Callable[[Path], None]
) -> None:
    harm(files(lakehouse, "planes", DATA)[0])
    report = look()
    assert (report.state, report.cause) == ("degraded", "Table lake.nyc.planes: 1 file cut short or replaced.")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_noticed(lakehouse: Lakehouse, look: Callable[[], HealthReport]) -> None:
    files(lakehouse, "planes", DATA)[0].chmod(0)
    report = look()
    assert report.cause == "Table lake.nyc.planes: 1 file closed to the portal (no permission to read)."


@pytest.mark.parametrize(
    ("kind", "harm", "words"),
    [
        (METADATA, Path.unlink, "is lost"),
        (METADATA, _cut, "is unreadable"),
        ("metadata/snap-*.avro", Path.unlink, "is lost"),
        ("metadata/*-m0.avro", _replace, "is unreadable"),
    ],
)
def test_lost_and_unreadable_metadata_is_noticed(
    lakehouse: Lakehouse, look: Callable[[], HealthReport], kind: str, harm: Callable[[Path], None], words: str
) -> None:
    for file in files(lakehouse, "planes", kind):
        harm(file)
    report = look()
    assert (report.state, report.cause) == ("degraded", f"The metadata of table lake.nyc.planes {words}.")


def test_an_absent_catalog_is_reported_and_not_made(lakehouse: Lakehouse, look: Callable[[], HealthReport]) -> None:
    assert look().state == "healthy"
    database = lakehouse.folder / "catalog.db"
    database.unlink()
    report = look()
    assert (report.state, report.cause) == ("missing", "The database of the Iceberg catalog lake does not exist.")
    assert "plugins.trino.duckdb.catalogs.lake" in str(report.remedy)
    assert not database.exists()


@pytest.mark.parametrize("harm", [_replace, lambda file: os.truncate(file, 0)])
def test_a_database_that_is_no_catalog_is_reported_and_left_as_it_is(
    lakehouse: Lakehouse, look: Callable[[], HealthReport], harm: Callable[[Path], None]
) -> None:
    database = lakehouse.folder / "catalog.db"
    other = database.with_name("other")
    shutil.copy(database, other)
    harm(other)
    content = other.read_bytes()
    look()
    other.replace(database)
    report = look()
    assert report.state == "down"
    assert "The Iceberg catalog lake cannot be" in str(report.cause)
    assert database.read_bytes() == content


@pytest_asyncio.fixture
async def engine(lakehouse: Lakehouse, tmp_path: Path, shared_workers: Workers) -> AsyncIterator[EmbeddedEngine]:
    context: Any = EngineContext(Settings.model_validate(lakehouse.settings), tmp_path)
    made = EmbeddedEngine(context, shared_workers)
    yield made
    await made.close()


async def test_neither_the_tree_nor_a_statement_makes_a_catalog(
    lakehouse: Lakehouse, engine: EmbeddedEngine, ask: Ask
) -> None:
    database = lakehouse.folder / "catalog.db"
    database.unlink()
    answer = await ask(engine, "SELECT * FROM lake.nyc.planes")
    assert answer.status.state == "failed"
    assert answer.status.error.message == "The database of the catalog lake does not exist."
    with pytest.raises(Exception, match="does not exist"):
        await engine.schemas(person("data-engineer"), "lake")
    assert (await engine.health()).state == "missing"
    assert not database.exists()


async def test_a_statement_says_that_the_catalog_or_a_file_cannot_be_read(
    lakehouse: Lakehouse, engine: EmbeddedEngine, ask: Ask
) -> None:
    files(lakehouse, "planes", DATA)[0].unlink()
    lost = (await ask(engine, "SELECT * FROM lake.nyc.planes")).status
    assert lost.state == "failed"
    assert SECRET_PLACE not in lost.error.message
    os.truncate(lakehouse.folder / "catalog.db", 0)
    empty = (await ask(engine, "SELECT * FROM lake.nyc.planes")).status
    assert (empty.state, empty.error.kind) == ("failed", "engine")
    assert empty.error.message.startswith("The catalog of the tables cannot be read")

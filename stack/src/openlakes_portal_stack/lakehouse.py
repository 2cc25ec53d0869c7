"""The demo's lakehouse: five Iceberg tables in a pyiceberg SQL catalog (a SQLite file) with its warehouse beside it.

Run as a process of its own by `demo.seed`, so that the portal never imports Arrow for it:
`python -I -m openlakes_portal_stack.lakehouse FOLDER` prints one line of progress a step, and ends at once when its
standard input closes, that is when the process that wanted it is gone.

A table is *complete* once its figures were read back and agree with the source's; only then it gets the property
`SEEDED`. Whatever lacks it (an interruption between two steps) is made anew, so that a run can be cut off anywhere.
"""

import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from openlakes_portal_stack import flights13
from openlakes_portal_stack.flights13 import SourceTable
from openlakes_portal_stack.places import CATALOG, NAMESPACE, catalog_uri, warehouse

SEEDED = "openlakes.seeded-from"
LAYOUT = "1"
"""Raise it when the tables' layout changes: they are then made anew."""

Progress = Callable[[str], None]


class SeedFailed(RuntimeError):
    """What was written is not what was read; nothing was marked as complete."""


def open_catalog(folder: Path) -> SqlCatalog:
    """The catalog in `folder`, made on first use."""
    (folder / "warehouse").mkdir(parents=True, exist_ok=True)
    return SqlCatalog(CATALOG, uri=catalog_uri(folder), warehouse=warehouse(folder))


def fill(folder: Path, progress: Progress) -> None:
    """Make every table in `folder` that is not there, or not complete. Raises `SeedFailed`."""

    def emptied(name: str) -> str:
        location = folder / "warehouse" / NAMESPACE / name
        shutil.rmtree(location, ignore_errors=True)
        return location.as_uri()

    _fill(open_catalog(folder), emptied, progress)


def fill_catalog(catalog: Catalog, progress: Progress) -> None:
    """The same in a catalog that chooses its tables' places itself. Raises `SeedFailed`."""
    _fill(catalog, lambda name: None, progress)


def _fill(catalog: Catalog, emptied: Callable[[str], str | None], progress: Progress) -> None:
    catalog.create_namespace_if_not_exists(NAMESPACE)
    seeded = f"{flights13.DISTRIBUTION} {flights13.version()}, layout {LAYOUT}"
    for source in flights13.TABLES:
        name = f"{CATALOG}.{NAMESPACE}.{source.name}"
        if _is_complete(catalog, source, seeded):
            progress(f"{name}: there")
            continue
        progress(f"{name}: reading the source")
        data = flights13.read(source)
        table = _make(catalog, emptied, source, data)
        _verify(table, source, data)
        with table.transaction() as transaction:
            transaction.set_properties({SEEDED: seeded})
        progress(f"{name}: {data.num_rows:,} rows written and verified")


def _is_complete(catalog: Catalog, source: SourceTable, seeded: str) -> bool:
    try:
        table = catalog.load_table((NAMESPACE, source.name))
        if table.properties.get(SEEDED) != seeded:
            return False
        return all(table.io.new_input(task.file.file_path).exists() for task in table.scan().plan_files())
    except (NoSuchTableError, OSError):
        return False  # never made, or its files are gone: the folder was moved or thinned out


def _make(catalog: Catalog, emptied: Callable[[str], str | None], source: SourceTable, data: pa.Table) -> Table:
    identifier = (NAMESPACE, source.name)
    if catalog.table_exists(identifier):
        catalog.drop_table(identifier)
    table = catalog.create_table(
        identifier,
        schema=source.schema,
        location=emptied(source.name),
        properties={"comment": source.comment, "format-version": "2"},
    )
    if source.partition:
        with table.update_spec() as update:
            update.add_field(source.partition, IdentityTransform(), source.partition)
    table.append(data)
    return table


def _verify(table: Table, source: SourceTable, data: pa.Table) -> None:
    wanted = flights13.figures(source, data)
    selected = (source.summed,) if source.summed else ("*",)
    found = flights13.figures(source, table.scan(selected_fields=selected).to_arrow())
    if found != wanted:
        raise SeedFailed(f"{source.name}: the source has {wanted}, the table has {found}")
    if source.partition and table.spec() == PartitionSpec():
        raise SeedFailed(f"{source.name} is not partitioned by {source.partition}")


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 4096):  # unbuffered: a buffered reader's lock aborts the interpreter's exit
        pass
    os._exit(3)


def main() -> int:
    """The command line. Exit status 0: all there; 1: the reason is the last line on standard error."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        fill(Path(sys.argv[1]), lambda line: print(line, flush=True))
    except (SeedFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

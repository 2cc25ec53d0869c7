"""Compares the tables of the lakehouse with their source: rows, and a sum where a table has one. A process of its own.

They are asked of Trino where `OPENLAKES_TRINO` holds address, certificate, user and password as JSON, else read from
the Iceberg catalog whose properties `OPENLAKES_CATALOG` holds. Exit status 0: all agree; 1: one differs or is not
there; 3: they cannot be asked now.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from openlakes_portal_stack import flights13
from openlakes_portal_stack.components.trino_client import TrinoFailed, rows
from openlakes_portal_stack.flights13 import Figures, SourceTable
from openlakes_portal_stack.places import CATALOG, NAMESPACE

CANNOT_BE_ASKED = 3
Ask = Callable[[SourceTable], Figures]


def main() -> int:
    """One line a table; the first difference ends it."""
    ask, name = (_trino(), "Trino") if "OPENLAKES_TRINO" in os.environ else (_catalog(), "the catalog")
    for source in flights13.TABLES:
        wanted = flights13.figures(source, flights13.read(source))
        try:
            found = ask(source)
        except (TrinoFailed, OSError, LookupError) as error:
            print(f"{source.name}: {error}", file=sys.stderr)
            return CANNOT_BE_ASKED if _passes(error) else 1
        if found != wanted:
            print(f"{source.name}: the source has {wanted}, {name} has {found}", file=sys.stderr)
            return 1
        print(f"{source.name}: {found.rows:,} rows, {source.summed or 'rows'} {found.total:.2f}")
    return 0


def _passes(error: Exception) -> bool:
    """Whether it is the engine's state, and not what it found: one that starts says so by an error of its own."""
    return error.kind != "USER_ERROR" if isinstance(error, TrinoFailed) else not isinstance(error, LookupError)


def _trino() -> Ask:
    told = json.loads(os.environ["OPENLAKES_TRINO"])
    account = (told["user"], told["password"])

    def ask(source: SourceTable) -> Figures:
        summed = f"sum({source.summed})" if source.summed else "count(*)"
        statement = f"SELECT count(*), {summed} FROM {CATALOG}.{NAMESPACE}.{source.name}"  # noqa: S608  # names of ours
        count, total = rows(told["address"], Path(told["certificate"]), account, statement)[0]
        return Figures(count, source.summed, round(float(total), 6))

    return ask


def _catalog() -> Ask:
    from pyiceberg.catalog import load_catalog
    from pyiceberg.exceptions import NoSuchTableError

    catalog = load_catalog(CATALOG, **json.loads(os.environ["OPENLAKES_CATALOG"]))

    def ask(source: SourceTable) -> Figures:
        try:
            table = catalog.load_table((NAMESPACE, source.name))
        except NoSuchTableError as error:
            raise LookupError(str(error)) from error
        selected = (source.summed,) if source.summed else ("*",)
        return flights13.figures(source, table.scan(selected_fields=selected).to_arrow())

    return ask


if __name__ == "__main__":
    sys.exit(main())

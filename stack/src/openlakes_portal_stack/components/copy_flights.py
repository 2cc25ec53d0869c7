"""Writes the flights as CSV to a file, for a database that copies them in; a process of its own:
`python -m openlakes_portal_stack.components.copy_flights FILE` prints how many rows and the sum of their distances."""

import sys
from pathlib import Path

from pyarrow import csv

from openlakes_portal_stack import flights13

TYPES = {"int32": "integer", "double": "double precision", "string": "text", "timestamp[us, tz=UTC]": "timestamptz"}
"""PostgreSQL's types for the source's."""


def table() -> flights13.SourceTable:
    """The flights."""
    return next(source for source in flights13.TABLES if source.name == "flights")


def columns() -> str:
    """The columns of the table in SQL."""
    return ", ".join(f'"{field.name}" {TYPES[str(field.type)]}' for field in table().schema)


def main(file: Path) -> int:
    """Exit status 0: written."""
    data = flights13.read(table())
    csv.write_csv(data, file)
    figures = flights13.figures(table(), data)
    print(f"{figures.rows} {int(figures.total)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

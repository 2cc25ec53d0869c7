"""Compares the tables that Trino sees with their source: rows, and a sum where a table has one. A process of its own.

`OPENLAKES_TRINO` holds address, certificate, user and password as JSON. Exit status 0: all agree.
"""

import json
import os
import sys
from pathlib import Path

from openlakes_portal_stack import flights13
from openlakes_portal_stack.components.trino_client import TrinoFailed, rows
from openlakes_portal_stack.places import CATALOG, NAMESPACE


def main() -> int:
    """One line a table; the first difference ends it."""
    told = json.loads(os.environ["OPENLAKES_TRINO"])
    account = (told["user"], told["password"])
    for source in flights13.TABLES:
        wanted = flights13.figures(source, flights13.read(source))
        summed = f"sum({source.summed})" if source.summed else "count(*)"
        statement = f"SELECT count(*), {summed} FROM {CATALOG}.{NAMESPACE}.{source.name}"  # noqa: S608  # names of ours
        try:
            count, total = rows(told["address"], Path(told["certificate"]), account, statement)[0]
        except (TrinoFailed, OSError) as error:
            print(f"{source.name}: {error}", file=sys.stderr)
            return 1
        found = flights13.Figures(count, source.summed, round(float(total), 6))
        if found != wanted:
            print(f"{source.name}: the source has {wanted}, Trino has {found}", file=sys.stderr)
            return 1
        print(f"{source.name}: {count:,} rows, {source.summed or 'rows'} {total}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

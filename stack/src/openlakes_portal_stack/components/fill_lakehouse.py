"""Fills the stack's Iceberg catalog with the five tables; a process of its own. `OPENLAKES_CATALOG` holds the
catalog's properties as JSON."""

import json
import os
import sys

from pyiceberg.catalog import load_catalog

from openlakes_portal_stack.lakehouse import SeedFailed, fill_catalog
from openlakes_portal_stack.places import CATALOG


def main() -> int:
    """Exit status 0: all there, rows and sums read back; 1: the reason is the last line."""
    try:
        catalog = load_catalog(CATALOG, **json.loads(os.environ["OPENLAKES_CATALOG"]))
        fill_catalog(catalog, lambda line: print(line, flush=True))
    except (SeedFailed, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

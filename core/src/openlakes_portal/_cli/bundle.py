"""`openlakes bundle`: not there yet, said so."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Say where the bundle stands."""
    print("openlakes bundle: the air-gapped bundle is not part of this version (docs/roadmap.md).", file=sys.stderr)
    return 2

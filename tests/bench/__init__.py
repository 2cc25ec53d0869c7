"""Measurements against the goals, each beside its yardstick in one run: `make bench`. Ratios count, not times.

Servers and identity providers are those of the tests, found from the root of the checkout.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

"""What takes long: kills by the hundred, load for minutes, streams for half an hour. `make soak`.

Servers are those of the tests, found from the root of the checkout.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

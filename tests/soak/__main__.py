"""`make soak`: the tests of the audit log under `kill -9`, 200 rounds on each database, at least 10,000 answers.

The test is that of `make test`, which kills three times; here it goes on until the figure of docs/operators/audit.md is
reached. OPENLAKES_KILL_ROUNDS changes the number of rounds.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROUNDS, ANSWERS = "200", "50"
HOURS = 3


def main() -> int:
    """Run them; the exit status is pytest's."""
    environment = {"OPENLAKES_KILL_ROUNDS": ROUNDS, "OPENLAKES_KILL_ANSWERS": ANSWERS, **os.environ}
    environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(ROOT / "build" / "bytecode")}
    test = ROOT / "core" / "tests" / "replicas" / "test_kill.py"
    command = [sys.executable, "-m", "pytest", "-v", "-rP", f"--timeout={HOURS * 3600}", "--durations=0", str(test)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())

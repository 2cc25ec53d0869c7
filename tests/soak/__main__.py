"""`make soak` [ONLY="kill load streams hang"]: what the portal stands for minutes and hours.

*kill*: the tests of the audit log under `kill -9`, 200 rounds on each database, at least 10,000 answers. It is the test
of `make test`, which kills three times; here it goes on until the figure of docs/operators/audit.md is reached.
*load*, *streams*, *hang*: in front of an app behind the gateway; OPENLAKES_SOAK_SECONDS shortens each.
OPENLAKES_KILL_ROUNDS changes the number of rounds.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.figures import Figure
from soak import ROOT, hang, load, streams

ROUNDS, ANSWERS = "200", "50"
HOURS = 3
SOAKS: dict[str, tuple[float, Callable[[Path, float], Iterator[Figure]]]] = {
    "load": (600, load.measure),
    "streams": (1800, streams.measure),
    "hang": (240, hang.measure),
}
"""Each with the seconds that it takes."""


def kill() -> bool:
    """Run the tests; whether they pass."""
    environment = {"OPENLAKES_KILL_ROUNDS": ROUNDS, "OPENLAKES_KILL_ANSWERS": ANSWERS, **os.environ}
    test = ROOT / "core" / "tests" / "replicas" / "test_kill.py"
    command = [sys.executable, "-m", "pytest", "-v", "-rP", f"--timeout={HOURS * 3600}", "--durations=0", str(test)]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main(names: Sequence[str]) -> int:
    """Run these, or all. Exit status 0: every figure was reached."""
    known = ("kill", *SOAKS)
    if unknown := [name for name in names if name not in known]:
        print(f"There is no soak {unknown[0]!r}; there are {', '.join(known)}.", file=sys.stderr)
        return 2
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / "build" / "bytecode"))
    reached = True
    for name in names or known:
        if name == "kill":
            reached = kill() and reached
            continue
        seconds, measure = SOAKS[name]
        with tempfile.TemporaryDirectory(prefix="openlakes-soak-") as folder:
            for figure in measure(Path(folder), float(os.environ.get("OPENLAKES_SOAK_SECONDS", seconds))):
                print(figure, flush=True)
                reached = reached and figure.is_reached
    return 0 if reached else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

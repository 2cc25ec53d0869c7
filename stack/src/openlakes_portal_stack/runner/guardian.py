"""Ends a stack when the process that it belongs to is gone, however that died: `python -m ...guardian PID ROOT`.

The supervisor itself keeps it, so that nothing outlives the demo, not even after `kill -9`.
"""

import sys
import time
from pathlib import Path

import psutil

from openlakes_portal_stack.runner.component import Program, StackError
from openlakes_portal_stack.runner.layout import Layout
from openlakes_portal_stack.runner.supervision import Supervisor

NAME = "guardian"


def program(owner: int, layout: Layout) -> Program:
    """The guardian as a program of the stack that belongs to the process `owner`. Raises `StackError`."""
    try:
        born = psutil.Process(owner).create_time()
    except psutil.NoSuchProcess:
        raise StackError(f"There is no process {owner} that the stack could belong to.") from None
    return Program(NAME, [sys.executable, "-m", __name__, str(owner), repr(born), str(layout.root)], stop_seconds=5)


def main(owner: int, born: float, root: Path) -> int:
    """Watch, then end the stack. A process id alone may be given to another process meanwhile."""
    process = _found(owner, born)
    while process is not None and _lives(process):
        time.sleep(1)
    Supervisor(Layout(root)).ask_to_end()
    return 0


def _found(owner: int, born: float) -> psutil.Process | None:
    try:
        process = psutil.Process(owner)
        return process if process.create_time() == born else None
    except psutil.NoSuchProcess:
        return None


def _lives(process: psutil.Process) -> bool:
    """Whether it is still the same one. Its time of birth does not tell: it moves when the machine's clock is set."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


if __name__ == "__main__":
    raise SystemExit(main(int(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])))

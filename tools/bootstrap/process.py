"""Child processes that never outlive their parent, and words on the terminal."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

GRACE = 20.0


class Failure(Exception):
    """Something went wrong that the person at the terminal can act on: the text says what and how."""


def say(text: str) -> None:
    """One line of progress, on standard error so that standard output stays the command's own."""
    print(text, file=sys.stderr, flush=True)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def end_on_signals() -> None:
    """Turn SIGTERM and SIGHUP into an exit that runs the clean-up below; Ctrl+C does so by itself."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            child.poll()
            if not _group_lives(child.pid):
                return
            time.sleep(0.05)


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def run(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> int:
    """Run a command in a process group of its own and give its exit status; on a signal the whole group ends first.

    With `log`, the output goes to that file: for tools that are only interesting when they fail."""
    output = log.open("wb") if log else None
    # Without a terminal of its own nothing can ask a question and hang.
    child = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
    )
    try:
        return child.wait()
    except BaseException:
        _end_group(child)
        raise
    finally:
        if output:
            output.close()


def must(
    command: Sequence[str | Path], failure: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Run a command that has to succeed; `failure` says what that means and what to do."""
    status = run(command, cwd=cwd, env=env)
    if status != 0:
        words = " ".join(str(word) for word in command)
        raise Failure(f"{failure}\nThe command was: {words} (exit status {status})")

"""Whether the process that a stack belongs to lives: not by the clock on the wall, and not by its number alone."""

import os
import subprocess
import sys

import psutil
import pytest

from openlakes_portal_stack.runner.guardian import _found, _lives


def test_a_clock_that_is_set_ends_nobodys_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    process = _found(os.getpid(), psutil.Process().create_time())
    assert process is not None
    real = psutil._pslinux.boot_time  # what psutil adds to a process's age; it moves with the clock
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: real() + 600)
    assert _lives(process)


def test_an_owner_that_ended_is_gone_waited_for_or_not() -> None:
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    process = _found(owner.pid, psutil.Process(owner.pid).create_time())
    assert process is not None
    assert _lives(process)
    owner.kill()
    os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)
    assert not _lives(process)
    owner.communicate()
    assert not _lives(process)


def test_another_process_of_the_same_number_is_not_the_owner() -> None:
    assert _found(os.getpid(), psutil.Process().create_time() - 100) is None

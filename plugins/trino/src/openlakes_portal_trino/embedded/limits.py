"""Limits that the operating system keeps on a worker, beside DuckDB's own.

DuckDB counts its own buffers; Arrow's, Parquet's and the interpreter's memory it does not know. So a watcher reads
the resident size and ends the process before it harms the machine; where even that is too slow, the kernel does.
"""

import contextlib
import ctypes
import os
import resource
import signal
import threading
import time
from collections.abc import Callable

WATCH = 0.05
GRACE = 2 * 1024**3
"""Address space that is reserved and never touched: stacks, allocator arenas, shared code."""

PR_SET_PDEATHSIG = 1


def apply(memory: int, spool: int, temp: int) -> None:
    """Bounds for this process: its data, the size of a file, open files; the first to go when memory is short."""
    _lower(resource.RLIMIT_DATA, 2 * memory + GRACE)
    _lower(resource.RLIMIT_FSIZE, max(spool, temp) + 64 * 1024**2)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, 1024)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard == resource.RLIM_INFINITY or value < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def resident() -> int:
    """Bytes of this process that are in memory and its own (shared library pages not counted)."""
    with open("/proc/self/statm", "rb") as file:
        _, pages, shared = file.read().split()[:3]
    return (int(pages) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def watch(memory: int, exceeded: Callable[[], None]) -> None:
    """Call `exceeded` from a thread once the process has grown by more than `memory`: what it has at its start are
    pages of the fork server, which all workers share."""
    inherited = resident()

    def look() -> None:
        while resident() - inherited <= memory:
            time.sleep(WATCH)
        exceeded()

    threading.Thread(target=look, name="memory", daemon=True).start()


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG)."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(3)  # it ended before the kernel knew


def end_with_portal(descriptor: int) -> None:
    """End this process as soon as its socket closes: the portal is gone, or wants it gone."""

    def look() -> None:
        while os.read(descriptor, 4096):
            pass
        os._exit(3)

    threading.Thread(target=look, name="parent", daemon=True).start()

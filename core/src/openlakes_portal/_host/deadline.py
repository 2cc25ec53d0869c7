"""Running foreign synchronous code with a deadline for each of its stages.

The code runs in a thread of its own and names its stages; the caller waits no longer than a stage may take. A thread
that overstays gets `StageInterrupted` raised inside it (CPython's PyThreadState_SetAsyncExc), which ends a loop in
Python; one that hangs in C is left behind, as a daemon.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class StageInterrupted(BaseException):
    """Raised inside a thread that overstayed its deadline."""


class Overstayed(Exception):
    """A stage did not end in time."""

    def __init__(self, stage: str, seconds: float) -> None:
        super().__init__(f"{stage} did not return within {seconds:g} s")
        self.stage = stage
        self.seconds = seconds


class StageClock:
    """Told by the running code which stage it is in, and how long that may take."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.stage = "start"
        self.started = time.monotonic()
        self.seconds = 5.0

    def enter(self, stage: str, seconds: float) -> None:
        """The code begins a stage."""
        with self._lock:
            self.stage, self.seconds, self.started = stage, seconds, time.monotonic()

    def left(self) -> float:
        """Seconds that the current stage still has."""
        with self._lock:
            return self.started + self.seconds - time.monotonic()


class _Outcome(Generic[T]):
    value: T
    error: BaseException | None = None


def run_staged(code: Callable[[StageClock], T], name: str) -> T:
    """Run `code` in a thread; raises what it raises, or `Overstayed`."""
    clock = StageClock()
    outcome: _Outcome[T] = _Outcome()
    done = threading.Event()

    def run() -> None:
        try:
            outcome.value = code(clock)
        except BaseException as error:  # SystemExit and KeyboardInterrupt of a plugin are its own affair
            outcome.error = error
        finally:
            done.set()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    while not done.wait(max(0.0, min(clock.left(), 1.0))):
        if clock.left() <= 0 and not done.is_set():
            stage, seconds = clock.stage, clock.seconds
            interrupt(thread)
            raise Overstayed(stage, seconds)
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def interrupt(thread: threading.Thread) -> None:
    """Ask a thread to end; it does at its next bytecode."""
    if thread.ident is not None and thread.is_alive():
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(StageInterrupted))

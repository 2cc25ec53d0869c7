"""Whose code is running: a few bytes in a memory-mapped file that outlive the process.

A plugin that ends the whole process (`os._exit`, a crash in C) cannot be caught, but the next process can read here
who was running, count it, and quarantine the plugin after three times. Cost: two writes to memory a step.
"""

import json
import mmap
import os
import threading
from collections.abc import Awaitable, Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
SLOT = 64
SLOTS = 256
CRASH_LIMIT = 3


class Journal:
    """The journal of this process, and the count of past crashes by plugin and version."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._crashes_file = directory / "crashes.json"
        self._local = threading.local()
        self._next = 0
        self._lock = threading.Lock()
        self._map: mmap.mmap | None = None

    @property
    def crashes_file(self) -> Path:
        """Where crashes are counted; deleting it forgives every plugin."""
        return self._crashes_file

    def open(self) -> None:
        """Count what dead processes left behind, then start this process's own journal."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._collect()
        path = self._directory / f"{os.getpid()}.running"
        with path.open("wb+") as file:
            file.truncate(SLOT * SLOTS)
            self._map = mmap.mmap(file.fileno(), SLOT * SLOTS)

    def close(self) -> None:
        """This process ends in order: nothing to count."""
        (self._directory / f"{os.getpid()}.running").unlink(missing_ok=True)

    def crashes(self, plugin: str, version: str) -> int:
        """How often this version of the plugin ended the process."""
        return self._read().get(f"{plugin} {version}", 0)

    def _slot(self) -> int:
        slot: int | None = getattr(self._local, "slot", None)
        if slot is None:
            with self._lock:
                slot = self._next % SLOTS
                self._next += 1
            self._local.slot = slot
        return slot * SLOT

    def enter(self, label: bytes) -> bytes:
        """Foreign code begins in this thread; returns what stood there before, for `leave`."""
        if self._map is None:
            return b""
        start = self._slot()
        before = self._map[start : start + SLOT]
        self._map[start : start + SLOT] = label
        return before

    def leave(self, before: bytes) -> None:
        """Foreign code gave control back."""
        if self._map is not None and before:
            start = self._slot()
            self._map[start : start + SLOT] = before

    @contextmanager
    def running(self, plugin: str, version: str) -> Generator[None]:
        """Synchronous code of a plugin."""
        before = self.enter(label(plugin, version))
        try:
            yield
        finally:
            self.leave(before)

    def _collect(self) -> None:
        counts = self._read()
        for path in self._directory.glob("*.running"):
            if path.stem.isdigit() and not _alive(int(path.stem)):
                content = path.read_bytes()
                names = {content[i : i + SLOT].rstrip(b"\0") for i in range(0, len(content), SLOT)} - {b""}
                for name in names:
                    key = name.decode("utf-8", "replace")
                    counts[key] = counts.get(key, 0) + 1
                path.unlink(missing_ok=True)
        temporary = self._crashes_file.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(counts))
        temporary.replace(self._crashes_file)

    def _read(self) -> dict[str, int]:
        try:
            data = json.loads(self._crashes_file.read_text())
        except (OSError, ValueError):
            return {}
        return {str(k): int(v) for k, v in data.items()} if isinstance(data, dict) else {}


def label(plugin: str, version: str) -> bytes:
    """The bytes of a slot: plugin and version, padded."""
    return f"{plugin} {version}".encode()[: SLOT - 1].ljust(SLOT, b"\0")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()  # a number that was given again


class Attributed(Coroutine[Any, Any, T]):
    """A coroutine of a plugin, with the journal written around each of its steps."""

    def __init__(self, inner: Coroutine[Any, Any, T], journal: Journal, name: bytes) -> None:
        self._inner = inner
        self._journal = journal
        self._name = name

    def send(self, value: Any) -> Any:
        """One step."""
        before = self._journal.enter(self._name)
        try:
            return self._inner.send(value)
        finally:
            self._journal.leave(before)

    def throw(self, *args: Any) -> Any:
        """One step, with an exception."""
        before = self._journal.enter(self._name)
        try:
            return self._inner.throw(*args)
        finally:
            self._journal.leave(before)

    def close(self) -> None:
        """End it."""
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, T]:
        try:
            value = self.send(None)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        return (yield from self._on(value))

    async def resumed(self, waits_for: Any) -> T:
        """The rest of a coroutine whose first step was taken already and waits for this."""
        return await _Rest(self._on(waits_for))

    def _on(self, value: Any) -> Generator[Any, Any, T]:
        while True:
            try:
                received = yield value
            except GeneratorExit:
                self.close()
                raise
            except BaseException as error:
                try:
                    value = self.throw(error)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]
            else:
                try:
                    value = self.send(received)
                except StopIteration as stop:
                    return stop.value  # type: ignore[no-any-return]


class _Rest(Awaitable[T]):
    """A generator of steps as something to await."""

    def __init__(self, steps: Generator[Any, Any, T]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, T]:
        return self._steps

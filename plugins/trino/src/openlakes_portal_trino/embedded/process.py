"""A worker process as the portal sees it, and the pool that keeps one warm.

Each worker has one thread here that reads its messages. A worker serves one job and ends; a spare is a worker that has
said `ready` and has no job yet, so that a statement starts in milliseconds instead of waiting for imports.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from openlakes_portal_trino.embedded.job import Job, Message

MODULE = "openlakes_portal_trino.embedded.worker"
COMPLAINT = 4000
"""Characters of a dead worker's last words that are kept for the log."""

OnMessage = Callable[[Message], None]
OnEnd = Callable[[int, str], None]


def _environment() -> dict[str, str]:
    """Nothing of the portal's own environment but what finds shared libraries, time zones and certificates."""
    kept = ("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZDIR")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {"HOME": "/", "TZ": "UTC", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "2", **found}


class Worker:
    """One process. `on_message` and `on_end` are called from its reading thread."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            cwd="/",
            start_new_session=True,
        )
        self._complaints = _Tail(self._process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still exists."""
        return self._process.poll() is None

    def begin(self, job: Job, on_message: OnMessage, on_end: OnEnd) -> None:
        """Hand over the job. `on_end` gets the exit status and the process's last words."""
        threading.Thread(target=self._serve, args=(job, on_message, on_end), name=f"worker {self.pid}").start()

    def _serve(self, job: Job, on_message: OnMessage, on_end: OnEnd) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(job.encoded())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it died before it was asked; its end says so
        for line in self._process.stdout:
            on_message(Message.parse(line))
        status = self._process.wait()
        self._close()
        on_end(status, self._complaints.text)

    def kill(self) -> None:
        """End it now. The end itself is told by `on_end`."""
        if self.alive:
            os.killpg(self._process.pid, signal.SIGKILL)

    def discard(self) -> None:
        """End a worker that never got a job."""
        self.kill()
        self._process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None and not stream.closed:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class _Tail:
    """The last words on a process's standard error, read by a thread so that it never blocks."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.text = ""
        self._stream = process.stderr
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._stream is not None
        with self._stream:
            for line in self._stream:
                self.text = (self.text + line.decode(errors="replace"))[-COMPLAINT:]


@dataclass
class WorkerPool:
    """Workers ready to be used: at most `spares`, ended after `idle` seconds in which nobody asked."""

    spares: int
    idle: float
    _ready: list[Worker] = field(default_factory=list)
    _used: float = 0.0
    _closed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Worker:
        """A worker, warm where there is one."""
        with self._lock:
            self._used = time.monotonic()
            self._ready = [worker for worker in self._ready if worker.alive]
            if self._ready:
                return self._ready.pop(0)
        return Worker()

    def warm(self) -> None:
        """Start spares so that the next statement finds one."""
        with self._lock:
            self._used = time.monotonic()
            self._ready = [worker for worker in self._ready if worker.alive]
            while not self._closed and len(self._ready) < self.spares:
                self._ready.append(Worker())

    def cool(self) -> None:
        """End spares that nobody needed for long."""
        with self._lock:
            idle, self._ready = (self._ready, []) if time.monotonic() - self._used > self.idle else ([], self._ready)
        for worker in idle:
            worker.discard()

    def close(self) -> None:
        """End all spares; none is started any more."""
        with self._lock:
            self._closed = True
            spares, self._ready = self._ready, []
        for worker in spares:
            worker.discard()

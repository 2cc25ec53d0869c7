"""Worker processes as the portal sees them, and the fork server that makes them.

The fork server (embedded/forkserver.py) has imported everything once; each statement runs in a child that it forks, so
that a statement starts in milliseconds and yet has a process of its own. The server never sees a statement: a child
gets its job over a socket that only the child and the portal hold. The server is its children's parent, so its word
that one has ended (`waitpid`) is the proof, and a kill by way of it never hits another process with the same id.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from openlakes_portal.spi import Unavailable
from openlakes_portal_trino.embedded.job import FORK, Job, Message, kill

MODULE = "openlakes_portal_trino.embedded.forkserver"
COMPLAINT = 4000
"""Characters of a dead process's last words that are kept for the log."""

FORK_WITHIN = 60.0
"""Seconds for a fork, the fork server's own start included."""

OnMessage = Callable[[Message], None]
OnEnd = Callable[[int, str], None]


def _environment() -> dict[str, str]:
    """Nothing of the portal's own environment but what finds shared libraries, time zones and certificates; and no
    threads of libraries, which a fork would lose."""
    kept = ("LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZDIR")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    alone = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    return {"HOME": "/", "TZ": "UTC", "LANG": "C.UTF-8", "OMP_NUM_THREADS": "2", **alone, **found}


class Worker:
    """One process for one statement. `on_message` and `on_end` are called from its reading thread."""

    def __init__(self, pid: int, link: socket.socket, server: "ForkServer") -> None:
        self.pid = pid
        self._link = link
        self._server = server
        self._ended = threading.Event()
        self._status = -signal.SIGKILL

    @property
    def alive(self) -> bool:
        """Whether its parent has not seen it end yet."""
        return not self._ended.is_set()

    def begin(self, job: Job, on_message: OnMessage, on_end: OnEnd) -> None:
        """Hand over the job. `on_end` gets the exit status (negative: a signal) and the process's last words."""
        threading.Thread(target=self._serve, args=(job, on_message, on_end), name=f"worker {self.pid}").start()

    def kill(self) -> None:
        """End it now. The end itself is told by `on_end`."""
        self._server.kill(self.pid)

    def discard(self) -> None:
        """End a worker that gets no job, and wait until it is gone."""
        self._link.close()
        self.kill()
        self._ended.wait()

    def ended(self, status: int) -> None:
        """Its parent saw it end; or that parent is dead itself, and the kernel has ended this process with it."""
        self._status = status
        self._ended.set()

    def _serve(self, job: Job, on_message: OnMessage, on_end: OnEnd) -> None:
        with self._link, contextlib.suppress(ConnectionError), self._link.makefile("rb") as lines:
            self._link.sendall(job.encoded())
            for line in lines:
                if line.endswith(b"\n"):  # half a line is a process that died while it spoke
                    on_message(Message.parse(line))
        self._ended.wait()
        on_end(self._status, job.last_words(COMPLAINT))


class ForkServerDied(Exception):
    """It answers no more; another one has to be started."""


@dataclass
class _Asked:
    """A fork that was asked for."""

    link: socket.socket
    answered: threading.Event = field(default_factory=threading.Event)
    worker: Worker | None = None
    refused: str = ""


class ForkServer:
    """One fork server. A thread of its own starts it, reads what it says, and notices its end.

    The kernel ends the server when the thread that started it ends (PR_SET_PDEATHSIG), so that thread is no pool's.
    """

    def __init__(self) -> None:
        self.words = ""
        self._control, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._asked: deque[_Asked] = deque()
        self._living: dict[int, Worker] = {}
        self._lock = threading.Lock()
        self._dead = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._follow, name="fork server", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """Its process id, once it was started."""
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._dead

    @property
    def busy(self) -> bool:
        """Whether a child of it lives."""
        return bool(self._living or self._asked)

    def fork(self) -> Worker:
        """A fresh child. Raises `ForkServerDied`, or `Unavailable` where the system makes no process."""
        near, far = socket.socketpair()
        asked = _Asked(near)
        with far:
            self._ask(asked, far)
        if not asked.answered.wait(FORK_WITHIN):
            self.close()
        if asked.worker is not None:
            return asked.worker
        near.close()
        if asked.refused:
            raise Unavailable(f"No process could be started for the statement: {asked.refused}.", retry_after=5.0)
        raise ForkServerDied(self.words)

    def kill(self, pid: int) -> None:
        """End a child, where it has not ended yet."""
        with self._lock, contextlib.suppress(OSError):  # a dead server's children are dead
            if not self._dead:
                self._control.send(kill(pid))

    def close(self) -> None:
        """End it and all its children, and wait until they are gone."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _ask(self, asked: _Asked, far: socket.socket) -> None:
        with self._lock:
            if self._dead:
                asked.link.close()
                raise ForkServerDied(self.words)
            self._asked.append(asked)
            with contextlib.suppress(OSError):  # it is just dying: its end answers all who asked
                socket.send_fds(self._control, [FORK], [far.fileno()])

    def _follow(self) -> None:
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", MODULE],
                stdin=self._far.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )
            self._far.close()
            threading.Thread(target=self._listen, args=(self._process,), name="fork server's words").start()
            with contextlib.suppress(ConnectionError):
                while said := self._control.recv(4096):
                    self._hear(json.loads(said))
        except OSError as error:
            self.words = str(error)
        finally:
            self._end()

    def _listen(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.words = (self.words + line.decode(errors="replace"))[-COMPLAINT:]

    def _hear(self, said: dict[str, int | str]) -> None:
        if "ended" in said:
            self._living.pop(int(said["ended"])).ended(int(said["status"]))
            return
        asked = self._asked.popleft()
        if "forked" in said:
            asked.worker = self._living[int(said["forked"])] = Worker(int(said["forked"]), asked.link, self)
        else:
            asked.refused = str(said["refused"])
        asked.answered.set()

    def _end(self) -> None:
        self._far.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with self._lock:
            self._dead = True
            self._control.close()
        for worker in self._living.values():
            _wait_until_gone(worker.pid)
            worker.ended(-signal.SIGKILL)
        self._living.clear()
        while self._asked:
            self._asked.popleft().answered.set()


def _wait_until_gone(pid: int) -> None:
    """The kernel has sent it SIGKILL already: this is about the few milliseconds until that is done."""
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.005)


class Workers:
    """Makes workers. The fork server is started when somebody first asks, again when it died, and ended after `idle`
    seconds in which nobody asked."""

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._server: ForkServer | None = None
        self._used = 0.0
        self._closed = False
        self._lock = threading.Lock()

    @property
    def server(self) -> ForkServer | None:
        """The fork server, where one was started."""
        return self._server

    def take(self) -> Worker:
        """A fresh worker. Raises `Unavailable`."""
        for _ in range(2):  # one that died meanwhile is replaced once
            with contextlib.suppress(ForkServerDied):
                return self._current().fork()
        words = self._server.words if self._server is not None else ""
        raise Unavailable(f"The process that starts statements does not live: {words[-300:]}", retry_after=5.0)

    def warm(self) -> None:
        """Have the fork server started, so that the next statement does not wait for it."""
        with contextlib.suppress(Unavailable):
            self._current()

    def cool(self) -> None:
        """End a fork server that nobody needed for long."""
        with self._lock:
            server = self._server
            if server is None or server.busy or time.monotonic() - self._used <= self._idle:
                return
            self._server = None
        server.close()

    def close(self) -> None:
        """End everything; nothing is started any more."""
        with self._lock:
            self._closed = True
            server, self._server = self._server, None
        if server is not None:
            server.close()

    def _current(self) -> ForkServer:
        with self._lock:
            if self._closed:
                raise Unavailable("The portal is stopping.", retry_after=5.0)
            self._used = time.monotonic()
            if self._server is None or not self._server.alive:
                self._server = ForkServer()
            return self._server

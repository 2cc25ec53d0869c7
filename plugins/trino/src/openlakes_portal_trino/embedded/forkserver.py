"""The fork server: imports what a statement needs, once, and forks a child for each. `python -I -m ...forkserver`.

It owns no data of anybody. Standard input is its control socket (packets, embedded/job.py): `fork` comes with the
child's socket, `kill <pid>` names a child; it says which child it made and how each ended. While it forks it is single
threaded: a thread would not live in the child, and what it had locked would stay locked for ever.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import traceback

import duckdb

from openlakes_portal_trino.embedded import limits, worker
from openlakes_portal_trino.embedded.job import FORK, killed

MOST_WORDS = 4096


def threads() -> int:
    """How many threads this process has, those of libraries too."""
    return len(os.listdir("/proc/self/task"))


def prepare() -> None:
    """Leave nothing but what was imported: `import duckdb` opens a database of its own, which has threads."""
    duckdb.default_connection().close()
    gc.collect()
    gc.freeze()  # the collector touches no page that is shared with the children


def main() -> None:
    """Serve until the portal lets go of the socket."""
    limits.die_with_parent(os.getppid())
    control = socket.socket(fileno=os.dup(0))
    _silence_standard_input()
    prepare()
    if threads() != 1:
        raise SystemExit(f"a library started threads at its import ({threads()}): forking would not be safe")
    ForkServer(control).serve()


def _silence_standard_input() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)


class ForkServer:
    """The loop: requests from the portal, ends of children."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: set[int] = set()
        self._wake, self._woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        """Until the portal is gone; then this process ends, and with it, by the kernel, each child."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        while True:
            ready, _, _ = select.select([self._control.fileno(), self._wake], [], [])
            if self._wake in ready:
                os.read(self._wake, MOST_WORDS)
                self._reap()
            if self._control.fileno() in ready and not self._answer():
                return

    def _answer(self) -> bool:
        asked, descriptors, _, _ = socket.recv_fds(self._control, MOST_WORDS, 1)
        if not asked:
            return False
        if asked == FORK:
            self._fork(descriptors[0])
        elif (pid := killed(asked)) in self._children:
            os.kill(pid, signal.SIGKILL)
        return True

    def _fork(self, link: int) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(link)
            self._say({"refused": error.strerror or "the system refused"})
            return
        if pid == 0:
            self._be_child(link, parent)
        os.close(link)
        self._children.add(pid)
        self._say({"forked": pid})

    def _be_child(self, link: int, parent: int) -> None:
        """Never returns: whatever happens, the child does not go on as a fork server."""
        status = 1
        try:
            limits.die_with_parent(parent)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            os.close(self._wake)
            os.close(self._woken)
            worker.serve(link)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)  # threads of libraries must not hold up the end

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._children.discard(ended[0])
                self._say({"ended": ended[0], "status": os.waitstatus_to_exitcode(ended[1])})

    def _say(self, what: dict[str, int | str]) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the portal is gone: the loop sees it next
            self._control.send(json.dumps(what).encode())


if __name__ == "__main__":
    main()

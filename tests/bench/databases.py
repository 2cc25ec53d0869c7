"""The two kinds of database that a portal is measured on, empty."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from real_servers import postgres

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
"""As somebody who keeps an audit log runs it; the tests' own servers are faster and forget."""


@contextmanager
def postgresql() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL that waits for its disk."""
    # Not below the bench's own folder: another account must be able to enter it.
    with (
        tempfile.TemporaryDirectory(prefix="openlakes-bench-postgres-") as name,
        postgres.running(Path(name), DURABLE) as server,
    ):
        yield server


@contextmanager
def both(folder: Path) -> Iterator[dict[str, str]]:
    """The URL of an empty database of each kind."""
    folder.mkdir(parents=True, exist_ok=True)
    with postgresql() as server, server.database() as url:
        yield {"SQLite": f"sqlite:///{folder / 'portal.db'}", "PostgreSQL": url}

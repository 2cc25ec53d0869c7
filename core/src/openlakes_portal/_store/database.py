"""One database, SQLite or PostgreSQL, behind SQLAlchemy's async engine, with bounded waiting.

A lock that is not to be had within `busy_timeout`, or a database that is away, is `Unavailable` (503 with
Retry-After), never a hang and never a lost write.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from openlakes_portal.spi import BadRequest, Unavailable

DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}

in_background: ContextVar[bool] = ContextVar("in_background", default=False)
"""Set in tasks that serve no request."""
SOON = "Try again in a few seconds; `openlakes doctor` says what is wrong with it."
LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's word for a lock that was not had in time."""
NO_SUCH_TEXT = ("22021", "22P05")
"""PostgreSQL's words for text that it cannot hold, as text and in JSON: the null character."""


def database_url(url: str | None, data_dir: Path) -> str:
    """The URL with the async driver in it; the default is `portal.db` in the data directory."""
    if url is None:
        data_dir.mkdir(parents=True, exist_ok=True)
        return f"sqlite+aiosqlite:///{data_dir / 'portal.db'}"
    parsed = make_url(url)
    driver = DRIVERS.get(parsed.get_backend_name(), parsed.drivername)
    return parsed.set(drivername=driver).render_as_string(hide_password=False)


class Database:
    """The engine and the two ways to use it: `read()` and `write()`."""

    def __init__(self, url: str, *, pool_size: int = 10, busy_timeout: float = 5.0) -> None:
        self.url = make_url(url)
        self.busy_timeout = busy_timeout
        self._turn = asyncio.Lock()
        self.queries = 0
        """Statements sent so far, those in the background aside: the figure that P10 asks for."""
        options: dict[str, Any] = {"pool_pre_ping": False}
        if self.is_sqlite:
            options["connect_args"] = {"timeout": busy_timeout}
        else:
            options |= {
                "pool_size": pool_size,
                "max_overflow": 0,
                "pool_timeout": busy_timeout,
                "pool_pre_ping": True,
                "connect_args": {
                    "timeout": busy_timeout,
                    "command_timeout": max(busy_timeout, 30.0),
                    "server_settings": {"lock_timeout": f"{busy_timeout * 1000:.0f}"},
                },
            }
        self.engine: AsyncEngine = create_async_engine(self.url, **options)
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(self.engine.sync_engine, "before_cursor_execute", self._count)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.url.get_backend_name() == "sqlite"

    def _count(self, *_: Any) -> None:
        if not in_background.get():
            self.queries += 1

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading."""
        with _translated():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end, rolled back on any error. SQLite takes the write lock at once, so
        that two writers wait for one another instead of failing half-way."""
        with _translated():
            async with self._in_turn(), self.engine.connect() as connection:
                if self.is_sqlite:
                    await connection.execute(text("BEGIN IMMEDIATE"))
                try:
                    yield connection
                except BaseException:
                    await asyncio.shield(connection.rollback())
                    raise
                await connection.commit()

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        """SQLite has one writer at a time, and whoever finds it busy sleeps and tries again: of many that wait some
        never hit the moment. So the writers of this process form a queue, and only its first asks the database."""
        if not self.is_sqlite:
            yield
            return
        async with asyncio.timeout(self.busy_timeout):
            await self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()

    async def ping(self) -> None:
        """Raises `Unavailable` where the database does not answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """WAL: readers do not wait for the writer. Transactions are begun by us, not by the driver."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


class _translated:
    """Database faults in the portal's vocabulary."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OperationalError | InterfaceError | PoolTimeout | ConnectionError | TimeoutError):
            raise Unavailable("The portal's database cannot be used at the moment.", remedy=SOON) from error
        if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise Unavailable("The portal's database is locked by something else now.", remedy=SOON) from error
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise Unavailable("The portal's database closed the connection.", remedy=SOON) from error
        if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in NO_SUCH_TEXT:
            raise BadRequest("A text in this request holds a null character, which cannot be kept.") from error
        if isinstance(error, StatementError) and isinstance(error.orig, OverflowError):
            raise BadRequest("A time or number in this request is too far away to be kept.") from error

"""Bringing the schema up to date: safe against two starters and against a kill in the middle.

Everything happens in one transaction under an exclusive lock (`BEGIN IMMEDIATE`, or an advisory lock on PostgreSQL):
the second starter waits and finds nothing to do; a killed one leaves nothing. Alembic is imported only when there is
something to do, because a start has no time to waste.
"""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from openlakes_portal._store.database import Database
from openlakes_portal.spi import Unavailable

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0003"
"""The newest revision; a test holds it against the migrations themselves."""

LOCK_ID = 0x6F6C706F7274  # "olport"


async def current_revision(database: Database) -> str | None:
    """The revision of the database, None where it is empty."""
    async with database.read() as connection:
        return await connection.run_sync(_current)


async def migrate(database: Database) -> bool:
    """Upgrade to HEAD; whether there was something to do. Raises `Unavailable` for a database from the future."""
    if await current_revision(database) == HEAD:
        return False
    async with database.engine.connect() as connection:
        if database.is_sqlite:
            await connection.execute(text("BEGIN IMMEDIATE"))
        else:
            await connection.execute(text("SET LOCAL lock_timeout = 0"))  # another starter may take its time
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
        changed = await connection.run_sync(_upgrade)
        await connection.commit()
    return changed


async def check(database: Database) -> None:
    """Raises `Unavailable` unless the schema is the one this version needs."""
    revision = await current_revision(database)
    if revision != HEAD:
        raise Unavailable(
            f"The database schema is at revision {revision or 'none'}, this version needs {HEAD}.",
            remedy="Start one process with database.migrate: true, or install the version that made the database.",
        )


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def alembic_config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration for the migrations in this package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "openlakes_portal:_store/migrations")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> bool:
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    before = _current(connection)
    if before == HEAD:
        return False
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before is not None and before not in known:
        raise Unavailable(
            f"The database is at revision {before}, which this version does not know.",
            remedy="It was made by a newer version: install that version again, or restore the backup made before.",
        )
    try:
        command.upgrade(config, "head")
    except DatabaseError as error:
        raise Unavailable(f"The migration failed and changed nothing: {error.orig}") from error
    return True


def run_environment(context: Any) -> None:
    """What migrations/env.py does: run on the connection and in the transaction that `migrate` holds."""
    from openlakes_portal._store import audit_tables, identity_tables
    from openlakes_portal._store.tables import metadata

    assert audit_tables.audit_records.metadata is identity_tables.people.metadata is metadata  # all are declared

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=True)
    context.run_migrations()

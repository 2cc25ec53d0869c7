"""Alembic's entry: everything is in `_store.migrate`."""

from alembic import context

from openlakes_portal._store.migrate import run_environment

run_environment(context)

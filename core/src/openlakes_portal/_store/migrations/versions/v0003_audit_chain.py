"""The audit log as a chain: records of before are chained once, as those of one writer, in the order of their ids."""

import sqlalchemy as sa
from alembic import op

from openlakes_portal._audit.record import chained
from openlakes_portal._store.tables import UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BEFORE = "before-revision-0003"
"""The writer of the records that were there."""
FIELDS = (
    "at",
    "actor",
    "actor_name",
    "session",
    "action",
    "object",
    "phase",
    "result",
    "request_id",
    "address",
    "details",
)


def upgrade() -> None:
    """Add a record's place in the chain; make the tables of heads and of statements."""
    added = (
        sa.Column("writer", sa.String(32)),
        sa.Column("seq", sa.BigInteger),
        sa.Column("prev", sa.String(64)),
        sa.Column("hash", sa.String(64)),
    )
    for column in added:
        op.add_column("audit_records", column)
    op.create_table(
        "audit_writers",
        sa.Column("writer", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("signed_seq", sa.BigInteger, nullable=False),
        sa.Column("signed_hash", sa.String(64), nullable=False),
        sa.Column("started_at", UtcTime(), nullable=False),
    )
    op.create_table(
        "audit_statements",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("jws", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_statements_kind", "audit_statements", ["kind", "number"])
    _chain_what_is_there()
    with op.batch_alter_table("audit_records") as batch:
        for column in added:
            batch.alter_column(column.name, existing_type=column.type, nullable=False)
    op.create_index("ix_audit_records_at", "audit_records", ["at"])
    op.create_index("uq_audit_records_chain", "audit_records", ["writer", "seq"], unique=True)


def _chain_what_is_there() -> None:
    connection = op.get_bind()
    table = sa.table(
        "audit_records",
        sa.column("id", sa.BigInteger),
        sa.column("at", UtcTime()),
        *(sa.column(name) for name in FIELDS if name not in ("at", "details")),
        sa.column("details", sa.JSON),
        sa.column("writer"),
        sa.column("seq", sa.BigInteger),
        sa.column("prev"),
        sa.column("hash"),
    )
    seq, prev, first = 0, "", None
    after = 0
    while (
        rows := connection.execute(sa.select(table).where(table.c.id > after).order_by(table.c.id).limit(1000))
        .mappings()
        .all()
    ):
        for row in rows:
            seq += 1
            linked = chained({name: row[name] for name in FIELDS}, BEFORE, seq, prev)
            place = {name: linked[name] for name in ("writer", "seq", "prev", "hash")}
            connection.execute(sa.update(table).where(table.c.id == row["id"]).values(place))
            prev, after, first = linked["hash"], row["id"], first or row["at"]
    if first is not None:
        writers = sa.table(
            "audit_writers",
            *(sa.column(name) for name in ("writer", "seq", "hash", "signed_seq", "signed_hash")),
            sa.column("started_at", UtcTime()),
        )
        connection.execute(
            sa.insert(writers).values(writer=BEFORE, seq=seq, hash=prev, signed_seq=0, signed_hash="", started_at=first)
        )

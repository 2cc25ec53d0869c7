"""Tables of the audit log: its records, the heads of their chains, and the signed statements about them."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from openlakes_portal._store.tables import UtcTime, metadata

audit_records = Table(
    "audit_records",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),  # issuer#subject, or 'anonymous'
    Column("actor_name", Text, nullable=False),
    Column("session", String(36)),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("phase", String(16), nullable=False),  # intent, outcome or event
    Column("result", Text, nullable=False),
    Column("request_id", String(36), nullable=False),
    Column("address", Text),
    Column("details", JSON, nullable=False),
    Column("writer", String(32), nullable=False),  # The process that wrote it
    Column("seq", BigInteger, nullable=False),  # From 1, without a gap, in each writer
    Column("prev", String(64), nullable=False),  # Hash of the writer's record before
    Column("hash", String(64), nullable=False),
    Index("ix_audit_records_request_id", "request_id"),
    Index("ix_audit_records_actor", "actor", "id"),
    Index("ix_audit_records_action", "action", "id"),
    Index("ix_audit_records_at", "at"),
    Index("uq_audit_records_chain", "writer", "seq", unique=True),
)

audit_writers = Table(
    "audit_writers",
    metadata,
    Column("writer", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),  # Head of its chain
    Column("hash", String(64), nullable=False),
    Column("signed_seq", BigInteger, nullable=False),  # As far as statements cover it
    Column("signed_hash", String(64), nullable=False),
    Column("started_at", UtcTime, nullable=False),
)

audit_statements = Table(
    "audit_statements",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),  # From 1, without a gap
    Column("kind", String(16), nullable=False),  # checkpoint or archive
    Column("at", UtcTime, nullable=False),
    Column("jws", Text, nullable=False),  # RFC 7515, compact
    Index("ix_audit_statements_kind", "kind", "number"),
)

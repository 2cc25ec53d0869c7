"""The tables, in SQLAlchemy Core. Times are UTC, stored with their zone where the database knows zones."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.engine import Dialect

metadata = MetaData()


class UtcTime(TypeDecorator[datetime]):
    """A time in UTC. SQLite keeps no zone, so it is taken off on the way in and put on again on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To the database; a time without zone is a mistake."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone was given to the store")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


sessions = Table(
    "sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),  # SHA-256 of the cookie's opaque id
    Column("public_id", String(36), nullable=False, unique=True),  # Name of the session in lists and audit
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("groups", JSON, nullable=False),
    Column("csrf_token", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),  # The absolute end
    Column("provider_session", Text),  # `sid` of the identity provider
    Column("tokens", LargeBinary),  # Encrypted: refresh token, ID token
    Column("checked_at", UtcTime),  # When the identity provider last confirmed the person
    Column("refreshing_until", UtcTime),  # The one refresh in flight holds this lease
    Column("address", Text),
    Column("agent", Text),
    Index("ix_sessions_identity", "issuer", "subject"),
    Index("ix_sessions_expires_at", "expires_at"),
    Index("ix_sessions_provider_session", "issuer", "provider_session"),
)

documents = Table(
    "documents",
    metadata,
    Column("plugin", String(64), primary_key=True),
    Column("collection", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("sequence", String(40), nullable=False),  # Sorts by time of creation, unique
    Column("data", JSON, nullable=False),
    Index("ix_documents_list", "plugin", "collection", "sequence"),
    Index("ix_documents_owner", "plugin", "collection", "owner", "sequence"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", String(64), primary_key=True),  # SHA-256 of identity, method and path
    Column("key", String(128), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("status", Integer),  # NULL while the first request still runs
    Column("headers", JSON),
    Column("body", LargeBinary),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

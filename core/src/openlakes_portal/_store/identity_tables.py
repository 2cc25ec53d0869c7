"""Tables of identity and access: people, sign-ins that are under way, roles, bindings, requests, API tokens, keys."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text

from openlakes_portal._store.tables import UtcTime, metadata

people = Table(
    "people",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("username", Text, nullable=False, unique=True),  # Never given to another subject
    Column("name", Text, nullable=False),
    Column("email", Text),
    Column("groups", JSON, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),  # Set here or learned from the provider; no session and no token works then
    Column("disabled_reason", Text),
)

sign_ins = Table(
    "sign_ins",
    metadata,
    Column("state_hash", String(64), primary_key=True),  # SHA-256 of `state`; the row is deleted by its callback
    Column("browser_hash", String(64), nullable=False),  # SHA-256 of the cookie of the browser that began
    Column("secrets", LargeBinary, nullable=False),  # Encrypted: nonce and PKCE verifier
    Column("next", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_sign_ins_created_at", "created_at"),
)

used_once = Table(
    "used_once",
    metadata,
    Column("value_hash", String(64), primary_key=True),  # SHA-256 of a `jti` and what it was for
    Column("expires_at", UtcTime, nullable=False),
    Index("ix_used_once_expires_at", "expires_at"),
)

roles = Table(
    "roles",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("description", Text, nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

role_bindings = Table(
    "role_bindings",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("role", String(64), nullable=False),
    Column("group", Text),
    Column("subject", Text),
    Column("resource", Text),
    Column("expires_at", UtcTime),
    Column("reason", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_role_bindings_role", "role"),
)

access_requests = Table(
    "access_requests",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("permission", Text, nullable=False),
    Column("resource", Text),
    Column("purpose", Text, nullable=False),
    Column("duration", Integer),  # Seconds; NULL is for good
    Column("state", String(16), nullable=False),  # open, granted, refused or withdrawn
    Column("created_at", UtcTime, nullable=False),
    Column("decided_at", UtcTime),
    Column("decided_by", Text),
    Column("decision_reason", Text),
    Column("binding_id", String(40)),
    Column("expires_at", UtcTime),
    Index("ix_access_requests_state", "state", "id"),
    Index("ix_access_requests_person", "issuer", "subject", "id"),
)

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("description", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled_at", UtcTime),
)

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),  # SHA-256; the token itself is shown once
    Column("hint", String(16), nullable=False),  # Its last characters, to tell it by
    Column("name", Text, nullable=False),
    Column("issuer", Text, nullable=False),  # The owner: a person, or a service account
    Column("subject", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("permissions", JSON, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime),
    Column("last_used_address", Text),
    Column("revoked_at", UtcTime),
    Column("exchanged", Boolean, nullable=False),  # From /api/tokens/exchange: short, not listed with the others
    Index("ix_api_tokens_owner", "issuer", "subject", "id"),
    Index("ix_api_tokens_expires_at", "expires_at"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),
    Column("algorithm", String(16), nullable=False),
    Column("public", JSON, nullable=False),
    Column("private", LargeBinary, nullable=False),  # Encrypted
    Column("created_at", UtcTime, nullable=False),
    Column("signs_from", UtcTime, nullable=False),  # Announced before use, so that verifiers have it by then
    Column("signs_until", UtcTime),  # Set once its successor is there
    Column("published_until", UtcTime),  # Tokens that it signed have ended by then
)

signals = Table(
    "signals",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("key", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_signals_at", "at"),
)

state = Table(
    "state",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", UtcTime, nullable=False),
)

rates = Table(
    "rates",
    metadata,
    Column("key", String(64), primary_key=True),  # SHA-256 of what is counted
    Column("window", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False),
    Index("ix_rates_window", "window"),
)

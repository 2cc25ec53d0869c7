"""Identity and access: people, sign-ins, roles, bindings, requests, API tokens, keys, signals between replicas."""

import sqlalchemy as sa
from alembic import op

from openlakes_portal._store.tables import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables; sessions learn of the identity provider."""
    for column in (
        sa.Column("provider_session", sa.Text),
        sa.Column("tokens", sa.LargeBinary),
        sa.Column("checked_at", UtcTime()),
        sa.Column("refreshing_until", UtcTime()),
        sa.Column("address", sa.Text),
        sa.Column("agent", sa.Text),
    ):
        op.add_column("sessions", column)
    op.create_index("ix_sessions_provider_session", "sessions", ["issuer", "provider_session"])
    op.create_table(
        "people",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("username", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("groups", sa.JSON, nullable=False),
        sa.Column("first_seen_at", UtcTime(), nullable=False),
        sa.Column("last_seen_at", UtcTime(), nullable=False),
        sa.Column("disabled_at", UtcTime()),
        sa.Column("disabled_reason", sa.Text),
    )
    op.create_table(
        "sign_ins",
        sa.Column("state_hash", sa.String(64), primary_key=True),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("next", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
    )
    op.create_index("ix_sign_ins_created_at", "sign_ins", ["created_at"])
    op.create_table(
        "used_once",
        sa.Column("value_hash", sa.String(64), primary_key=True),
        sa.Column("expires_at", UtcTime(), nullable=False),
    )
    op.create_index("ix_used_once_expires_at", "used_once", ["expires_at"])
    op.create_table(
        "roles",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("permissions", sa.JSON, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("updated_at", UtcTime(), nullable=False),
    )
    op.create_table(
        "role_bindings",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("role", sa.String(64), nullable=False),
        sa.Column("group", sa.Text),
        sa.Column("subject", sa.Text),
        sa.Column("resource", sa.Text),
        sa.Column("expires_at", UtcTime()),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("ix_role_bindings_role", "role_bindings", ["role"])
    op.create_table(
        "access_requests",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("permission", sa.Text, nullable=False),
        sa.Column("resource", sa.Text),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("duration", sa.Integer),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("decided_at", UtcTime()),
        sa.Column("decided_by", sa.Text),
        sa.Column("decision_reason", sa.Text),
        sa.Column("binding_id", sa.String(40)),
        sa.Column("expires_at", UtcTime()),
    )
    op.create_index("ix_access_requests_state", "access_requests", ["state", "id"])
    op.create_index("ix_access_requests_person", "access_requests", ["issuer", "subject", "id"])
    op.create_table(
        "service_accounts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("disabled_at", UtcTime()),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("username", sa.Text, nullable=False),
        sa.Column("permissions", sa.JSON, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("expires_at", UtcTime(), nullable=False),
        sa.Column("last_used_at", UtcTime()),
        sa.Column("last_used_address", sa.Text),
        sa.Column("revoked_at", UtcTime()),
        sa.Column("exchanged", sa.Boolean, nullable=False),
    )
    op.create_index("ix_api_tokens_owner", "api_tokens", ["issuer", "subject", "id"])
    op.create_index("ix_api_tokens_expires_at", "api_tokens", ["expires_at"])
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(64), primary_key=True),
        sa.Column("algorithm", sa.String(16), nullable=False),
        sa.Column("public", sa.JSON, nullable=False),
        sa.Column("private", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("signs_from", UtcTime(), nullable=False),
        sa.Column("signs_until", UtcTime()),
        sa.Column("published_until", UtcTime()),
    )
    op.create_table(
        "signals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
    )
    op.create_index("ix_signals_at", "signals", ["at"])
    op.create_table(
        "state",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
    )
    op.create_table(
        "rates",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("window", sa.BigInteger, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
    )
    op.create_index("ix_rates_window", "rates", ["window"])

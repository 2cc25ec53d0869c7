"""The tree of core's settings. Every field is described; docs/reference/settings.md is made from here."""

import ipaddress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field, SecretStr, field_validator, model_validator

from openlakes_portal._rbac.resources import check_filter
from openlakes_portal._settings.issuer import IssuerSettings
from openlakes_portal._settings.section import Section
from openlakes_portal._settings.site_apps import SiteApp
from openlakes_portal._settings.token_exchange import Algorithm, TokenExchangeSettings


def default_data_dir() -> Path:
    """Where embedded state lies when nothing is said: the folder of the XDG base directory specification."""
    import os

    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "openlakes"


class ServerSettings(Section):
    """The server itself."""

    public_url: str = Field("http://openlakes.localhost:8600", description="The one address of the console")
    title: str = Field("OpenLakes", min_length=1, max_length=60, description="Name of this site, shown in the console")
    environment: str = Field("", max_length=40, description="Name of the environment, in the colour band of the bar")
    environment_colour: Literal["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"] = Field(
        "c3", description="Colour of the environment's band, of the chart palette"
    )
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8600, ge=1, le=65535, description="Port to listen on")
    workers: int = Field(1, ge=1, le=64, description="Worker processes; more than one needs PostgreSQL")
    data_dir: Path = Field(default_factory=default_data_dir, description="Embedded state")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Further Host header values that are answered, besides that of public_url and loopback's own"
    )
    boot_failure: Literal["continue", "abort"] = Field("continue", description="What to do when a plugin fails")
    log_format: Literal["auto", "json", "text"] = Field("auto", description="auto: text on a terminal, else JSON")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged")
    drain_timeout: float = Field(20.0, ge=0, le=300, description="Seconds that running requests get at a stop")
    metrics_addresses: tuple[str, ...] = Field(
        ("127.0.0.1", "::1"), description="Addresses that may read /metrics without the permission"
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses or networks (10.0.0.0/8) of ingresses whose X-Forwarded-For counts, from the right"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if ipaddress.ip_network(text, strict=False).prefixlen == 0:
                raise ValueError("would trust everybody: name the ingresses' own addresses or networks")
        return value

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be an http(s) address without query or fragment, like https://lake.example")
        if parts.path not in ("", "/"):
            raise ValueError("must not have a path: apps and cookies need a host of their own")
        return value.rstrip("/")


class DatabaseSettings(Section):
    """Where the portal keeps what it must not lose."""

    url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL, like postgresql://user:password@host/db (default: SQLite in server.data_dir)",
    )
    migrate: bool = Field(True, description="Bring the schema up to date at the start")
    pool_size: int = Field(10, ge=1, le=200, description="Connections a process keeps at most (PostgreSQL)")
    busy_timeout: float = Field(5.0, gt=0, le=60, description="Seconds to wait for a lock before 503")


class SecuritySettings(Section):
    """Keys."""

    key: SecretStr | None = Field(
        None,
        description="Encrypts tokens and keys at rest: 32 bytes as base64 or hex "
        "(default: a file made at the first start in server.data_dir)",
    )
    previous_keys: tuple[SecretStr, ...] = Field(
        (), description="Keys that were `security.key` before: they still decrypt until everything is written anew"
    )


class OidcSettings(Section):
    """The identity provider."""

    issuer: str = Field(description="Issuer, exactly as the provider states it")
    client_id: str = Field(description="The client registered for the portal")
    client_secret: SecretStr | None = Field(None, description="Its secret")
    client_auth: Literal["client_secret_basic", "client_secret_post"] = Field(
        "client_secret_basic", description="How the secret is sent (OpenID Connect Core, section 9)"
    )
    title: str = Field("your company account", max_length=60, description="Name of the provider on the sign-in page")
    scopes: tuple[str, ...] = Field(("openid", "profile", "email"), description="Scopes asked for")
    groups_claim: str = Field(
        "groups", description="Claim of the ID token that holds the groups; dots lead into objects (realm_access.roles)"
    )
    role_claims: tuple[str, ...] = Field(
        (), description="Further claims whose values count as groups, like resource_access.openlakes-portal.roles"
    )
    groups_overage_url: str | None = Field(
        None,
        description="Where to ask for groups that do not fit the token (Entra ID: "
        "https://graph.microsoft.com/v1.0/me/getMemberObjects); without it such a person is not signed in",
    )
    subject_claim: str = Field("sub", description="Claim that identifies a person for good: sub, or oid for Entra ID")
    algorithms: tuple[Algorithm, ...] = Field(
        ("RS256", "PS256", "ES256", "EdDSA"), min_length=1, description="Signatures that are believed"
    )
    clock_skew: int = Field(60, ge=0, le=300, description="Seconds by which clocks may differ")
    acr_values: tuple[str, ...] = Field((), description="Assurance levels asked for; a sign-in with another is refused")
    max_age: int | None = Field(None, ge=0, description="Longest time since the person last proved who they are")
    ca_file: Path | None = Field(None, description="Certificates that are trusted for the provider (PEM)")
    timeout: float = Field(10.0, gt=0, le=60, description="Seconds that each call to the provider may take")
    check_every: float = Field(
        60.0, ge=5, le=3600, description="While a person is active the provider is asked this often whether they may"
    )
    logout: bool = Field(True, description="Sign out at the provider too (RP-initiated logout)")

    @field_validator("scopes")
    @classmethod
    def _check_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("must contain openid")
        return value


class SessionSettings(Section):
    """How long a sign-in lasts."""

    idle_timeout: float = Field(3600 * 8, ge=60, description="Seconds without a request before a session ends")
    absolute_timeout: float = Field(3600 * 24, ge=300, description="Seconds after which a session ends in any case")
    cache_seconds: float = Field(2.0, ge=0, le=2, description="Longest time a session is believed without the database")


class TokenSettings(Section):
    """API tokens."""

    max_lifetime: float = Field(90 * 86_400, ge=60, description="Seconds that an API token may live at most")
    owner_seen_within: float = Field(
        30 * 86_400,
        ge=3600,
        description="Seconds after its owner's last sign-in or check at the provider in which a person's token counts: "
        "who has left there is not told here",
    )


class AuthSettings(Section):
    """Who may sign in, and how."""

    mode: Literal["oidc", "demo"] = Field("oidc", description="oidc; demo: five personas, loopback only")
    oidc: OidcSettings | None = Field(None, description="The identity provider; needed in mode oidc")
    username_claim: str = Field("preferred_username", description="Claim by which every system knows a person")
    session: SessionSettings = Field(default_factory=SessionSettings, description="Sessions")
    tokens: TokenSettings = Field(default_factory=TokenSettings, description="API tokens")
    issuer: IssuerSettings = Field(default_factory=IssuerSettings, description="The portal as a token issuer")
    token_exchange: TokenExchangeSettings = Field(
        default_factory=TokenExchangeSettings, description="Tokens of service accounts for tokens of other platforms"
    )


class RoleBinding(Section):
    """Gives a role to a group or to one subject."""

    role: str = Field(description="Name of a role")
    group: str | None = Field(None, description="A group of the identity provider")
    subject: str | None = Field(None, description="One person: a user name, or issuer#subject")
    resource: str | None = Field(None, description="Only for resources that match this filter")
    expires_at: AwareDatetime | None = Field(None, description="The binding ends by itself then (RFC 3339)")

    @model_validator(mode="after")
    def _one_of(self) -> "RoleBinding":
        if (self.group is None) == (self.subject is None):
            raise ValueError("a role binding names either a group or a subject")
        if self.resource is not None:
            check_filter(self.resource)
        return self


class RbacSettings(Section):
    """Who may do what."""

    role_bindings: tuple[RoleBinding, ...] = Field((), description="Roles given by configuration")


class GatewaySettings(Section):
    """Real UIs behind the portal."""

    mode: Literal["host", "path"] = Field("host", description="A host name for each app, or /apps/<app>/")
    forward_auth: bool = Field(False, description="Answer forward-auth calls of a trusted ingress")
    trusted_addresses: tuple[str, ...] = Field((), description="Addresses or networks of that ingress")
    answer_timeout: float = Field(
        60.0, gt=0, le=3600, description="Seconds until an app's answer begins, and between two parts of one"
    )
    apps: tuple[SiteApp, ...] = Field((), description="A site's own web pages as apps, without a plugin")

    @field_validator("trusted_addresses")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if ipaddress.ip_network(text, strict=False).prefixlen == 0:
                raise ValueError(f"{text} is everybody: name the ingress")
        return value


class AuditSettings(Section):
    """Where audit records go, and how long they stay."""

    sink: tuple[Literal["database", "file", "otlp"], ...] = Field(
        ("database",), description="Where records go: always the database; from there to a file, or a collector by OTLP"
    )
    path: Path | None = Field(
        None, description="The file of the sink `file`, JSON lines (default: audit.jsonl in server.data_dir)"
    )
    otlp_endpoint: str | None = Field(None, description="The collector of the sink `otlp`, like http://collector:4318")
    otlp_headers: dict[str, SecretStr] = Field(default_factory=dict, description="Headers for it, like Authorization")
    checkpoint_every: float = Field(
        10.0, ge=1, le=3600, description="Seconds between signed statements that cover what was written meanwhile"
    )
    signing_key: SecretStr | None = Field(
        None,
        description="Ed25519 private key (PEM) that signs these statements "
        "(default: one that the first start makes and keeps sealed in the database)",
    )
    retention_days: float | None = Field(
        None, gt=0, description="Records older than this leave the database for a signed archive (default: none do)"
    )
    archive_dir: Path | None = Field(
        None, description="Where archives are written (default: audit-archive in server.data_dir)"
    )
    reads_every: float = Field(
        300.0, ge=0, description="Seconds between records that count what each person has read; 0 counts nothing"
    )

    @model_validator(mode="after")
    def _complete(self) -> "AuditSettings":
        if "database" not in self.sink:
            raise ValueError("sink always contains database")
        if "otlp" in self.sink and self.otlp_endpoint is None:
            raise ValueError("the sink otlp needs otlp_endpoint")
        if self.otlp_endpoint is not None and urlsplit(self.otlp_endpoint).scheme not in ("http", "https"):
            raise ValueError("otlp_endpoint must be an http(s) address")
        return self


class LimitsSettings(Section):
    """Bounds that keep the portal well. Sizes in bytes, times in seconds."""

    body: int = Field(8 * 1024 * 1024, ge=1024, description="Largest request body")
    header_count: int = Field(100, ge=20, description="Most headers of a request")
    header_bytes: int = Field(32 * 1024, ge=4096, description="Largest header section")
    request_timeout: float = Field(60.0, gt=0, description="Time an endpoint gets before 504, streams aside")
    body_timeout: float = Field(15.0, gt=0, description="Longest pause while a body is sent")
    header_timeout: float = Field(10.0, gt=0, le=60, description="Time to send the headers")
    connections: int = Field(2048, ge=16, description="Connections a worker holds at once")
    rate: float = Field(100.0, gt=0, description="Requests a second of one session")
    burst: int = Field(300, ge=1, description="Requests in a burst of one session")
    anonymous_rate: float = Field(50.0, gt=0, description="Requests a second of one address without a session")
    anonymous_burst: int = Field(300, ge=1, description="Requests in a burst of one address without a session")
    sign_in: int = Field(60, ge=1, description="Sign-ins a minute from one address, and exchanges of tokens")
    streams: int = Field(20, ge=1, description="Open streams of one person")
    hook_deadline: float = Field(5.0, gt=0, description="Time each hook of a plugin gets at the start")
    import_deadline: float = Field(20.0, gt=0, description="Time the import of a plugin gets")
    lifespan_deadline: float = Field(10.0, gt=0, description="Time a plugin's lifespan gets to start, and to stop")
    threads: int = Field(8, ge=1, le=64, description="Worker threads of one plugin")
    idempotency_ttl: float = Field(86_400, ge=60, description="How long an Idempotency-Key is remembered")


class TelemetrySettings(Section):
    """Traces, where the extra `otel` is installed."""

    otlp_endpoint: str | None = Field(None, description="OTLP over HTTP, like http://collector:4318")


class Settings(Section):
    """Everything that can be set."""

    server: ServerSettings = Field(default_factory=ServerSettings, description="The server itself")
    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="Where state is kept")
    security: SecuritySettings = Field(default_factory=SecuritySettings, description="Keys")
    auth: AuthSettings = Field(default_factory=AuthSettings, description="Sign-in")
    rbac: RbacSettings = Field(default_factory=RbacSettings, description="Permissions")
    gateway: GatewaySettings = Field(default_factory=GatewaySettings, description="Real UIs behind the portal")
    audit: AuditSettings = Field(default_factory=AuditSettings, description="Audit")
    limits: LimitsSettings = Field(default_factory=LimitsSettings, description="Bounds")
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings, description="Traces")
    plugins: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Settings of each plugin, by its id")

"""Settings of the SQL workbench (`plugins.trino`): its engines, who may read what, and how much a query may use."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, HttpUrl, SecretStr, model_validator

from openlakes_portal_trino.access import AccessRules

MIB = 1024 * 1024


class IcebergCatalog(BaseModel, extra="forbid"):
    """A catalog of the embedded engine, opened by pyiceberg: https://py.iceberg.apache.org/configuration/."""

    type: str = Field("sql", description="Kind of catalog: sql, rest, glue, hive")
    uri: str | None = Field(None, description="Its address, without a password")
    warehouse: str | None = Field(None, description="Where its tables' files are")
    properties: dict[str, str] = Field(default_factory=dict, description="Further properties of pyiceberg")
    secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description="Further properties that are secret, such as `credential` or a `uri`"
    )

    def as_properties(self) -> dict[str, str]:
        """Everything as pyiceberg takes it; secrets in clear, so hand it on and do not keep it."""
        named = {"type": self.type, "uri": self.uri, "warehouse": self.warehouse}
        given = {name: value for name, value in named.items() if value is not None}
        return given | self.properties | {name: secret.get_secret_value() for name, secret in self.secrets.items()}


class EmbeddedSettings(BaseModel, extra="forbid"):
    """The engine `duckdb`: each statement in a worker process of its own, over Iceberg tables."""

    catalogs: dict[str, IcebergCatalog] = Field(
        default_factory=dict, description="Iceberg catalogs by the name they have in SQL; none: the engine is off"
    )
    memory_limit: int = Field(1024 * MIB, ge=256 * MIB, description="Bytes that one statement's process may use")
    threads: int = Field(2, ge=1, le=64, description="Threads of one statement")
    time_limit: float = Field(300.0, gt=0, description="Seconds after which a statement is ended")
    temp_limit: int = Field(2048 * MIB, ge=0, description="Bytes on disk to which one statement may spill")
    count_limit: float = Field(
        2.0, ge=0, le=60, description="Seconds for which rows beyond a result's limit are counted; 0: they are not"
    )
    idle: float = Field(600.0, gt=0, description="Seconds without a query after which the warm process ends")


class TrinoSettings(BaseModel, extra="forbid"):
    """The engine `trino`: a Trino coordinator, asked as the person who runs the query."""

    address: HttpUrl | None = Field(None, description="Address of the coordinator; none: the engine is off")
    verify: Path | None = Field(None, description="CA file that its certificate is checked against")
    audience: str | None = Field(
        None, description="Audience of the bearer token; none: the plain name, for an unprotected loopback server only"
    )
    source: str = Field("openlakes-portal", description="Name under which Trino's own console shows the queries")
    timeout: float = Field(10.0, gt=0, description="Seconds before one call is given up")
    threads: int = Field(16, ge=1, le=256, description="Queries that are read at the same time")
    spooling: bool = Field(
        True, description="Whether large results are asked for as segments, by servers that have the spooling protocol"
    )
    segment_addresses: list[HttpUrl] = Field(
        default_factory=list,
        description="Origins, such as an object store's, from which segments may be fetched besides Trino's address",
    )
    web_page: bool = Field(
        True, description="Whether Trino's own web page is opened through the portal; it needs `audience`"
    )

    @model_validator(mode="after")
    def _a_name_alone_is_for_loopback(self) -> Self:
        host = self.address.host if self.address else None
        if host is not None and self.audience is None and self.verify is None and not _is_loopback(host):
            raise ValueError(
                "a Trino that believes a plain user name may stand on loopback only: set trino.audience, so that "
                "each person is proven by a token"
            )
        return self


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "[::1]") or host.startswith("127.") or host.endswith(".localhost")


class QuerySettings(BaseModel, extra="forbid"):
    """How much of everything a query may use, and how long results stay."""

    per_user: int = Field(5, ge=1, description="Statements of one person that run at the same time; more wait")
    total: int = Field(20, ge=1, description="Statements that run at the same time in one portal process")
    waiting: int = Field(50, ge=1, description="Statements of one person that may wait")
    row_limit: int = Field(10_000, ge=1, description="Rows of a result where the request does not say")
    max_row_limit: int = Field(10_000_000, ge=1, description="Most rows that a request may ask for")
    result_limit: int = Field(1024 * MIB, ge=MIB, description="Bytes of one result; what is more is cut and flagged")
    cell_limit: int = Field(4 * MIB, ge=1024, description="Bytes of one value; what is more is cut and flagged")
    statement_limit: int = Field(150_000, ge=1000, le=150_000, description="Bytes of one statement")
    keep_results: float = Field(7 * 86_400.0, gt=0, description="Seconds that a result is kept")
    keep_bytes: int = Field(8192 * MIB, ge=MIB, description="Bytes of all results together; the oldest go first")
    keep_history: int = Field(1000, ge=1, description="Entries of history kept for each person")
    abandon_after: float = Field(
        60.0, gt=1, description="Seconds without anybody asking for it after which a running statement is stopped"
    )


class ObjectStoreSettings(BaseModel, extra="forbid"):
    """An object store that speaks S3, for results that every replica can read."""

    endpoint: HttpUrl | None = Field(None, description="Its address; none: that of AWS in `region`")
    bucket: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="Bucket, which exists already")
    prefix: str = Field(
        "results/",
        pattern=r"^([A-Za-z0-9_.=-]+/)*$",
        description="Beginning of the objects' names; nothing else is there",
    )
    region: str = Field("us-east-1", description="Region")
    access_key: SecretStr | None = Field(None, description="Access key; none: what the environment gives the process")
    secret_key: SecretStr | None = Field(None, description="Its secret")
    verify: Path | None = Field(None, description="CA file that its certificate is checked against")
    timeout: float = Field(5.0, gt=0, le=60, description="Seconds to connect, and without a byte, before a call fails")
    deadline: float = Field(120.0, gt=0, description="Seconds before the way of one whole result is given up")

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("access_key and secret_key are given both or neither")
        return self


class ResultSettings(BaseModel, extra="forbid"):
    """Where results are kept; how long and how many, `queries` says."""

    s3: ObjectStoreSettings | None = Field(
        None, description="Object store, for more than one replica; none: files in `server.data_dir`"
    )


class SavedQuerySettings(BaseModel, extra="forbid"):
    """A query that the site offers to everybody who may run SQL; nobody can change it in the console."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$", description="Its name in addresses")
    name: str = Field(min_length=1, max_length=200, description="Its title")
    description: str = Field("", description="What it shows")
    sql: str = Field(min_length=1, description="The statement")
    engine: str | None = Field(None, description="Engine; none: the default one")
    catalog: str | None = Field(None, description="Catalog of unqualified names")
    schema_: str | None = Field(None, alias="schema", description="Schema of unqualified names")
    parameters: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="Values of `:name` parameters at first"
    )


class Settings(BaseModel, extra="forbid"):
    """The SQL workbench: Trino where there is one, DuckDB over Iceberg where there is none."""

    default_engine: str | None = Field(None, description="`trino` or `duckdb`; none: trino where it is configured")
    trino: TrinoSettings = Field(default_factory=TrinoSettings, description="The engine `trino`")
    duckdb: EmbeddedSettings = Field(default_factory=EmbeddedSettings, description="The engine `duckdb`")
    access: AccessRules = Field(
        default_factory=AccessRules,
        description="Who may read what by the engine `duckdb`, shaped like Trino's file-based rules; default: nobody",
    )
    queries: QuerySettings = Field(default_factory=QuerySettings, description="Limits and retention")
    results: ResultSettings = Field(default_factory=ResultSettings, description="Where results are kept")
    saved_queries: list[SavedQuerySettings] = Field(
        default_factory=list, description="Queries that the site offers to everybody who may run SQL"
    )

    @model_validator(mode="after")
    def _default_is_configured(self) -> Self:
        if self.default_engine is not None and self.default_engine not in self.engines:
            raise ValueError(f"default_engine {self.default_engine!r} is not configured; configured: {self.engines}")
        return self

    @property
    def engines(self) -> list[str]:
        """Ids of the configured engines, the default one first."""
        configured = [
            *(["trino"] if self.trino.address else []),
            *(["duckdb"] if self.duckdb.catalogs else []),
        ]
        return sorted(configured, key=lambda engine: engine != self.default_engine)

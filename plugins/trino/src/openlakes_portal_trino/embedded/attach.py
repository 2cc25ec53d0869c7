"""The person's connection: the tables of one statement, and nothing else of the world.

Each catalog is an empty in-memory database of that name; each table that the statement names, and that the grants
allow, is a view in it over an Arrow source. A table with masks or a row filter is computed by a second, privileged
connection (a DuckDB instance of its own) that the person's SQL has no way to reach: what comes over is the masked
result only. Then the connection is locked: no files, no network, no extensions, no settings, no Python objects.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table

from openlakes_portal.spi import QueryError
from openlakes_portal_trino.access import Grants, TableGrant
from openlakes_portal_trino.embedded import iceberg
from openlakes_portal_trino.embedded.catalogs import CatalogMissing, open_existing
from openlakes_portal_trino.embedded.job import Job
from openlakes_portal_trino.embedded.refusal import Refused
from openlakes_portal_trino.embedded.statement import ReadStatement, TableName

MOST_LISTED = 500
"""Tables that a question about the catalog itself (SHOW TABLES, information_schema) shows at most."""

PROTECTED = "protected"
"""How the privileged connection calls the whole table."""

PRIVILEGED_SHARE = 4
"""The privileged connection gets this fraction of the memory limit."""


@dataclass(frozen=True)
class Place:
    """A table that exists and may be read, as the catalog writes it."""

    catalog: str
    schema: str
    table: str

    @property
    def quoted(self) -> str:
        """For SQL of ours."""
        return ".".join(quoted(part) for part in (self.catalog, self.schema, self.table))


RULE_FAILED = QueryError("A rule of the site for this table cannot be applied. Tell its owner.", "engine")


@dataclass(frozen=True)
class Protected:
    """A masked or filtered table: a query of the privileged DuckDB over `whole`, run anew for each scan."""

    privileged: duckdb.DuckDBPyConnection
    whole: ds.Dataset | iceberg.Scanned
    sql: str
    user: str
    failures: list[bool]
    """Something is in it once the rule failed on the data. The words of that failure hold what the rule hides."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A new stream over what the person may see."""
        return self._reader(self.sql).__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The schema alone, which costs no scan. Fails where the site's rule cannot be applied."""
        return self._reader(f"{self.sql} LIMIT 0").schema.__arrow_c_schema__()

    def _reader(self, sql: str) -> pa.RecordBatchReader:
        try:
            connection = self.privileged.cursor()  # of its own: scans of one table may overlap
            connection.register(PROTECTED, self.whole)
            connection.execute("SET VARIABLE user = ?", [self.user])
            reader = connection.execute(sql).to_arrow_reader(65_536)
        except Exception:
            self.failures.append(True)
            raise
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader))

    def _batches(self, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        try:
            yield from reader
        except Exception:
            self.failures.append(True)
            raise


def quoted(identifier: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


class Attachment:
    """Attaches to `connection` what `job` may read of what `statement` names."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, job: Job) -> None:
        self._connection = connection
        self._job = job
        self._grants = Grants.from_json(job.grants)
        self._names = [name for name in job.catalogs if self._grants.sees_catalog(name)]
        self._opened: dict[str, Catalog] = {}
        self._made: set[tuple[str, str]] = set()
        self._attached: set[Place] = set()
        self._privileged: duckdb.DuckDBPyConnection | None = None
        self._failures: list[bool] = []

    @property
    def rule_failed(self) -> bool:
        """Whether a mask or filter failed on the data: nothing that was said of it may reach the person."""
        return bool(self._failures)

    @property
    def default_catalog(self) -> str | None:
        """The catalog of unqualified names."""
        wanted = self._job.catalog
        if wanted is None:
            return self._names[0] if self._names else None
        found = _same_name(wanted, self._names)
        if found is None:
            raise Refused(QueryError(f'Catalog "{wanted}" does not exist.', "not_found"))
        return found

    def attach(self, statement: ReadStatement) -> None:
        """Attach, set the default catalog and schema, and lock the connection."""
        default = self.default_catalog
        for catalog in self._names:
            self._connection.execute(f"ATTACH ':memory:' AS {quoted(catalog)}")
        for name in statement.tables:
            for place in self._candidates(name, default):
                self._attach_table(place)
        if statement.introspects:
            for place in self._listed():
                self._attach_shape(place)
        self._use(default)
        lock(self._connection)

    def _use(self, default: str | None) -> None:
        if default is None:
            return
        schema = self._job.schema
        if schema is None:
            self._connection.execute(f"USE {quoted(default)}")
            return
        found = self._schema(default, schema)
        if found is None:
            raise Refused(QueryError(f'Schema "{default}.{schema}" does not exist.', "not_found"))
        self._make_schema(default, found)
        self._connection.execute(f"USE {quoted(default)}.{quoted(found)}")

    def _candidates(self, name: TableName, default: str | None) -> Iterator[Place]:
        """Where a name may lead; DuckDB itself decides between them."""
        catalog = _same_name(name.catalog, self._names) if name.catalog else default
        schema = name.schema or self._job.schema
        if catalog is None or schema is None:
            return
        found_schema = self._schema(catalog, schema)
        if found_schema is None:
            return
        self._make_schema(catalog, found_schema)  # else DuckDB would say that the schema is what does not exist
        table = _same_name(name.table, self._tables(catalog, found_schema))
        if table is not None:
            yield Place(catalog, found_schema, table)

    def readable(self, name: TableName) -> list[str]:
        """Tables that the person may read where `name` would be: their names, or `schema.table` where it is written
        without a schema and there is no default one."""
        catalog = _same_name(name.catalog, self._names) if name.catalog else self.default_catalog
        if catalog is None:
            return []
        wanted = name.schema or self._job.schema
        if wanted is None:
            places = [place for place in self._listed() if place.catalog == catalog]
            return [f"{place.schema}.{place.table}" for place in places]
        schema = self._schema(catalog, wanted)
        return self._tables(catalog, schema) if schema is not None else []

    def _catalog(self, name: str) -> Catalog:
        if name not in self._opened:
            try:
                self._opened[name] = open_existing(name, self._job.catalogs[name])
            except CatalogMissing:
                raise Refused(QueryError(f"The database of the catalog {name} does not exist.", "engine")) from None
        return self._opened[name]

    def _schema(self, catalog: str, schema: str) -> str | None:
        names = (".".join(namespace) for namespace in self._catalog(catalog).list_namespaces())
        return _same_name(schema, [name for name in names if self._grants.may_see_schema(catalog, name)])

    def _tables(self, catalog: str, schema: str) -> list[str]:
        try:
            identifiers = self._catalog(catalog).list_tables(tuple(schema.split(".")))
        except NoSuchNamespaceError:
            return []
        names = sorted(identifier[-1] for identifier in identifiers)
        return [name for name in names if self._grants.table(catalog, schema, name) is not None]

    def _listed(self) -> Iterable[Place]:
        places: list[Place] = []
        for catalog in self._names:
            for namespace in self._catalog(catalog).list_namespaces():
                schema = ".".join(namespace)
                places += [Place(catalog, schema, table) for table in self._tables(catalog, schema)]
        return places[:MOST_LISTED]

    def _make_schema(self, catalog: str, schema: str) -> None:
        if (catalog, schema) not in self._made:
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(catalog)}.{quoted(schema)}")
            self._made.add((catalog, schema))

    def _load(self, place: Place) -> Table | None:
        try:
            return self._catalog(place.catalog).load_table((*place.schema.split("."), place.table))
        except NoSuchTableError:
            return None

    def _attach_table(self, place: Place) -> None:
        if place in self._attached:
            return
        grant = self._grants.table(place.catalog, place.schema, place.table)
        table = self._load(place)
        if table is None or grant is None:
            return
        whole = iceberg.source(table)
        self._make_schema(place.catalog, place.schema)
        hidden = f"__{len(self._attached)}"
        self._connection.register(hidden, whole if grant.whole else self._protect(whole, table, grant))
        self._connection.execute(f"CREATE VIEW {place.quoted} AS FROM temp.main.{quoted(hidden)}")
        self._attached.add(place)

    def _protect(self, whole: ds.Dataset | iceberg.Scanned, table: Table, grant: TableGrant) -> Protected:
        if self._privileged is None:
            limits = self._job.limits
            self._privileged = connect(limits.memory // PRIVILEGED_SHARE, limits.threads, limits.temp)
        sql = protected_sql([field.name for field in table.schema().fields], grant)
        protected = Protected(self._privileged, whole, sql, self._job.user, self._failures)
        try:
            protected.__arrow_c_schema__()
        except duckdb.Error as error:
            # the words of a site's rule are not the person's to read
            raise Refused(RULE_FAILED) from error
        return protected

    def _attach_shape(self, place: Place) -> None:
        """An empty table of the same columns: enough for a question about the catalog."""
        grant = self._grants.table(place.catalog, place.schema, place.table)
        table = self._load(place)
        if place in self._attached or table is None or grant is None:
            return
        self._make_schema(place.catalog, place.schema)
        shape = iceberg.arrow_schema(table).empty_table()
        shape = shape.drop_columns([name for name in shape.column_names if name.lower() in grant.hidden()])
        self._connection.register("__shape", shape)
        self._connection.execute(f"CREATE TABLE {place.quoted} AS FROM temp.main.__shape")
        self._connection.unregister("__shape")
        self._attached.add(place)


def protected_sql(columns: list[str], grant: TableGrant) -> str:
    """The query that stands for a protected table. The filter sees the true values, a mask the row's true columns."""
    masks, hidden = grant.masks(), grant.hidden()
    shown = [
        f"({masks[column.lower()]}) AS {quoted(column)}" if column.lower() in masks else quoted(column)
        for column in columns
        if column.lower() not in hidden
    ]
    condition = f" WHERE ({grant.filter})" if grant.filter else ""
    return f"SELECT {', '.join(shown)} FROM {PROTECTED}{condition}"  # noqa: S608  the site's own expressions


def _same_name(wanted: str, names: Iterable[str]) -> str | None:
    """The name as the catalog writes it: exact, else whatever its case, as SQL has it."""
    names = list(names)
    if wanted in names:
        return wanted
    return next((name for name in names if name.lower() == wanted.lower()), None)


def connect(memory: int, threads: int, temp: int) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own, in memory, that installs and loads nothing. It spills into the folder it was started in."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{memory}B",
            "threads": threads,
            "temp_directory": "spill",
            "max_temp_directory_size": f"{temp}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
            "errors_as_json": True,
        },
    )
    for setting in ("TimeZone = 'UTC'", "enable_progress_bar = true", "enable_progress_bar_print = false"):
        connection.execute(f"SET {setting}")
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on: no files, no network, and no setting can be changed back."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")

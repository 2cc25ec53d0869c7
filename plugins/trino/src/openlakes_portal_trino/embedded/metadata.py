"""What the embedded engine's catalogs hold, as one principal may see it. Blocking: call it in a worker thread.

pyiceberg is imported here on first use, so that a portal at rest does not carry it. Answers of the catalogs are kept
for a few seconds: the tree in the console asks for the same names again and again.
"""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from cachetools import TTLCache

from openlakes_portal.spi import NotFound, PortalError, TableColumn, TableDetail, TableEntry, UpstreamUnavailable
from openlakes_portal_trino.access import Grants, TableGrant
from openlakes_portal_trino.embedded.catalogs import (
    LOCAL_FILES,
    CatalogMissing,
    database_file,
    is_local,
    open_existing,
)
from openlakes_portal_trino.embedded.types import duckdb_type
from openlakes_portal_trino.settings import IcebergCatalog

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

KEPT = 10.0
ABSENT = (
    "Restore it from a backup, or set plugins.trino.duckdb.catalogs.{name} to where it is. Where there was none yet, "
    "create the catalog with the tool that writes its tables; the portal creates none."
)


class CatalogAbsent(UpstreamUnavailable):
    """The database of a catalog does not exist."""


class Metadata:
    """Catalogs by name, opened on first use."""

    def __init__(self, catalogs: Mapping[str, IcebergCatalog]) -> None:
        self._settings = dict(catalogs)
        self._properties = {name: _without_arrow(one.as_properties()) for name, one in catalogs.items()}
        self._opened: dict[str, tuple[Catalog, _Identity]] = {}
        self._lock = threading.Lock()
        self._names: TTLCache[tuple[str, ...], list[str]] = TTLCache(1000, KEPT)
        self._tables: TTLCache[tuple[str, str, str], Table] = TTLCache(1000, KEPT)

    def catalogs(self, grants: Grants) -> list[str]:
        """Catalogs in the order of the settings."""
        return [name for name in self._settings if grants.sees_catalog(name)]

    def schemas(self, grants: Grants, catalog: str) -> list[str]:
        """Schemas of a catalog. Raises `NotFound`."""
        self._check_catalog(grants, catalog)
        names = self._cached((catalog,), lambda: self._list_namespaces(catalog))
        return [name for name in names if grants.may_see_schema(catalog, name)]

    def tables(self, grants: Grants, catalog: str, schema: str) -> list[TableEntry]:
        """Tables of a schema, with their rows where the catalog's metadata has been read already."""
        if schema not in self.schemas(grants, catalog):
            raise NotFound(f"There is no schema {catalog}.{schema}.")
        names = self._cached((catalog, schema), lambda: self._list_tables(catalog, schema))
        readable = [name for name in names if grants.table(catalog, schema, name) is not None]
        return [TableEntry(name, rows=self._known_rows(grants, catalog, schema, name)) for name in readable]

    def table(self, grants: Grants, catalog: str, schema: str, name: str) -> TableDetail:
        """One table's columns and figures. Raises `NotFound`."""
        grant = grants.table(catalog, schema, name)
        if grant is None or schema not in self.schemas(grants, catalog):
            raise NotFound(f"There is no table {catalog}.{schema}.{name}.")
        return _detail(self._load(catalog, schema, name), grant, (catalog, schema, name))

    @property
    def all_catalogs(self) -> list[str]:
        """Every catalog, for the portal itself."""
        return list(self._settings)

    def all_tables(self, catalog: str) -> list[tuple[str, str, str]]:
        """Every table of a catalog, asked anew, for the portal itself. Raises `UpstreamUnavailable`."""
        try:
            return [
                (catalog, schema, table)
                for schema in self._list_namespaces(catalog)
                for table in self._list_tables(catalog, schema)
            ]
        except PortalError:
            raise
        except Exception as error:  # pyiceberg's catalogs raise what their client libraries raise
            raise _unreadable(catalog, "be read", error) from error

    def load_anew(self, catalog: str, schema: str, name: str) -> "Table":
        """A table as its catalog and its files are now, for the portal itself."""
        return self._open(catalog).load_table((*schema.split("."), name))

    def _check_catalog(self, grants: Grants, catalog: str) -> None:
        if catalog not in self.catalogs(grants):
            raise NotFound(f"There is no catalog {catalog}.")

    def _known_rows(self, grants: Grants, catalog: str, schema: str, name: str) -> int | None:
        grant = grants.table(catalog, schema, name)
        if grant is None or grant.filter is not None:
            return None
        with self._lock:
            table = self._tables.get((catalog, schema, name))
        return None if table is None else _summary(table, "total-records")

    def _load(self, catalog: str, schema: str, name: str) -> "Table":
        from pyiceberg.exceptions import NoSuchTableError

        key = (catalog, schema, name)
        with self._lock:
            found = self._tables.get(key)
        if found is None:
            try:
                found = self._open(catalog).load_table((*schema.split("."), name))
            except NoSuchTableError as error:
                raise NotFound(f"There is no table {catalog}.{schema}.{name}.") from error
            with self._lock:
                self._tables[key] = found
        return found

    def _cached(self, key: tuple[str, ...], read: Callable[[], list[str]]) -> list[str]:
        with self._lock:
            found = self._names.get(key)
        if found is None:
            found = read()
            with self._lock:
                self._names[key] = found
        return found

    def _list_namespaces(self, catalog: str) -> list[str]:
        return sorted(".".join(namespace) for namespace in self._open(catalog).list_namespaces())

    def _list_tables(self, catalog: str, schema: str) -> list[str]:
        return sorted(identifier[-1] for identifier in self._open(catalog).list_tables(tuple(schema.split("."))))

    def _open(self, catalog: str) -> "Catalog":
        identity = _identity(self._properties[catalog])
        with self._lock:
            found = self._opened.get(catalog)
        if found is not None and found[1] == identity:
            return found[0]
        try:
            opened = open_existing(catalog, self._properties[catalog])
        except CatalogMissing as error:
            raise CatalogAbsent(
                f"The database of the Iceberg catalog {catalog} does not exist.", remedy=ABSENT.format(name=catalog)
            ) from error
        except Exception as error:  # pyiceberg's catalogs raise what their client libraries raise
            raise _unreadable(catalog, "be opened", error) from error
        with self._lock:
            self._opened[catalog] = (opened, identity)
        return opened


def _unreadable(catalog: str, what: str, error: Exception) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        f"The Iceberg catalog {catalog} cannot {what} ({type(error).__name__}).",
        remedy=f"Check plugins.trino.duckdb.catalogs.{catalog} and what it leads to.",
    )


_Identity = tuple[int, int] | None


def _identity(properties: dict[str, str]) -> _Identity:
    """Which file a catalog's database is: a connection to one that was deleted or replaced would go on answering."""
    file = database_file(properties)
    try:
        return (file.stat().st_dev, file.stat().st_ino) if file is not None else None
    except OSError:
        return (0, 0)


def _without_arrow(properties: dict[str, str]) -> dict[str, str]:
    """Local files are read by ours, unless the site says how."""
    local = "warehouse" in properties and is_local(properties["warehouse"])
    return {**LOCAL_FILES, **properties} if local else properties


def _detail(table: "Table", grant: TableGrant, name: tuple[str, str, str]) -> TableDetail:
    hidden = grant.hidden()
    types = _types(table)
    columns = tuple(
        TableColumn(field.name, types[field.name], not field.required, field.doc)
        for field in table.schema().fields
        if field.name.lower() not in hidden
    )
    partitioned = tuple(field.name for field in table.spec().fields if field.name.lower() not in hidden)
    whole = grant.filter is None
    return TableDetail(
        *name,
        kind="table",
        columns=columns,
        rows=_summary(table, "total-records") if whole else None,
        bytes=_summary(table, "total-files-size") if whole else None,
        comment=table.properties.get("comment"),
        partitioned_by=partitioned,
    )


def _types(table: "Table") -> dict[str, str]:
    """Types of the columns in DuckDB's words."""
    return {field.name: duckdb_type(str(field.field_type)) for field in table.schema().fields}


def _summary(table: "Table", figure: str) -> int | None:
    snapshot = table.current_snapshot()
    if snapshot is None:
        return 0
    value = snapshot.summary[figure] if snapshot.summary else None
    return int(value) if value is not None else None

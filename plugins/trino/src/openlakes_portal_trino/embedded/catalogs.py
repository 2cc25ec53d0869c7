"""Opening Iceberg catalogs to read them, without ever making one: pyiceberg's SQL catalog creates its database and its
tables wherever it finds none, which would turn a lost catalog into an empty one.
"""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

LOCAL_FILES = {"py-io-impl": "openlakes_portal_trino.embedded.localfiles.LocalFiles"}
"""The property of pyiceberg that has it read local files without Arrow."""


class CatalogMissing(Exception):
    """The database of a catalog does not exist."""


def is_local(location: str) -> bool:
    """Whether a location is a file of this machine."""
    return urlsplit(location).scheme in ("", "file")


def database_file(properties: dict[str, str]) -> Path | None:
    """The SQLite file of an SQL catalog; None where the catalog is something else."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(properties.get("uri", ""))
    except ArgumentError:
        return None
    plain = bool(url.database) and url.database != ":memory:" and "uri" not in url.query
    if properties.get("type", "sql") != "sql" or url.get_backend_name() != "sqlite" or not plain:
        return None
    return Path(str(url.database)).absolute()


def open_existing(name: str, properties: dict[str, str]) -> "Catalog":
    """The catalog. Raises `CatalogMissing`, and whatever pyiceberg and its client libraries raise."""
    from pyiceberg.catalog import load_catalog

    file = database_file(properties)
    if file is None:
        return load_catalog(name, **properties)
    if not file.is_file():
        raise CatalogMissing(name)
    # https://sqlite.org/uri.html: rw, unlike rwc, creates nothing, even if the file has gone a moment ago
    address = f"sqlite:///file:{quote(str(file))}?mode=rw&uri=true"
    return load_catalog(name, **{**properties, "uri": address, "init_catalog_tables": "false"})

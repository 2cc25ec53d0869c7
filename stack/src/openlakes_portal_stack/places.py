"""Names and places of the demo's lakehouse, without importing what reads it."""

from pathlib import Path

CATALOG = "lakehouse"
NAMESPACE = "nyc"
SPOOL = "trino-spool"
"""The bucket where Trino keeps large results until they are fetched."""


def catalog_uri(folder: Path) -> str:
    """The SQLAlchemy address of the catalog's database."""
    return f"sqlite:///{folder / 'catalog.db'}"


def warehouse(folder: Path) -> str:
    """Where the tables' files are, as a URL."""
    return (folder / "warehouse").as_uri()

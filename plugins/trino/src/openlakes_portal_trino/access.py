"""Who may read what: rules shaped like Trino's file-based access control
(https://trino.io/docs/current/security/file-system-access-control.html), for the engine that has none of its own.

Vocabulary: a *rule* names whom it is about (`user`, `role`: regular expressions that must match whole) and what it is
about; the first rule that matches decides, and where none does the answer is no. *Grants* are the rules that are left
for one principal: they hold no names of people any more, travel to the worker as JSON and decide there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Self

from pydantic import BaseModel, Field, field_validator

from openlakes_portal.spi import Principal

SELECT = "SELECT"


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).fullmatch(text) is not None


class _Rule(BaseModel, extra="forbid", frozen=True):
    user: str = Field(".*", description="Regular expression of user names; whole match")
    role: str = Field(".*", description="Regular expression of roles; one role of the person must match whole")

    @field_validator("user", "role", "catalog", "schema_", "table", check_fields=False)
    @classmethod
    def _is_an_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression: {error}") from error
        return value

    def about(self, principal: Principal) -> bool:
        """Whether this rule is about the principal."""
        return _matches(self.user, principal.username) and (
            self.role == ".*" or any(_matches(self.role, role) for role in principal.roles)
        )


class CatalogRule(_Rule):
    """Whether a catalog may be seen. `read-only` and `all` are the same to an engine that only reads."""

    catalog: str = Field(".*", description="Regular expression of catalogs")
    allow: Literal["all", "read-only", "none"] = Field("read-only", description="What is allowed")


class SchemaRule(_Rule):
    """`owner: true` lets every table of the schema be read that no table rule speaks of."""

    catalog: str = Field(".*", description="Regular expression of catalogs")
    schema_: str = Field(".*", alias="schema", description="Regular expression of schemas")
    owner: bool = Field(False, description="Whether every table of the schema may be read")


class ColumnRule(BaseModel, extra="forbid", frozen=True):
    """A column that is hidden (`allow: false`) or replaced by an expression over the row (`mask`)."""

    name: str = Field(description="Name of the column")
    allow: bool = Field(True, description="Whether the column exists at all for these people")
    mask: str | None = Field(None, description="SQL expression that is shown in its place")


class TableRule(_Rule):
    """Whether tables may be read, and which rows and columns of them."""

    catalog: str = Field(".*", description="Regular expression of catalogs")
    schema_: str = Field(".*", alias="schema", description="Regular expression of schemas")
    table: str = Field(".*", description="Regular expression of tables")
    privileges: tuple[str, ...] = Field(description="SELECT, or nothing to deny")
    columns: tuple[ColumnRule, ...] = Field((), description="Columns that are hidden or masked")
    filter: str | None = Field(None, description="SQL condition that a row must fulfil to be seen")


class AccessRules(BaseModel, extra="forbid", frozen=True):
    """All rules of the embedded engine. Nothing is allowed that no rule allows."""

    catalogs: tuple[CatalogRule, ...] = Field((), description="Who may see which catalogs")
    schemas: tuple[SchemaRule, ...] = Field((), description="Who may read whole schemas")
    tables: tuple[TableRule, ...] = Field((), description="Who may read which tables, rows and columns")

    def grants(self, principal: Principal) -> "Grants":
        """What is left of the rules for one principal."""
        return Grants(
            catalogs=tuple(rule for rule in self.catalogs if rule.about(principal)),
            schemas=tuple(rule for rule in self.schemas if rule.about(principal)),
            tables=tuple(rule for rule in self.tables if rule.about(principal)),
        )


@dataclass(frozen=True)
class TableGrant:
    """How a principal may read one table: everything, or less columns and rows than it has."""

    columns: tuple[ColumnRule, ...] = ()
    filter: str | None = None

    @property
    def whole(self) -> bool:
        """Whether nothing is hidden, masked or filtered."""
        return not self.columns and self.filter is None

    def hidden(self) -> frozenset[str]:
        """Names of columns that do not exist for this principal."""
        return frozenset(column.name.lower() for column in self.columns if not column.allow)

    def masks(self) -> dict[str, str]:
        """Expressions that stand in place of columns, by lower-case name."""
        return {column.name.lower(): column.mask for column in self.columns if column.allow and column.mask}


class Grants(BaseModel, extra="forbid", frozen=True):
    """One principal's rules, in order."""

    catalogs: tuple[CatalogRule, ...] = ()
    schemas: tuple[SchemaRule, ...] = ()
    tables: tuple[TableRule, ...] = ()

    def sees_catalog(self, catalog: str) -> bool:
        """Whether the catalog may be seen."""
        for rule in self.catalogs:
            if _matches(rule.catalog, catalog):
                return rule.allow != "none"
        return False

    def may_see_schema(self, catalog: str, schema: str) -> bool:
        """Whether a table of this schema could be readable; which ones, `table` says."""
        if not self.sees_catalog(catalog):
            return False
        named: Sequence[SchemaRule | TableRule] = (*self.schemas, *self.tables)
        return any(_matches(rule.catalog, catalog) and _matches(rule.schema_, schema) for rule in named)

    def table(self, catalog: str, schema: str, table: str) -> TableGrant | None:
        """How the table may be read; None: not at all."""
        if not self.sees_catalog(catalog):
            return None
        for rule in self.tables:
            if _matches(rule.catalog, catalog) and _matches(rule.schema_, schema) and _matches(rule.table, table):
                return TableGrant(rule.columns, rule.filter) if SELECT in rule.privileges else None
        for owned in self.schemas:
            if _matches(owned.catalog, catalog) and _matches(owned.schema_, schema):
                return TableGrant() if owned.owner else None
        return None

    def as_json(self) -> str:
        """For the way to the worker."""
        return self.model_dump_json(by_alias=True)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `as_json` made."""
        return cls.model_validate_json(text)

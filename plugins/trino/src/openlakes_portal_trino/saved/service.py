"""Saved queries. A person sees their own, those that others share with everybody or with them, and the site's; only the
owner changes one."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from openlakes_portal.spi import (
    Conflict,
    Document,
    Documents,
    Limited,
    NotAllowed,
    NotFound,
    PreconditionFailed,
    Principal,
    resource_of,
)
from openlakes_portal.spi.context import Context
from openlakes_portal.spi.sql import Scalar
from openlakes_portal_trino.routes.access import READ_SAVED
from openlakes_portal_trino.settings import SavedQuerySettings, Settings

COLLECTION = "saved-queries"
KIND = "saved-query"
PAGE = 500
MOST_OWN = 200
"""Saved queries of one person: everybody's list is read as a whole."""
CAN_BE_NULL = ("engine", "catalog", "schema")


class NewSavedQuery(BaseModel, extra="forbid", serialize_by_alias=True):
    """What is saved."""

    name: str = Field(min_length=1, max_length=200)
    sql: str = Field(min_length=1, max_length=150_000)
    description: str = Field("", max_length=2_000)
    engine: str | None = Field(None, max_length=40)
    catalog: str | None = Field(None, max_length=200)
    schema_: str | None = Field(None, alias="schema", max_length=200)
    parameters: dict[str, Scalar] = Field(default_factory=dict, max_length=200)
    shared: bool = Field(False, description="Whether everybody who may run SQL sees it")


class SavedQueryChange(BaseModel, extra="forbid"):
    """What is changed; a field that is left out stays, and so does null where a saved query cannot be without."""

    name: str | None = Field(None, min_length=1, max_length=200)
    sql: str | None = Field(None, min_length=1, max_length=150_000)
    description: str | None = Field(None, max_length=2_000)
    engine: str | None = Field(None, max_length=40)
    catalog: str | None = Field(None, max_length=200)
    schema_: str | None = Field(None, alias="schema", max_length=200)
    parameters: dict[str, Scalar] | None = Field(None, max_length=200)
    shared: bool | None = None


class SavedQuery(NewSavedQuery):
    """A saved query. `origin` says whose it is from where the reader stands; only one's own can be changed."""

    id: str
    owner: str = Field(description="User name of its owner; empty for the site's")
    origin: Literal["own", "shared", "site"]
    version: int
    created_at: datetime | None = None
    updated_at: datetime | None = None


class _Stored(NewSavedQuery, extra="ignore"):
    username: str


class SavedQueries:
    """All saved queries, each as the asking person may see it."""

    def __init__(self, context: Context[Settings]) -> None:
        self._context = context

    async def visible(self, principal: Principal) -> list[SavedQuery]:
        """Own ones first, then shared ones, then the site's; within each by name."""
        found = [query for document in await self._all() if (query := await self._listed(document, principal))]
        order = {"own": 0, "shared": 1, "site": 2}
        return sorted([*found, *self._of_site()], key=lambda query: (order[query.origin], query.name.lower()))

    async def get(self, principal: Principal, id: str) -> SavedQuery:
        """One. Raises `NotFound`."""
        for query in self._of_site():
            if query.id == id:
                return query
        document = await self._documents.get(id)
        query_seen = _seen(document, principal) if document is not None else None
        if query_seen is not None:
            return query_seen
        if document is None or not (await self._context.decide(principal, READ_SAVED, resource(id))).allowed:
            raise NotFound("There is no such saved query.")
        return _view(document, "shared")

    async def owner(self, resource: str) -> str | None:
        """Whose a saved query is, by its resource."""
        key, _, id = resource.partition("=")
        document = await self._documents.get(id) if key == KIND else None
        return document.owner if document is not None else None

    async def own(self, principal: Principal, id: str) -> SavedQuery:
        """One's own. Raises `NotFound`, `NotAllowed`, `Conflict`."""
        return await self._own(principal, id)

    async def _listed(self, document: Document, principal: Principal) -> SavedQuery | None:
        """As `get`, but somebody who may read all of them finds in their list what is meant for them, no more."""
        query = _seen(document, principal)
        if query is not None or not any(READ_SAVED.name in grant.permissions for grant in principal.scoped):
            return query
        decision = await self._context.decide(principal, READ_SAVED, resource(document.id))
        meant = not principal.may(READ_SAVED) or any(grant.filter == decision.resource for grant in principal.scoped)
        return _view(document, "shared") if decision.allowed and meant else None

    async def create(self, principal: Principal, new: NewSavedQuery) -> SavedQuery:
        """A new one of this person's."""
        own = await self._documents.list(owner=principal.identity, limit=MOST_OWN)
        if len(own.items) >= MOST_OWN:
            raise Limited(f"You have {MOST_OWN} saved queries, as many as one may have.", remedy="Delete one first.")
        data = {**new.model_dump(mode="json", by_alias=True), "username": principal.username}
        document = await self._documents.create(data, owner=principal.identity)
        return _view(document, "own")

    async def change(self, principal: Principal, id: str, change: SavedQueryChange, version: int | None) -> SavedQuery:
        """Change one's own. Raises `NotFound`, `NotAllowed`, `PreconditionFailed`."""
        query = await self._own(principal, id)
        if version is not None and version != query.version:
            raise PreconditionFailed(f"It is at version {query.version}, not {version}.", remedy="Load it again.")
        sent = change.model_dump(mode="json", by_alias=True, exclude_unset=True)
        given = {key: value for key, value in sent.items() if value is not None or key in CAN_BE_NULL}
        kept = NewSavedQuery.model_validate(query.model_dump(by_alias=True, include=set(NewSavedQuery.model_fields)))
        merged = NewSavedQuery.model_validate({**kept.model_dump(by_alias=True), **given})
        data = {**merged.model_dump(mode="json", by_alias=True), "username": principal.username}
        return _view(await self._documents.update(id, data, expected_version=query.version), "own")

    async def delete(self, principal: Principal, id: str, version: int | None) -> None:
        """Remove one's own."""
        await self._own(principal, id)
        if await self._documents.delete(id, expected_version=version):
            await self._context.shares.clear(READ_SAVED, resource(id))

    async def _own(self, principal: Principal, id: str) -> SavedQuery:
        query = await self.get(principal, id)
        if query.origin == "site":
            raise Conflict("The site's saved queries are changed in the settings, not here.", remedy="Save a copy.")
        if query.origin == "shared":
            raise NotAllowed(f"This saved query is {query.owner}'s.", remedy="Save a copy of your own.")
        return query

    async def _all(self) -> list[Document]:
        documents: list[Document] = []
        cursor: str | None = None
        while True:
            page = await self._documents.list(limit=PAGE, cursor=cursor)
            documents += page.items
            cursor = page.next_cursor
            if cursor is None:
                return documents

    def _of_site(self) -> list[SavedQuery]:
        return [_of_site(query) for query in self._context.settings.saved_queries]

    @property
    def _documents(self) -> Documents:
        return self._context.documents(COLLECTION)


def resource(id: str) -> str:
    """A saved query as what a permission is asked about."""
    return resource_of(**{KIND: id})


def _seen(document: Document, principal: Principal) -> SavedQuery | None:
    if document.owner == principal.identity:
        return _view(document, "own")
    return _view(document, "shared") if document.data.get("shared") else None


def _view(document: Document, origin: Literal["own", "shared"]) -> SavedQuery:
    stored = _Stored.model_validate(document.data)
    return SavedQuery(
        **stored.model_dump(by_alias=True, exclude={"username"}),
        id=document.id,
        owner=document.owner_name or stored.username,
        origin=origin,
        version=document.version,
        created_at=document.created_at,
        updated_at=document.updated_at,
    )


def _of_site(query: SavedQuerySettings) -> SavedQuery:
    given = query.model_dump(by_alias=True, exclude={"id"})
    return SavedQuery(**given, shared=True, id=f"site.{query.id}", owner="", origin="site", version=1)

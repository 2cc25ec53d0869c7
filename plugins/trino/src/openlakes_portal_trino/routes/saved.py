"""Saved queries."""

import hashlib

from openlakes_portal.spi import BadRequest, Listing, NotAllowed, NotFound, Reply, Request, Route
from openlakes_portal_trino.routes.access import READ_SAVED, RUN, SHARE
from openlakes_portal_trino.saved.service import NewSavedQuery, SavedQuery, SavedQueryChange, resource
from openlakes_portal_trino.saved.sharing import NewShare, ShareView, share_view
from openlakes_portal_trino.workspace import Workspace


def saved_routes(workspace: Workspace) -> list[Route]:
    """Routes below `saved-queries`."""
    context, saved = workspace.context, workspace.saved

    async def listing(request: Request) -> Listing[SavedQuery]:
        return Listing(await saved.visible(request.principal))

    async def create(request: Request, body: NewSavedQuery) -> Reply[SavedQuery]:
        _check_sharing(request, body.shared)
        query = await saved.create(request.principal, body)
        location = f"/api/plugins/{context.plugin_id}/saved-queries/{query.id}"
        request.record(after=_recorded(query))
        return Reply(query, status=201, version=str(query.version), location=location)

    async def get(request: Request) -> Reply[SavedQuery]:
        query = await saved.get(request.principal, request.path("id"))
        return Reply(query, version=str(query.version))

    async def change(request: Request, body: SavedQueryChange) -> Reply[SavedQuery]:
        _check_sharing(request, bool(body.shared))
        before = await saved.own(request.principal, request.path("id"))
        query = await saved.change(request.principal, before.id, body, _version(request))
        request.record(before=_recorded(before), after=_recorded(query))
        return Reply(query, version=str(query.version))

    async def delete(request: Request) -> Reply[None]:
        before = await saved.own(request.principal, request.path("id"))
        await saved.delete(request.principal, before.id, _version(request))
        request.record(before=_recorded(before))
        return Reply(None, status=204)

    async def shares(request: Request) -> Listing[ShareView]:
        query = await saved.own(request.principal, request.path("id"))
        return Listing([share_view(share) for share in await context.shares.of(READ_SAVED, resource(query.id))])

    async def share(request: Request, body: NewShare) -> Reply[ShareView]:
        query = await saved.own(request.principal, request.path("id"))
        made = await context.shares.add(request.principal, READ_SAVED, resource(query.id), **body.model_dump())
        location = f"/api/plugins/{context.plugin_id}/saved-queries/{query.id}/shares/{made.id}"
        request.record(after=share_view(made))
        return Reply(share_view(made), status=201, location=location)

    async def unshare(request: Request) -> Reply[None]:
        query = await saved.own(request.principal, request.path("id"))
        if not await context.shares.remove(READ_SAVED, resource(query.id), request.path("share")):
            raise NotFound("There is no such share.")
        return Reply(None, status=204)

    one = "saved-queries/{id}/shares"
    sharing = [
        Route("GET", one, shares, access=RUN, summary="With whom my saved query is shared"),
        Route("POST", one, share, access=SHARE, summary="Share my saved query", status=201, audit_object="id"),
        Route("DELETE", f"{one}/{{share}}", unshare, access=RUN, summary="Take a share back", audit_object="id"),
    ]
    return [
        *sharing,
        Route("GET", "saved-queries", listing, access=RUN, summary="Saved queries that I may see"),
        Route("POST", "saved-queries", create, access=RUN, summary="Save a query", status=201),
        Route("GET", "saved-queries/{id}", get, access=RUN, summary="A saved query"),
        Route("PATCH", "saved-queries/{id}", change, access=RUN, summary="Change my saved query", audit_object="id"),
        Route("DELETE", "saved-queries/{id}", delete, access=RUN, summary="Delete my saved query", audit_object="id"),
    ]


def _recorded(query: SavedQuery) -> dict[str, object]:
    """What of a saved query is put on record: a statement and its parameters may hold data, so their digest."""
    digest = hashlib.sha256(query.model_dump_json(include={"sql", "parameters"}).encode()).hexdigest()
    return {**query.model_dump(exclude={"sql", "parameters"}), "statement_sha256": digest}


def _check_sharing(request: Request, shared: bool) -> None:
    if shared and not request.principal.may(SHARE):
        raise NotAllowed("You may not share saved queries.", permission=SHARE.name)


def _version(request: Request) -> int | None:
    given = request.if_match
    if given is None or given == "*":
        return None
    if not given.isdecimal() or len(given) > 9:
        raise BadRequest("If-Match must be the version that ETag named.")
    return int(given)

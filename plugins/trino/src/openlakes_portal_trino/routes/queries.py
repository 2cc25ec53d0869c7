"""Queries: run, follow, stop, read the result, look into it."""

from pathlib import Path

from pydantic import BaseModel, Field

from openlakes_portal.spi import (
    BadRequest,
    Conflict,
    Listing,
    NotAllowed,
    NotFound,
    Reply,
    Request,
    Route,
    Stream,
)
from openlakes_portal_trino.queries.record import QueryView, Submission
from openlakes_portal_trino.results.analysis import ColumnStatistics
from openlakes_portal_trino.results.follow import FollowedResult, no_result
from openlakes_portal_trino.results.sending import MEDIA_TYPES, send
from openlakes_portal_trino.routes.access import READ_ALL, RUN
from openlakes_portal_trino.workspace import Workspace


class HistoryQuery(BaseModel, extra="ignore"):
    """Which part of the history: `text` must stand in the statement; `everybody` needs a permission of its own."""

    limit: int = Field(50, ge=1, le=500)
    cursor: str | None = None
    text: str = Field("", max_length=200)
    everybody: bool = False


class StopQuery(BaseModel, extra="ignore"):
    """At once; or, for a page that goes away and may only be loaded again, unless somebody asks for it in time."""

    unless_asked_within: float = Field(0, ge=0, le=10)


def query_routes(workspace: Workspace) -> list[Route]:
    """Routes below `queries`."""
    context = workspace.context

    async def submit(request: Request, body: Submission) -> Reply[QueryView]:
        default = await workspace.default_engine() if body.engine is None else body.engine
        query = await workspace.queries.submit(request.principal, body.model_copy(update={"engine": default}))
        return Reply(query, status=201, location=f"/api/plugins/{context.plugin_id}/queries/{query.id}")

    async def history(request: Request, query: HistoryQuery) -> Listing[QueryView]:
        if query.everybody and not request.principal.may(READ_ALL):
            raise NotAllowed("You may see your own queries only.", permission=READ_ALL.name)
        if query.everybody:
            return await workspace.queries.everybody(query.limit, query.cursor)
        return await workspace.queries.history(request.principal, query.limit, query.cursor, query.text)

    async def get(request: Request) -> QueryView:
        return await workspace.queries.get(request.principal, request.path("id"))

    async def stop(request: Request, query: StopQuery) -> QueryView:
        if query.unless_asked_within:
            return await workspace.queries.leave(request.principal, request.path("id"), query.unless_asked_within)
        return await workspace.queries.stop(request.principal, request.path("id"))

    async def results(request: Request) -> Stream:
        # A link of the browser cannot set Accept; `format` says the same.
        asked = request.query("format", default=None)
        media_type = request.accepts(*MEDIA_TYPES) if asked is None else asked
        if media_type not in MEDIA_TYPES:
            raise BadRequest(f"A result can be had as {', '.join(MEDIA_TYPES)}.")
        query = await workspace.queries.get(request.principal, request.path("id"))
        followed = await _followed(request, query)
        await followed.ready()
        return send(followed, media_type, f"query-{query.id}", query.columns, context.in_thread, context.data_dir)

    async def statistics(request: Request) -> Listing[ColumnStatistics]:
        found = await workspace.queries.get(request.principal, request.path("id"))
        return Listing(await workspace.analyst.statistics(await _complete(request, found), found.columns))

    async def _followed(request: Request, query: QueryView) -> FollowedResult:
        active = workspace.queries.following(request.principal, query.id)
        if active is not None:
            return FollowedResult(active.spool, active)
        if query.state != "finished":
            raise no_result(query.state, query.error.message if query.error else "")
        path = await workspace.queries.result(query.id)
        if path is None:
            raise NotFound("The result is not kept any more.", remedy="Run the query again.")
        return FollowedResult(path, None)

    async def _complete(request: Request, query: QueryView) -> Path:
        followed = await _followed(request, query)
        if followed.writer is not None and followed.writer.status.state != "finished":
            raise Conflict("The query still runs.", remedy="Look into its result once it has finished.")
        return followed.path

    return [
        Route(
            *("POST", "queries", submit),
            access=RUN,
            summary="Run a statement",
            status=201,
            audit="trino.query.run",
            audit_object="sql",
        ),
        Route("GET", "queries", history, access=RUN, summary="My history"),
        Route("GET", "queries/{id}", get, access=RUN, summary="A query"),
        Route(
            *("DELETE", "queries/{id}", stop),
            access=RUN,
            summary="Stop a query",
            audit="trino.query.stop",
            audit_object="id",
        ),
        Route("GET", "queries/{id}/results", results, access=RUN, summary="A result", produces=MEDIA_TYPES),
        Route("GET", "queries/{id}/statistics", statistics, access=RUN, summary="What a result's columns hold"),
    ]

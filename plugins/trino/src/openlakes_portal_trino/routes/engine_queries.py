"""Queries as Trino itself has them: a list, one with its stages, and an action that ends one."""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from openlakes_portal.spi import (
    Action,
    ActionCall,
    ActionResult,
    Conflict,
    Listing,
    NotAllowed,
    Request,
    Route,
)
from openlakes_portal_trino.coordinator.oversight import ENDED, QUERY_ID
from openlakes_portal_trino.coordinator.query_info import EngineQuery, EngineQueryDetail
from openlakes_portal_trino.routes.access import KILL_ALL, OPEN, READ_ALL, RUN
from openlakes_portal_trino.workspace import Workspace

PREVIEW = 160
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""Whatever people write, but no line ends and no terminal's commands: it stands in Trino's records."""


class OneQuery(BaseModel, extra="ignore"):
    """Which query, by Trino's id."""

    id: str = Field(pattern=QUERY_ID, description="Trino's id of the query")


class QueryToStop(BaseModel, extra="forbid"):
    """A query to be ended in Trino."""

    id: str = Field(pattern=QUERY_ID, title="Query", description="Trino's id of the query")
    reason: str = Field("", max_length=200, pattern=ONE_LINE, description="Told to whoever runs it")


def engine_query_routes(workspace: Workspace) -> list[Route]:
    """Routes below `engine-queries`, and `engine-query`."""

    async def running(request: Request) -> Listing[EngineQuery]:
        return Listing([query for query in await _visible(request) if query.state not in ENDED])

    async def recent(request: Request) -> Listing[EngineQuery]:
        return Listing([query for query in await _visible(request) if query.state in ENDED])

    async def _visible(request: Request) -> Sequence[EngineQuery]:
        return await workspace.oversight.queries(request.principal, beyond_own=request.principal.may(READ_ALL))

    async def one(request: Request, query: OneQuery) -> EngineQueryDetail:
        beyond_own = request.principal.may(READ_ALL)
        found = await workspace.oversight.query(request.principal, query.id, beyond_own=beyond_own)
        if workspace.has_console and request.principal.may(OPEN):
            facts = found.facts.model_copy(update={"console": f"/app/trino/ui/query.html?{found.id}"})
            return found.model_copy(update={"facts": facts})
        return found

    return [
        Route("GET", "engine-queries", running, access=RUN, summary="Queries that run or wait in Trino"),
        Route("GET", "engine-queries/recent", recent, access=RUN, summary="Queries that ended, which Trino remembers"),
        Route("GET", "engine-query", one, access=RUN, summary="A query as Trino has it, with its stages"),
    ]


def engine_query_actions(workspace: Workspace) -> list[Action]:
    """Ending a query in Trino."""

    async def stop(call: ActionCall, input: QueryToStop) -> ActionResult:
        who = call.principal
        beyond_own = who.may(KILL_ALL)
        query = await workspace.oversight.query(who, input.id, beyond_own=beyond_own or who.may(READ_ALL))
        if query.user != who.username and not beyond_own:
            raise NotAllowed(f"The query is {query.user}'s, and you may stop your own.", permission=KILL_ALL.name)
        if query.state in ENDED:
            raise Conflict(f"The query has ended already: {query.engine_state.lower()}.")
        effect = f"{query.user}: {' '.join(query.sql.split())[:PREVIEW]}"
        if call.dry_run:
            return ActionResult(f"Query {query.id} would end at once; what it has found so far is lost.", (effect,))
        reason = f": {input.reason}" if input.reason else ""
        await workspace.oversight.end(who, input.id, f"Stopped by {who.username} in the portal{reason}")
        return ActionResult(f"Query {query.id} has ended: Trino says so.", (effect,))

    return [
        Action(
            "stop-query",
            "Stop a query in Trino",
            "Ends one query, whoever began it and by whatever client, and waits until Trino says that it is over.",
            QueryToStop,
            stop,
            RUN,
            danger="confirm",
            icon="stop",
            event="trino.engine-query.stop",
            audit_object="id",
        )
    ]

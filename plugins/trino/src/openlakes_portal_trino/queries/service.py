"""The query service: submits, follows, stops and remembers queries, each for its owner alone.

A query that is not the asking person's does not exist for them: the answer is the same as for an id that never was.
States: `queued` -> `running` -> `finished`, `failed` or `cancelled`; the history's document has the newest one that
outlives a restart, the engine's own word is asked for while it runs.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from openlakes_portal.spi import (
    Document,
    Documents,
    InvalidInput,
    Limited,
    Listing,
    NotFound,
    PortalError,
    Principal,
    SqlEngine,
    TooLarge,
    UpstreamUnavailable,
)
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.queries.active import ActiveQuery
from openlakes_portal_trino.queries.counting import Counts, may_be_counted
from openlakes_portal_trino.queries.ending import ENDED, StopCause, facts, owner_of
from openlakes_portal_trino.queries.history import find
from openlakes_portal_trino.queries.record import ErrorView, QueryRecord, QueryView, Submission, view
from openlakes_portal_trino.queries.turns import Turns
from openlakes_portal_trino.results.store import ResultStore
from openlakes_portal_trino.settings import Settings

T = TypeVar("T")
HISTORY = "queries"
RESTARTED = ErrorView(message="The portal was restarted while it ran. Run it again.", kind="engine")


class QueryService:
    """All queries of this portal process, and the history of everybody's."""

    def __init__(
        self, context: Context[Settings], engines: Mapping[str, SqlEngine], results: ResultStore, replica: str
    ) -> None:
        self._context = context
        self._settings = context.settings.queries
        self._engines = engines
        self._results = results
        self._replica = replica
        self._turns = Turns(self._settings.per_user, self._settings.total)
        self._active: dict[str, ActiveQuery] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._counts = Counts(self._store_total)
        self._leaving: set[asyncio.Task[None]] = set()

    async def submit(self, principal: Principal, submission: Submission) -> QueryView:
        """Accept a statement; it runs when its turn comes. Raises `TooLarge`, `Limited`, `InvalidInput`."""
        engine = self._engine(submission.engine)
        self._check(principal, submission)
        record = QueryRecord(
            sql=submission.sql,
            engine=engine.id,
            catalog=submission.catalog,
            schema=submission.schema_,
            parameters=submission.parameters,
            session=submission.session,
            row_limit=min(submission.row_limit or self._settings.row_limit, self._settings.max_row_limit),
            username=principal.username,
            replica=self._replica,
        )
        document = await self._documents.create(record.data(), owner=principal.identity)
        spool = await self._context.in_thread(self._results.place, document.id)
        active = ActiveQuery(document, record, principal, spool, self._turns, self._context.log)
        self._active[document.id] = active
        self._tasks[document.id] = asyncio.create_task(self._run(active, engine))
        await asyncio.sleep(0)  # a free turn is taken before the answer is written
        return self._view_active(active)

    async def get(self, principal: Principal, id: str) -> QueryView:
        """One query of this person. Raises `NotFound`."""
        active = self._own_active(principal, id)
        if active is not None:
            active.touch()
            active.asked += 1
            return self._view_active(active)
        document = await self._document(principal, id)
        return await self._view(document)

    async def stop(self, principal: Principal, id: str) -> QueryView:
        """Stop a query; what has ended already stays as it ended. Raises `NotFound`."""
        active = self._own_active(principal, id)
        if active is None:
            document = await self._document(principal, id)
            await self._counts.end(lambda counted, _: counted == id)
            return await self._view(document)
        await self._stop(active, "request")
        return await self.get(principal, id)

    async def leave(self, principal: Principal, id: str, grace: float) -> QueryView:
        """Its page went away: stop it unless it is asked for within `grace` seconds, which a page that is only loaded
        again does. Returns at once, as whoever asks is gone. Raises `NotFound`."""
        active = self._own_active(principal, id)
        if active is None:
            return await self._view(await self._document(principal, id))
        asyncio.get_running_loop().call_later(grace, self._stop_unasked, active, active.asked)
        return self._view_active(active)

    def _stop_unasked(self, active: ActiveQuery, asked: int) -> None:
        if active.asked == asked:
            stopping = asyncio.create_task(self._stop(active, "page closed"))
            self._leaving.add(stopping)
            stopping.add_done_callback(self._leaving.discard)

    async def history(self, principal: Principal, limit: int, cursor: str | None, text: str = "") -> Listing[QueryView]:
        """This person's queries, the newest first; with `text`, those whose statement holds it. A page may hold less
        than `limit`, or nothing, and not be the last: `next_cursor` says that."""
        page = await find(self._documents, principal.identity, text, limit, cursor)
        return Listing([await self._view(document) for document in page.items], page.next_cursor)

    async def everybody(self, limit: int, cursor: str | None) -> Listing[QueryView]:
        """Everybody's queries, the newest first; their results stay their owners'."""
        page = await self._documents.list(limit=limit, cursor=cursor)
        return Listing([await self._view(document) for document in page.items], page.next_cursor)

    def following(self, principal: Principal, id: str) -> ActiveQuery | None:
        """The query while it has not ended, for whoever reads its result as it comes."""
        return self._own_active(principal, id)

    async def result(self, id: str) -> Path | None:
        """The result of a query that has finished, as a local file; None where it is kept no more. Whose it is was
        asked before. Raises `UpstreamUnavailable`."""
        return await self._in_store(self._results.find, id)

    async def end_session(self, principal: Principal) -> None:
        """Stop what was started in a session that is over."""
        of_session = [active for active in self._active.values() if _same_session(active.principal, principal)]
        counts = self._counts.end(lambda _, owner: _same_session(owner, principal))
        await asyncio.gather(counts, *(self._stop(active, "session ended") for active in of_session))

    async def tend(self) -> None:
        """Housekeeping, called every few seconds: abandoned queries are stopped, old results removed."""
        limit = time.monotonic() - self._settings.abandon_after
        abandoned = [active for active in self._active.values() if active.seen < limit]
        await asyncio.gather(*(self._stop(active, "abandoned") for active in abandoned))
        settings = self._settings
        await self._in_store(self._results.expire, settings.keep_results, settings.keep_bytes, frozenset(self._active))

    async def recover(self) -> None:
        """After a start: what was running in this replica when it ended has failed, and says so."""
        cursor: str | None = None
        while True:
            page = await self._documents.list(limit=500, cursor=cursor)
            for document in page.items:
                await self._close_lost(document)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def close(self) -> None:
        """Stop everything that runs."""
        await asyncio.gather(*(self._stop(active, "portal stopped") for active in list(self._active.values())))
        await self._counts.end(lambda *_: True)

    @property
    def _documents(self) -> Documents:
        return self._context.documents(HISTORY)

    def _engine(self, wanted: str | None) -> SqlEngine:
        if not self._engines:
            raise InvalidInput("No SQL engine is configured.", remedy="Set plugins.trino.trino.address, or catalogs.")
        id = wanted or next(iter(self._engines))
        if id not in self._engines:
            raise InvalidInput(f"There is no engine {id[:80]!r}; there are: {', '.join(self._engines)}.")
        return self._engines[id]

    def _check(self, principal: Principal, submission: Submission) -> None:
        size, most = len(submission.sql.encode()), self._settings.statement_limit
        if size > most:
            raise TooLarge(
                f"The statement has {size:,} bytes; {most:,} are allowed.", remedy="Load the data as a table."
            )
        if self._turns.waiting(principal.identity) >= self._settings.waiting:
            raise Limited(f"{self._settings.waiting} of your queries wait already.", retry_after=5.0)

    async def _run(self, active: ActiveQuery, engine: SqlEngine) -> None:
        async def began() -> None:
            active.record = active.record.model_copy(update={"state": "running", "started_at": datetime.now(UTC)})

        async def keep() -> None:
            await self._in_store(self._results.keep, active.document.id)

        status = await active.run(engine, began, keep)
        active.record = active.record.with_status(status).model_copy(update={"ended_at": datetime.now(UTC)})
        try:
            if status.state != "finished":
                await self._context.in_thread(self._results.discard, active.document.id)
            await self._documents.update(active.document.id, active.record.data())
            await self._documents.prune(owner=active.document.owner, keep=self._settings.keep_history)
        except NotFound:
            pass  # pruned meanwhile
        finally:
            await self._record_end(active.principal, active.document, active.record, active.cause)
            self._counts.begin(active.document.id, active.principal, active.statement, status)
            del self._active[active.document.id], self._tasks[active.document.id]

    async def _store_total(self, id: str, total: int) -> None:
        document = await self._documents.get(id)
        if document is not None:
            record = QueryRecord.model_validate(document.data).model_copy(update={"total_rows": total})
            await self._documents.update(id, record.data())

    async def _record_end(
        self, principal: Principal, document: Document, record: QueryRecord, cause: StopCause | None
    ) -> None:
        try:
            details = facts(record, cause)
            await self._context.audit(ENDED.name, principal, object=document.id, result=record.state, **details)
        except PortalError as error:  # the query has ended; there is nothing left to refuse
            self._context.log.error("the end of a query could not be recorded", query=document.id, error=error.detail)

    async def _stop(self, active: ActiveQuery, cause: StopCause) -> None:
        task = self._tasks.get(active.document.id)
        if task is not None:
            await active.stop(cause)
            await asyncio.wait([task])

    def _own_active(self, principal: Principal, id: str) -> ActiveQuery | None:
        active = self._active.get(id)
        return active if active is not None and active.document.owner == principal.identity else None

    async def _document(self, principal: Principal, id: str) -> Document:
        document = await self._documents.get(id)
        if document is None or document.owner != principal.identity:
            raise NotFound("There is no such query.")
        return document

    def _view_active(self, active: ActiveQuery) -> QueryView:
        status = active.status
        counting = may_be_counted(active.statement, status)
        record = active.record.with_status(status)
        return view(active.document, record, True, self._turns.position(active.turn), counting)

    async def _view(self, document: Document) -> QueryView:
        active = self._active.get(document.id)
        if active is not None:
            return self._view_active(active)
        record = QueryRecord.model_validate(document.data)
        kept = record.state == "finished" and await self._context.in_thread(self._results.holds, document.id)
        return view(document, record, kept, counting=document.id in self._counts)

    async def _close_lost(self, document: Document) -> None:
        record = QueryRecord.model_validate(document.data)
        if record.replica != self._replica or record.state not in ("queued", "running"):
            return
        lost = record.model_copy(update={"state": "failed", "error": RESTARTED, "ended_at": datetime.now(UTC)})
        await self._context.in_thread(self._results.discard, document.id)
        await self._documents.update(document.id, lost.data())
        await self._record_end(owner_of(document, lost), document, lost, None)

    async def _in_store(self, call: Callable[..., T], /, *args: Any) -> T:
        """A call of the store in a thread, given up at the deadline. Raises what the call raises."""
        objects = self._context.settings.results.s3
        try:
            async with asyncio.timeout(objects.deadline if objects is not None else None):
                return await self._context.in_thread(call, *args)
        except TimeoutError as error:
            raise UpstreamUnavailable("The object store of results took too long.") from error


def _same_session(one: Principal, other: Principal) -> bool:
    return one.identity == other.identity and one.session_id == other.session_id

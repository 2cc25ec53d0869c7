"""The workbench's parts, put together once for each context, and what runs as long as the portal does.

Hooks are called one by one and must be quick: they get the same `Workspace` by `workspace(context)`. Nothing heavy is
imported and no process started before somebody asks for something.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path
from weakref import WeakKeyDictionary

from openlakes_portal.spi import NotFound, SqlEngine
from openlakes_portal.spi.context import Context
from openlakes_portal_trino.coordinator.engine import CoordinatorEngine
from openlakes_portal_trino.coordinator.oversight import Oversight
from openlakes_portal_trino.embedded.engine import EmbeddedEngine
from openlakes_portal_trino.embedded.process import Workers
from openlakes_portal_trino.queries.service import QueryService
from openlakes_portal_trino.results.analysis import ResultAnalyst
from openlakes_portal_trino.results.object_store import ObjectResultStore
from openlakes_portal_trino.results.store import FileResultStore, ResultStore
from openlakes_portal_trino.saved.service import SavedQueries
from openlakes_portal_trino.settings import Settings

TEND = 5.0
"""Seconds between two rounds of housekeeping."""


class Workspace:
    """Engines, queries, results and saved queries of one portal."""

    def __init__(self, context: Context[Settings]) -> None:
        self.context = context
        settings = context.settings
        self._workers = Workers(settings.duckdb.idle)
        self.embedded = EmbeddedEngine(context, self._workers)
        self.coordinator = CoordinatorEngine(context)
        self.oversight = Oversight(context, self.coordinator.credentials)
        known: dict[str, SqlEngine] = {"trino": self.coordinator, "duckdb": self.embedded}
        self.engines = {name: known[name] for name in settings.engines}
        self.saved = SavedQueries(context)
        self.analyst = ResultAnalyst(context, self._workers)

    @property
    def has_console(self) -> bool:
        """Whether Trino's own web page is opened through the portal: where it knows people by tokens."""
        trino = self.context.settings.trino
        return trino.address is not None and trino.audience is not None and trino.web_page

    @cached_property
    def results(self) -> ResultStore:
        """Where results lie."""
        folder, objects = self.context.data_dir / "results", self.context.settings.results.s3
        return FileResultStore(folder) if objects is None else ObjectResultStore(objects, folder)

    @cached_property
    def queries(self) -> QueryService:
        """The query service; for what runs once the portal does."""
        return QueryService(self.context, self.engines, self.results, _replica(self.context.data_dir))

    def engine(self, wanted: str) -> SqlEngine:
        """An engine by its id. Raises `NotFound`."""
        if wanted in self.engines:
            return self.engines[wanted]
        raise NotFound(f"There is no SQL engine {wanted!r}.")

    async def chosen(self, wanted: str | None) -> SqlEngine:
        """An engine by its id, or the default one. Raises `NotFound`."""
        default = await self.default_engine() if wanted is None else wanted
        if default is None:
            raise NotFound("No SQL engine is configured.")
        return self.engine(default)

    async def default_engine(self) -> str | None:
        """The configured default; while that is a Trino that can take no statements, the other engine if there is one.
        None where no engine is configured."""
        if not self.engines:
            return None
        first, *others = self.engines
        if first != self.coordinator.id or not others:
            return first
        return first if await self.coordinator.standing() is None else others[0]

    async def unavailable(self, id: str) -> str | None:
        """Why an engine can take no statements now, in words; None where it can. Each of the embedded engine's has a
        process of its own, so that nothing is in its way."""
        return await self.coordinator.standing() if id == self.coordinator.id else None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """From the portal's start to its stop."""
        await self.context.in_thread(_clear, self.context.data_dir)
        await self.queries.recover()
        self.context.on_session_end(self.queries.end_session)
        tending = asyncio.create_task(self._tend())
        try:
            yield
        finally:
            tending.cancel()
            await self.queries.close()
            await self.embedded.close()
            await self.context.in_thread(self._workers.close)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND)
            try:
                await self.embedded.cool()
                await self.queries.tend()
            except Exception as error:  # the next round tries again
                self.context.log.error("housekeeping of queries failed", error=repr(error))


_made: "WeakKeyDictionary[Context[Settings], Workspace]" = WeakKeyDictionary()


def workspace(context: Context[Settings]) -> Workspace:
    """The one workspace of a context."""
    if context not in _made:
        _made[context] = Workspace(context)
    return _made[context]


def _replica(folder: Path) -> str:
    """A name for this folder of results: a query that was running here can be told from one that runs elsewhere."""
    file = folder / "replica"
    if not file.is_file():
        file.write_text(secrets.token_hex(8), encoding="ascii")
    return file.read_text(encoding="ascii")


def _clear(folder: Path) -> None:
    """Remove what a killed portal left behind: folders of statements that run no more."""
    import shutil

    for pattern in ("statement-*", "question-*", "answer-*", "export-*"):
        for left in folder.glob(pattern):
            shutil.rmtree(left, ignore_errors=True)

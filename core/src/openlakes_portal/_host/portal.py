"""The running portal: what a start puts together, in order, and what a stop takes apart, in reverse."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import structlog

from openlakes_portal import __version__
from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.reads import ReadCounter
from openlakes_portal._audit.record import Entry
from openlakes_portal._audit.trail import ARCHIVE_EVERY, SEND_EVERY, AuditTrail
from openlakes_portal._auth.api_tokens import ApiTokens
from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._auth.personas import demo_bindings
from openlakes_portal._auth.sessions import Session, Sessions
from openlakes_portal._auth.signing_keys import SigningKeys
from openlakes_portal._host.context import PluginContext, Runtime
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.decisions import Decisions
from openlakes_portal._host.discovery import Candidate, discover
from openlakes_portal._host.grantors import Grantors
from openlakes_portal._host.journal import Attributed, Journal, label
from openlakes_portal._host.lanes import Lane
from openlakes_portal._host.leader import Job, Leader
from openlakes_portal._host.loader import Loader, LoadLimits, NoSettings, failure, quarantined
from openlakes_portal._host.monitor import HealthMonitor
from openlakes_portal._host.records import PluginRecord, StageFailed
from openlakes_portal._host.registry import Registry, cross_check, freeze
from openlakes_portal._host.sharing import SharingTools
from openlakes_portal._http import metrics
from openlakes_portal._http.request_id import current_request_id
from openlakes_portal._rbac.administration import Administration
from openlakes_portal._rbac.book import PolicyBook
from openlakes_portal._settings.load import LoadedSettings
from openlakes_portal._store.database import Database, database_url, in_background
from openlakes_portal._store.idempotency import IdempotencyStore
from openlakes_portal._store.key_check import check_key
from openlakes_portal._store.keyring import Keyring, load_keyring
from openlakes_portal._store.migrate import check, migrate
from openlakes_portal._store.signals import Signals
from openlakes_portal.spi import Deployment, PortalToken, Principal

if TYPE_CHECKING:
    from openlakes_portal._auth.exchange.service import TokenExchange
    from openlakes_portal._auth.oidc.service import Oidc

log = structlog.get_logger("portal")
SWEEP_EVERY = 20.0
KEYS_EVERY = 60.0


class BootFailed(Exception):
    """The portal may not start: `server.boot_failure` is `abort` and a plugin is broken."""


class Portal:
    """One process's portal."""

    registry: Registry
    sessions: Sessions
    audit: AuditLog
    trail: AuditTrail
    reads: ReadCounter
    leader: Leader
    monitor: HealthMonitor
    idempotency: IdempotencyStore
    issuer: Issuer
    keyring: Keyring
    signals: Signals
    book: PolicyBook
    decisions: Decisions
    grantors: Grantors
    administration: Administration
    api_tokens: ApiTokens
    oidc: "Oidc | None" = None
    token_exchange: "TokenExchange | None" = None

    def __init__(self, loaded: LoadedSettings, candidates: Callable[[], list[Candidate]] = discover) -> None:
        self.loaded = loaded
        self.settings = loaded.settings
        self._candidates = candidates
        server, database = self.settings.server, self.settings.database
        server.data_dir.mkdir(parents=True, exist_ok=True)
        url = database.url.get_secret_value() if database.url else None
        self.database = Database(
            database_url(url, server.data_dir), pool_size=database.pool_size, busy_timeout=database.busy_timeout
        )
        self.journal = Journal(server.data_dir / "run")
        self.runtime = Runtime(server.data_dir, server.public_url)
        self.lanes: dict[str, Lane] = {}
        self.stopping = asyncio.Event()
        self.ready = False
        self.load_seconds = 0.0
        self._stack = AsyncExitStack()
        self._sweeper: asyncio.Task[None] | None = None
        self._contributions: list[Contribution] = []

    async def start(self) -> None:
        """Database, plugins, their lifespans, the frozen registry, the watch; then `ready`."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        self.ready = True

    async def _start(self) -> None:
        self._stack.push_async_callback(self.database.close)
        if self.settings.database.migrate:
            await migrate(self.database)
        else:
            await check(self.database)
        self.journal.open()
        self._stack.callback(self.journal.close)
        self.keyring = load_keyring(self.settings)
        await check_key(self.database, self.keyring)
        self.signals = Signals(self.database)
        server = self.settings.server
        self.audit = AuditLog(self.database)
        self.reads = ReadCounter(self.audit, self.settings.audit.reads_every)
        self.trail = AuditTrail(
            self.database, self.keyring, self.audit, self.settings.audit, server.public_url, server.data_dir
        )
        keys = SigningKeys(self.database, self.keyring, self.settings.auth.issuer, server.data_dir, self.signals)
        self.issuer = Issuer(server.public_url, keys)
        self.idempotency = IdempotencyStore(self.database, self.settings.limits.idempotency_ttl)
        self.runtime.loop = asyncio.get_running_loop()
        self.runtime.database, self.runtime.audit, self.runtime.issuer = self.database, self.audit, self.issuer
        started = time.perf_counter()
        contributions, records = await asyncio.to_thread(self._load_all)
        self.load_seconds = time.perf_counter() - started
        bindings = self.settings.rbac.role_bindings
        if self.settings.auth.mode == "demo":
            bindings += demo_bindings()
        self.book = PolicyBook(self.database, freeze(contributions, records, bindings).policy, self.signals)
        self.decisions = self.runtime.decisions = Decisions(self.book)
        self.administration = Administration(self.database, self.book, self.signals)
        self.runtime.sharing = SharingTools(asyncio.get_running_loop(), self.database, self.administration)
        self.grantors = Grantors(self.database, self.book, self.decisions)
        self.sessions = Sessions(self.database, self.book, self.settings.auth.session, self.keyring, self.signals)
        believed = self.settings.auth.session.cache_seconds
        seen = timedelta(seconds=self.settings.auth.tokens.owner_seen_within)
        self.api_tokens = ApiTokens(self.database, self.book, self.signals, believed, owner_seen_within=seen)
        await self.signals.start()
        self._stack.push_async_callback(self.signals.stop)
        self.runtime.sessions = self.sessions
        self.sessions.on_end(self._forget_credentials)
        await self._open_oidc()
        self._open_exchange()
        self.runtime.services = [s for c in contributions for s in c.services]
        contributions, records = await self._enter_lifespans(contributions, records)
        self.issuer.keys.need({e.algorithm for c in contributions for e in c.exchangers if isinstance(e, PortalToken)})
        await self.issuer.keys.open()
        self.registry = freeze(contributions, sorted(records, key=lambda r: r.id), bindings)
        await self.book.rebase(self.registry.policy)
        self._contributions = contributions
        self.runtime.services = [s for c in contributions for s in c.services]
        self._report(records)
        self._name_unknown_permissions()
        self.lanes = {c.id: Lane(c.id, c.record.version, self.journal) for c in contributions}
        self.decisions.open(self.registry.contributions, self.lanes)
        deployments = [cast(Deployment, s.provider) for s in self.runtime.services if s.capability is Deployment]
        self.monitor = HealthMonitor(contributions, records, self.lanes, deployments)
        self.monitor.start()
        self._stack.push_async_callback(self._stop_watching)
        self._sweeper = asyncio.create_task(self._sweep())
        self._lead()

    def _lead(self) -> None:
        """Work that one replica does for all."""
        trail = self.trail
        jobs = [Job("audit statements", self.settings.audit.checkpoint_every, trail.statements.checkpoint)]
        jobs.append(Job("signing keys", KEYS_EVERY, self.issuer.keys.rotate))
        jobs += [Job(f"audit sink {sink.name}", SEND_EVERY, sink.run) for sink in trail.sinks]
        if trail.retention is not None:
            jobs.append(Job("audit retention", ARCHIVE_EVERY, trail.retention.run))
        self.leader = Leader(self.database, jobs)
        self.leader.start()
        self.reads.start()
        self._stack.push_async_callback(trail.close)
        self._stack.push_async_callback(self.leader.stop)
        self._stack.push_async_callback(self.reads.stop)

    async def _open_oidc(self) -> None:
        if self.settings.auth.mode != "oidc":
            return
        from openlakes_portal._auth.oidc.service import Oidc

        server = self.settings.server
        self.oidc = Oidc(
            self.database, self.sessions, self.keyring, self.settings.auth, server.public_url, self._ended_by_provider
        )
        self._stack.push_async_callback(self.oidc.close)
        self.runtime.provider_exchange = self.oidc.exchange
        await self.oidc.check()

    async def _forget_credentials(self, principal: Principal) -> None:
        """A session ended: nothing that it had obtained for other systems is handed out again."""
        if principal.session_id is not None:
            self.issuer.forget(principal.session_id)
            for contribution in self._contributions:
                contribution.context.exchange.forget(principal.session_id)

    def _open_exchange(self) -> None:
        settings = self.settings.auth.token_exchange
        if not settings.rules:
            return
        from openlakes_portal._auth.exchange.rules import check_exchange
        from openlakes_portal._auth.exchange.service import TokenExchange

        problem = check_exchange(self.settings)
        if problem is not None:
            raise BootFailed(problem)
        self.token_exchange = TokenExchange(self.database, self.book, self.api_tokens, settings)
        self._stack.push_async_callback(self.token_exchange.close)

    def _name_unknown_permissions(self) -> None:
        """A rule that gives a permission of a plugin that is not there gives less than it says."""
        for rule in self.settings.auth.token_exchange.rules:
            unknown = sorted(set(rule.permissions or ()) - set(self.registry.permissions))
            if unknown:
                log.error("a rule of the token exchange gives what does not exist", rule=rule.name, permissions=unknown)

    async def _ended_by_provider(self, session: Session, reason: str) -> None:
        entry = Entry(
            "core.session.ended", current_request_id(), session.principal, session.public_id, details={"why": reason}
        )
        await self.audit.write(entry, "event", "by the identity provider")

    async def stop(self) -> None:
        """Leave everything in reverse order; each plugin's lifespan within its deadline."""
        self.ready = False
        self.stopping.set()
        await self._stack.aclose()

    async def _stop_watching(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        await self.monitor.stop()
        await asyncio.gather(*(self._close_clients(c) for c in self.registry.contributions))

    async def _close_clients(self, contribution: Contribution) -> None:
        """Connections belong to the loop that made them: those of the lane are closed there, ours here."""

        async def close() -> None:
            for client in contribution.context.clients.values():
                await client.close()

        await self.lanes[contribution.id].close(close)
        await close()

    def _load_all(self) -> tuple[list[Contribution], list[PluginRecord]]:
        from openlakes_portal._builtin.plugin import CorePlugin

        limits = self.settings.limits
        loader = Loader(
            self.loaded,
            self.runtime,
            self.journal,
            LoadLimits(limits.import_deadline, limits.hook_deadline, limits.threads),
        )
        core_log = structlog.get_logger("core").bind(plugin="core")
        core_context = PluginContext("core", NoSettings(), self.runtime, core_log, limits.threads)
        core = loader.load_module("core", CorePlugin(self), core_context, __version__)
        contributions, records = [core], []
        for candidate in self._candidates():
            result = loader.load(candidate)
            if isinstance(result, Contribution):
                try:
                    cross_check(result, contributions)
                except StageFailed as failed:
                    records.append(quarantined(result.record, failed))
                    continue
                contributions.append(result)
                records.append(result.record)
            else:
                records.append(result)
        return contributions, records

    async def _enter_lifespans(
        self, contributions: list[Contribution], records: list[PluginRecord]
    ) -> tuple[list[Contribution], list[PluginRecord]]:
        kept = []
        for contribution in contributions:
            try:
                await self._enter_lifespan(contribution)
                kept.append(contribution)
            except StageFailed as failed:
                records = [quarantined(r, failed) if r.id == contribution.id else r for r in records]
        return kept, records

    async def _enter_lifespan(self, contribution: Contribution) -> None:
        if contribution.lifespan is None:
            return
        seconds = self.settings.limits.lifespan_deadline
        name = label(contribution.id, contribution.record.version)
        try:
            manager = contribution.lifespan()
            if manager is None:
                return
            async with asyncio.timeout(seconds):
                await Attributed(_enter(manager), self.journal, name)
        except TimeoutError:
            raise StageFailed(
                "lifespan",
                f"Its lifespan did not start within {seconds:g} s.",
                "Do not wait for other systems in it; or raise limits.lifespan_deadline.",
            ) from None
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            raise failure("lifespan", error) from None

        async def leave() -> None:
            try:
                async with asyncio.timeout(seconds):
                    await Attributed(_leave(manager), self.journal, name)
            except Exception as error:
                log.error("lifespan did not end well", plugin=contribution.id, error=repr(error))

        self._stack.push_async_callback(leave)

    def _report(self, records: list[PluginRecord]) -> None:
        for state in ("active", "disabled", "quarantined"):
            metrics.plugins.labels(state).set(sum(r.state == state for r in records))
        broken = [r for r in records if r.state == "quarantined"]
        for record in broken:
            log.error(
                "plugin quarantined", plugin=record.id, stage=record.stage, reason=record.reason, remedy=record.remedy
            )
        if broken and self.settings.server.boot_failure == "abort":
            names = ", ".join(f"{r.id} ({r.reason})" for r in broken)
            raise BootFailed(f"server.boot_failure is abort, and these plugins are broken: {names}")

    async def _sweep(self) -> None:
        in_background.set(True)
        while True:
            await asyncio.sleep(SWEEP_EVERY)
            try:
                await self.sessions.sweep()
                await self.issuer.keys.refresh()
                await self.api_tokens.sweep()
            except Exception as error:
                log.warning("sessions and tokens could not be swept", error=repr(error))


async def _enter(manager: object) -> None:
    await type(manager).__aenter__(manager)  # type: ignore[attr-defined]


async def _leave(manager: object) -> None:
    await type(manager).__aexit__(manager, None, None, None)  # type: ignore[attr-defined]

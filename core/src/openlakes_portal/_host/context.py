"""The Context that one plugin is given (spi.context). Nothing in it leads to another plugin's settings or records."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import BaseModel

from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.record import Entry
from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._auth.sessions import Sessions
from openlakes_portal._host.bridge import BridgedDocuments, on_loop
from openlakes_portal._host.exchange import Exchange
from openlakes_portal._host.sharing import PluginShares, SharingTools
from openlakes_portal._host.upstreams import HttpUpstreamClient
from openlakes_portal._http.request_id import current_request_id
from openlakes_portal._store.database import Database
from openlakes_portal._store.documents import StoredDocuments
from openlakes_portal.spi import (
    Decision,
    Documents,
    NotAllowed,
    Permission,
    Principal,
    Service,
    Unavailable,
    UpstreamClient,
    UpstreamCredential,
)
from openlakes_portal.spi.context import Logger

if TYPE_CHECKING:
    from openlakes_portal._auth.oidc.exchange import ProviderExchange
    from openlakes_portal._host.decisions import Decisions

T = TypeVar("T")


@dataclass
class Runtime:
    """What exists only once the server runs; shared by all contexts, filled in before the first lifespan."""

    data_dir: Path
    public_url: str
    loop: asyncio.AbstractEventLoop | None = None
    database: Database | None = None
    audit: AuditLog | None = None
    sessions: Sessions | None = None
    issuer: Issuer | None = None
    provider_exchange: "ProviderExchange | None" = None
    decisions: "Decisions | None" = None
    sharing: SharingTools | None = None
    services: list[Service] = field(default_factory=list)


class PluginContext:
    """One plugin's view of the portal."""

    def __init__(self, plugin_id: str, settings: BaseModel, runtime: Runtime, log: Logger, threads: int) -> None:
        self._plugin_id = plugin_id
        self._settings = settings
        self._runtime = runtime
        self._log = log
        self._limiter = threads
        self._semaphores: dict[int, asyncio.Semaphore] = {}
        self.events: frozenset[str] = frozenset()
        self.clients: Mapping[str, HttpUpstreamClient] = {}
        self.exchange = Exchange(plugin_id, runtime)

    @property
    def plugin_id(self) -> str:
        """The plugin's id."""
        return self._plugin_id

    @property
    def settings(self) -> Any:
        """The plugin's settings."""
        return self._settings

    @property
    def data_dir(self) -> Path:
        """The plugin's own folder."""
        path = self._runtime.data_dir / "plugins" / self._plugin_id
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    @property
    def log(self) -> Logger:
        """The plugin's log."""
        return self._log

    @property
    def public_url(self) -> str:
        """The portal's one address."""
        return self._runtime.public_url

    def upstream(self, name: str) -> UpstreamClient:
        """The client of a registered upstream."""
        try:
            return self.clients[name]
        except KeyError:
            known = ", ".join(sorted(self.clients)) or "none"
            raise LookupError(
                f"plugin {self._plugin_id!r} registered no upstream {name!r} (registered: {known}); "
                "return it from register_upstreams, and ask for it in what runs later, not in a hook"
            ) from None

    async def credential(self, principal: Principal, audience: str) -> UpstreamCredential:
        """A checked credential from one of the plugin's exchangers."""
        return await self.exchange(principal, audience)

    async def decide(self, principal: Principal, permission: Permission, resource: str | None = None) -> Decision:
        """Whether this person may do what a permission of this plugin names, to a resource."""
        if not permission.name.startswith(f"{self._plugin_id}:"):
            raise LookupError(f"plugin {self._plugin_id!r} asks about {permission.name!r}, which is not its own")
        if self._runtime.decisions is None or self._runtime.loop is None:
            raise Unavailable("Nothing is decided before the server runs.")
        call = self._runtime.decisions.decide(principal, permission.name, resource)
        return await on_loop(self._runtime.loop, call)

    async def require(self, principal: Principal, permission: Permission, resource: str | None = None) -> None:
        """The same, and `NotAllowed` where the answer is no."""
        if not (await self.decide(principal, permission, resource)).allowed:
            raise refused(permission, resource)

    @property
    def shares(self) -> PluginShares:
        """Sharing of this plugin's things."""
        return PluginShares(self._plugin_id, lambda: self._runtime.sharing)

    def documents(self, collection: str) -> Documents:
        """A collection of the plugin's own records."""
        if self._runtime.database is None or self._runtime.loop is None:
            raise Unavailable("Records can be used once the server runs, not in a hook.")
        return BridgedDocuments(
            StoredDocuments(self._runtime.database, self._plugin_id, collection), self._runtime.loop
        )

    def services(self, capability: type[T]) -> Mapping[str, T]:
        """Providers of a capability."""
        return {s.id: cast(T, s.provider) for s in self._runtime.services if s.capability is capability}

    async def in_thread(self, function: Callable[..., T], /, *args: Any) -> T:
        """Run a blocking call in a worker thread; at most `limits.threads` of one plugin at once."""
        loop = asyncio.get_running_loop()
        semaphore = self._semaphores.setdefault(id(loop), asyncio.Semaphore(self._limiter))
        async with semaphore:
            return await asyncio.to_thread(function, *args)

    def on_session_end(self, callback: Callable[[Principal], Awaitable[None]]) -> None:
        """Have `callback` called when a session ends; one that fails is logged and harms nobody."""
        if self._runtime.sessions is None:
            raise Unavailable("Sessions exist once the server runs: call on_session_end in lifespan.")

        async def guarded(principal: Principal) -> None:
            try:
                async with asyncio.timeout(2.0):
                    await callback(principal)
            except Exception as error:
                self._log.error("session end callback failed", error=repr(error))

        self._runtime.sessions.on_end(guarded)

    async def audit(
        self, event: str, principal: Principal, *, object: str = "", result: str = "ok", **facts: str
    ) -> None:
        """Write an audit record of a registered event type."""
        if event not in self.events:
            raise LookupError(f"audit event {event!r} is not registered: return it from register_events")
        if self._runtime.audit is None:
            raise Unavailable("The audit log can be used once the server runs.")
        entry = Entry(event, current_request_id(), principal, object, None, facts)
        loop = self._runtime.loop
        written = self._runtime.audit.write(entry, "event", result)
        await (on_loop(loop, written) if loop is not None else written)


def refused(permission: Permission, resource: str | None = None) -> NotAllowed:
    """The one refusal for want of a permission; what decided and who can grant it is added where it is answered."""
    to = f" for {resource}" if resource is not None else ""
    return NotAllowed(
        f"This needs the permission {permission.name}{to}: {permission.description}.",
        permission=permission.name,
        resource=resource,
        remedy="Ask for it under Access, or ask one of those who can grant it.",
    )

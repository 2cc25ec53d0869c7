"""What a plugin is given: its settings, its upstreams, its records, its folder, others' capabilities."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from openlakes_portal.spi.access import Permission, Principal
from openlakes_portal.spi.decisions import Decision
from openlakes_portal.spi.documents import Documents
from openlakes_portal.spi.identity import UpstreamCredential
from openlakes_portal.spi.sharing import Shares
from openlakes_portal.spi.upstream import UpstreamClient

SettingsT = TypeVar("SettingsT", bound=BaseModel, covariant=True)
CapabilityT = TypeVar("CapabilityT")


class Logger(Protocol):
    """Structured logging: an event in words, facts as keywords. Values are never formatted into the event."""

    def info(self, event: str, **facts: Any) -> None: ...
    def warning(self, event: str, **facts: Any) -> None: ...
    def error(self, event: str, **facts: Any) -> None: ...


class Context(Protocol, Generic[SettingsT]):
    """One plugin's view of the portal. No plugin sees another's settings, folder or records.

    The same object is passed to every hook. Inside hooks only `settings`, `plugin_id` and `log` may be *used*; the
    rest is for what runs later (endpoints, checks, lifespan): ask for it there.
    """

    @property
    def plugin_id(self) -> str:
        """The plugin's id."""

    @property
    def settings(self) -> SettingsT:
        """The plugin's settings, typed and checked."""

    @property
    def data_dir(self) -> Path:
        """A folder of the plugin's own on this replica's disk (made on first use, 0700)."""

    @property
    def log(self) -> Logger:
        """The plugin's log; the request id is added by core."""

    @property
    def public_url(self) -> str:
        """The one address of the portal, without a trailing slash."""

    def upstream(self, name: str) -> UpstreamClient:
        """The client of an upstream that this plugin registered; an unknown name raises `LookupError`."""

    async def credential(self, principal: Principal, audience: str) -> UpstreamCredential:
        """What proves `principal` at `audience`, for a client that is none of ours, such as a database driver: from
        the exchanger that this plugin registered for the audience, checked as for `upstream`. Ask again for each
        connection; it is cached as long as it is good. Raises `UpstreamAuthFailed`, also where none is registered."""

    async def decide(self, principal: Principal, permission: Permission, resource: str | None = None) -> Decision:
        """Whether `principal` may do what a permission of this plugin names, to `resource` (`catalog=lakehouse/
        schema=nyc_taxi`; `resource_of` writes one). The same decision as core makes for routes: bindings with their
        filters, then deciders. Never raises for a decider's sake: what cannot be decided is refused."""

    async def require(self, principal: Principal, permission: Permission, resource: str | None = None) -> None:
        """The same, and `NotAllowed` where the answer is no. For something whose existence is not to be told, ask
        `decide` and raise the `NotFound` that an absent one gets."""

    @property
    def shares(self) -> Shares:
        """Sharing of the plugin's things with groups and people."""

    def documents(self, collection: str) -> Documents:
        """A collection of the plugin's own records."""

    def services(self, capability: type[CapabilityT]) -> Mapping[str, CapabilityT]:
        """Providers of a capability by id, from whatever plugin; empty where there is none."""

    async def in_thread(self, function: Callable[..., CapabilityT], /, *args: Any) -> CapabilityT:
        """Run a blocking call in a worker thread of this plugin's own limiter."""

    def on_session_end(self, callback: Callable[[Principal], Awaitable[None]]) -> None:
        """Have `callback` called when a session ends (sign-out, expiry, revocation), within a second or two. Call
        this in `lifespan`."""

    async def audit(
        self, event: str, principal: Principal, *, object: str = "", result: str = "ok", **facts: str
    ) -> None:
        """Write an audit record of a registered event type that is no mutation of a route (those are automatic)."""

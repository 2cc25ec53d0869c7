"""Requests, routes and answers in the SPI's own thin types. The web framework behind them stays inside core.

An endpoint is a function of a `Request` that returns data::

    async def report(request: Request) -> Report: ...
    async def create(request: Request, body: NewThing) -> Reply[Thing]: ...
    async def listing(request: Request, query: Filter) -> Listing[Thing]: ...

A parameter named `body` is read from JSON and checked against its annotation, one named `query` from the query string;
both stand in the OpenAPI, as does the return annotation. JSON is read strictly: `"1"` is no integer. A plain `def` runs
in a worker thread of the plugin's own limiter; an `async def` must not block.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

from openlakes_portal.spi.access import Access, Permission, Principal, Public, SignedIn

T = TypeVar("T")
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
_SEGMENT = r"(?:(?!\.+(?:/|$))[A-Za-z0-9._-]+|\{[a-z_]+\})"
ROUTE_PATH = re.compile(rf"^(?:{_SEGMENT}(?:/{_SEGMENT})*)?$")
"""Relative to the plugin's prefix: `report`, `queries/{id}`; each `{name}` is one non-empty segment."""


class Request(Protocol):
    """What an endpoint sees of a request."""

    @property
    def principal(self) -> Principal:
        """Who asks. On a `Public` route with nobody signed in this raises `NotSignedIn`."""

    @property
    def method(self) -> str:
        """The HTTP method."""

    @property
    def id(self) -> str:
        """The request id that stands in the log, the answer and the audit record."""

    def path(self, name: str) -> str:
        """The segment that `{name}` of the route's path matched, decoded."""

    @overload
    def query(self, name: str) -> str: ...
    @overload
    def query(self, name: str, *, default: str) -> str: ...
    @overload
    def query(self, name: str, *, default: None) -> str | None: ...
    def query(self, name: str, *, default: str | None = ...) -> str | None:
        """A parameter of the query string; without a default a missing one raises `BadRequest`."""

    def header(self, name: str) -> str | None:
        """A request header by its name, whatever the case. Cookies and credentials are not to be had."""

    @property
    def if_match(self) -> str | None:
        """The version that `If-Match` names, unquoted; None where the header is absent."""

    def accepts(self, *media_types: str) -> str | None:
        """The first of these media types that the client accepts best (RFC 9110, section 12.5.1), or None."""

    async def body(self) -> bytes:
        """The whole body, at most the configured limit (`TooLarge` beyond it)."""

    async def disconnected(self) -> None:
        """Returns once the client is gone."""

    def record(self, *, before: Any = None, after: Any = None, upstream_id: str | None = None) -> None:
        """Say what the audit record of this mutation holds besides: the object as it was and as it is now (models,
        dataclasses and JSON values; every `SecretStr` and all bytes are hidden), and the id under which the system
        that carried it out knows the call."""


@dataclass(frozen=True)
class Reply(Generic[T]):
    """Data with more to say than 200: a status, an entity tag (a version), where a new thing is."""

    value: T
    status: int = 200
    version: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class Listing(Generic[T]):
    """One page of a list: `{items, next_cursor}`; the cursor is opaque, None at the end."""

    items: Sequence[T]
    next_cursor: str | None = None


@dataclass(frozen=True)
class Event:
    """One Server-Sent Event (WHATWG HTML, section 9.2): `data` is sent as JSON."""

    data: Any
    event: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Events:
    """A stream of Server-Sent Events. Core sends keep-alives, counts the stream against the person's limit, closes
    it when the session ends or the server stops, and closes the iterator when the client goes."""

    source: AsyncIterator[Event]


@dataclass(frozen=True)
class Stream:
    """Bytes as they come. With a `filename` the browser saves it (`Content-Disposition: attachment`)."""

    source: AsyncIterator[bytes]
    media_type: str
    filename: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class File:
    """A file of the server. It is always sent as an attachment, with `nosniff`, never rendered in our origin."""

    path: Path
    media_type: str
    filename: str


Endpoint = Callable[..., Awaitable[Any] | Any]


@dataclass(frozen=True)
class Route:
    """One route below `/api/plugins/<plugin id>/`.

    `access` has no default: a route that does not say who may call it does not construct. A mutation is audited by
    core (intent before, outcome after) under `audit`, by default `<plugin id>.<endpoint name>`; `audit_object` names
    the path parameter or body field that identifies the object. `quiet` marks a read-only POST (a search, a format)
    that changes nothing and is therefore not audited. `shown_once` marks an answer with a secret in it: it is not kept
    for who asks again with the same `Idempotency-Key`, who is told that it was done (409).
    """

    method: Method
    path: str
    endpoint: Endpoint
    access: Access
    summary: str | None = None
    status: int = 200
    produces: tuple[str, ...] = ("application/json",)
    audit: str | None = None
    audit_object: str | None = None
    quiet: bool = False
    shown_once: bool = False
    body_limit: int | None = None
    """Most bytes of the body, below the server's own limit (`limits.body`)."""
    resource: str | None = None
    """What the permission is asked about, from the path's parameters: `catalog={catalog}/schema={schema}`. Without it
    the question is whether it is held at all."""

    def __post_init__(self) -> None:
        if not isinstance(self.access, Permission | Public | SignedIn):
            raise TypeError(f"route {self.method} {self.path!r}: access must be a Permission, Public or SignedIn")
        if not ROUTE_PATH.match(self.path):
            raise ValueError(
                f"route path {self.path!r} must be relative to the plugin (no leading '/', no '..'): 'things/{{id}}'"
            )
        if self.resource is not None:
            named = set(re.findall(r"\{([a-z_]+)\}", self.resource))
            if not named or named - set(re.findall(r"\{([a-z_]+)\}", self.path)):
                raise ValueError(f"route {self.path!r}: resource {self.resource!r} must name parameters of its path")
            if not isinstance(self.access, Permission):
                raise ValueError(f"route {self.path!r}: a resource is asked about with a Permission")
        if self.method not in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            raise ValueError(f"route {self.path!r}: method {self.method!r} is not one of GET POST PUT PATCH DELETE")


AsgiApp = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True)
class AsgiRoute:
    """The one door to raw ASGI 3: `app` gets everything below `/api/plugins/<plugin id>/<path>/`, already authorised.

    Credentials (Cookie, Authorization) are taken off the scope; `scope["openlakes.principal"]` holds the person.
    `Set-Cookie` and malformed headers in the answer are dropped. Mutations are audited like those of a `Route`.
    """

    path: str
    app: AsgiApp
    access: Access
    summary: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.access, Permission | Public | SignedIn):
            raise TypeError(f"ASGI route {self.path!r}: access must be a Permission, Public or SignedIn")
        if not ROUTE_PATH.match(self.path) or "{" in self.path or not self.path:
            raise ValueError(f"ASGI route path {self.path!r} must be plain segments below the plugin's prefix")

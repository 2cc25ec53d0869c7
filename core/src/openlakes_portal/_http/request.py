"""One request as it is served: what core knows of it, and the thin view of it that endpoints get."""

import asyncio
import re
from typing import Any

from starlette.datastructures import Headers, QueryParams

from openlakes_portal._auth.sessions import COOKIE, Session
from openlakes_portal._http.accept import best_match
from openlakes_portal._http.peer import TrustedProxies
from openlakes_portal._http.problems import RequestTimeout
from openlakes_portal.spi import BadRequest, NotSignedIn, Principal, TooLarge

HIDDEN_HEADERS = frozenset({"cookie", "authorization", "x-csrf-token", "proxy-authorization"})
DIGEST_MARK = "~"
DIGEST = re.compile(f"{DIGEST_MARK}[0-9a-f]{{12}}$")
"""What an ETag has behind a version: see call.py."""
_MISSING = object()
NO_PROXIES = TrustedProxies(())


class HttpRequest:
    """A request (spi.Request) over an ASGI scope."""

    def __init__(
        self,
        scope: Any,
        receive: Any,
        request_id: str,
        body_limit: int,
        body_timeout: float,
        proxies: TrustedProxies = NO_PROXIES,
    ) -> None:
        self.scope = scope
        self._receive = receive
        self.id = request_id
        self.body_limit = body_limit
        self._body_timeout = body_timeout
        self.headers = Headers(raw=scope["headers"])
        self._proxies = proxies
        self._address: str | None = None
        self._query: QueryParams | None = None
        self._body: bytes | None = None
        self._disconnected = False
        self.parameters: dict[str, str] = {}
        self.session: Session | None = None
        self.plugin_id = "core"
        self.template = ""
        self.resource: str | None = None
        self.recorded: dict[str, Any] = {}

    @property
    def method(self) -> str:
        """The HTTP method; HEAD is served as GET."""
        method: str = self.scope["method"]
        return method

    @property
    def address(self) -> str:
        """The client's address: the peer's, or what a proxy of `server.trusted_proxies` says of it."""
        if self._address is None:
            client = self.scope.get("client")
            forwarded = [value for name, value in self.scope["headers"] if name == b"x-forwarded-for"]
            self._address = self._proxies.client(client[0], forwarded) if client else "?"
        return self._address

    @property
    def principal(self) -> Principal:
        """Who asks."""
        if self.session is None:
            raise NotSignedIn("Nobody is signed in.", remedy="Sign in at /signin.")
        return self.session.principal

    def path(self, name: str) -> str:
        """A path parameter."""
        return self.parameters[name]

    @property
    def query_params(self) -> QueryParams:
        """The query string, parsed on first use; at most 1,000 fields."""
        if self._query is None:
            raw = self.scope["query_string"]
            if raw.count(b"&") >= 1000:
                raise BadRequest("The query string has more than 1,000 fields.")
            try:
                self._query = QueryParams(raw.decode("ascii"))
            except UnicodeDecodeError:
                raise BadRequest("The query string is not ASCII.") from None
            if b"%00" in raw:
                raise BadRequest("The query string holds a null character.")
        return self._query

    def query(self, name: str, *, default: Any = _MISSING) -> Any:
        """A query parameter."""
        value = self.query_params.get(name)
        if value is not None:
            return value
        if default is _MISSING:
            raise BadRequest(f"The query parameter {name!r} is missing.")
        return default

    def header(self, name: str) -> str | None:
        """A request header; credentials are not to be had."""
        return None if name.lower() in HIDDEN_HEADERS else self.headers.get(name)

    @property
    def if_match(self) -> str | None:
        """The version in If-Match, unquoted, whether sent as it is or as the ETag of an answer has it."""
        value = self.headers.get("if-match")
        if not value or value.strip() == "*":
            return None
        return DIGEST.sub("", value.strip().removeprefix("W/").strip('"'))

    def accepts(self, *media_types: str) -> str | None:
        """The best of these media types."""
        return best_match(self.headers.get("accept"), media_types)

    def cookie(self, wanted: str = COOKIE) -> str | None:
        """The value of a cookie of ours, by default the session's; of two with its name neither is believed."""
        found = []
        for header, raw in self.scope["headers"]:
            if header != b"cookie":
                continue
            for part in raw.decode("latin-1").split(";"):
                name, _, value = part.strip().partition("=")
                if name == wanted:
                    found.append(value)
        return found[0] if len(found) == 1 and 0 < len(found[0]) <= 128 else None

    def bearer(self) -> str | None:
        """The token of `Authorization: Bearer` (RFC 6750, 2.1); of two headers with that name neither is believed."""
        found = [value for name, value in self.scope["headers"] if name == b"authorization"]
        if not found:
            return None
        kind, _, token = found[0].decode("latin-1").partition(" ")
        if kind.lower() != "bearer":
            return None
        return token.strip() if len(found) == 1 else ""

    async def body(self) -> bytes:
        """The whole body."""
        if self._body is not None:
            return self._body
        length = self.headers.get("content-length")
        if length is not None and (not length.isdigit() or int(length) > self.body_limit):
            raise TooLarge(f"The body is larger than {self.body_limit} bytes.")
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise BadRequest("Compressed request bodies are not read.")
        parts, size = [], 0
        while True:
            try:
                async with asyncio.timeout(self._body_timeout):
                    message = await self._receive()
            except TimeoutError:
                raise RequestTimeout(f"No more of the body came for {self._body_timeout:g} s.") from None
            if message["type"] == "http.disconnect":
                self._disconnected = True
                raise BadRequest("The client went away.")
            part = message.get("body", b"")
            size += len(part)
            if size > self.body_limit:
                raise TooLarge(f"The body is larger than {self.body_limit} bytes.")
            parts.append(part)
            if not message.get("more_body"):
                self._body = b"".join(parts)
                return self._body

    def record(self, *, before: Any = None, after: Any = None, upstream_id: str | None = None) -> None:
        """What the outcome's audit record holds besides."""
        given = {"before": before, "after": after, "upstream_id": upstream_id}
        self.recorded |= {name: value for name, value in given.items() if value is not None}

    async def disconnected(self) -> None:
        """Returns once the client is gone."""
        while not self._disconnected:
            message = await self._receive()
            self._disconnected = message["type"] == "http.disconnect"

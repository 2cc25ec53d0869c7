"""The door: a raw ASGI application in front of everything.

In order: host, limits, canonical path, then gateway (apps) | routes of the registry and streams | Starlette for
documents and files. Who may is decided here, once, for every route alike; there is no other way in.
"""

import asyncio
import re
import time
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openlakes_portal._auth.guard import SAFE_METHODS, check_csrf, check_media_type, check_origin, origin_of
from openlakes_portal._auth.personas import is_loopback
from openlakes_portal._auth.sessions import Session
from openlakes_portal._gateway import forward_auth
from openlakes_portal._gateway.apps import App
from openlakes_portal._gateway.client import ClientGone
from openlakes_portal._gateway.gateway import Gateway
from openlakes_portal._host.context import refused
from openlakes_portal._host.portal import Portal
from openlakes_portal._host.registry import may
from openlakes_portal._http import metrics
from openlakes_portal._http.asgi import call_asgi
from openlakes_portal._http.call import EndpointRunner
from openlakes_portal._http.denials import Denials
from openlakes_portal._http.documents import API_DOCUMENTS, DOCUMENTS
from openlakes_portal._http.limits import StreamCounter, TokenBuckets
from openlakes_portal._http.peer import TrustedProxies
from openlakes_portal._http.problems import (
    HeadersTooLarge,
    MethodNotAllowed,
    MisdirectedRequest,
    internal_problem,
    problem,
)
from openlakes_portal._http.request import HttpRequest
from openlakes_portal._http.request_id import new_request_id
from openlakes_portal._http.response import Answer, EventsResponse, HeaderPolicy, Response, StreamResponse
from openlakes_portal._http.routing import BoundAsgi, BoundRoute, canonical_path, resource_in
from openlakes_portal._http.sse import OpenStreams, until_refused
from openlakes_portal._settings.model import ServerSettings
from openlakes_portal.spi import Access, NotAllowed, NotFound, NotSignedIn, Permission, PortalError, Public, Unavailable

log = structlog.get_logger("http")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
UNLIMITED = ("/api/live", "/api/ready")
API = "/api/"
LOOPBACK_HOST = re.compile(r"^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$")
"""This machine by its own names, besides the portal's; names below `localhost` are apps', and the gateway's."""


class Dispatcher:
    """ASGI 3: http, websocket (apps' only) and lifespan (the application's own)."""

    def __init__(self, portal: Portal, documents: ASGIApp, gateway: Gateway) -> None:
        self._portal = portal
        self._documents = documents
        self._gateway = gateway
        settings = portal.settings
        self._limits = settings.limits
        self._proxies = TrustedProxies(settings.server.trusted_proxies)
        self._debug = settings.server.log_level == "debug"
        self._policy = HeaderPolicy(settings.server.public_url.startswith("https:"))
        self._hosts, self._origins = _own_hosts(settings.server.public_url, settings.server.allowed_hosts)
        self._loopback = is_loopback(urlsplit(settings.server.public_url).hostname or "")
        self.by_session = TokenBuckets(self._limits.rate, self._limits.burst)
        self.by_address = TokenBuckets(self._limits.anonymous_rate, self._limits.anonymous_burst)
        self.streams = StreamCounter(self._limits.streams)
        self._events = OpenStreams(portal.stopping)
        self._runner = EndpointRunner(portal)
        self._denials = Denials(portal)
        self._forward_auth = forward_auth.ForwardAuth(portal, gateway, self._hosts - _internal(settings.server))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request_id = new_request_id()
        started = time.perf_counter()
        limits = self._limits
        request = HttpRequest(scope, receive, request_id, limits.body, limits.body_timeout, self._proxies)
        if scope["type"] == "websocket":
            await self._websocket(request, send)
            return
        sender = _Sender(send, self._policy, request_id, head=scope["method"] == "HEAD")
        app: App | None = None
        try:
            app = self._gateway.apps.at_host(self._check_head(request))
            answer = await (self._serve(request, sender) if app is None else self._app(app, request, sender))
        except PortalError as error:
            if sender.forwarded:
                raise  # in the middle of an app's answer: the connection is cut, which says that it is not whole
            app = app or self._app_below(request)
            if app is not None:
                answer = self._gateway.failure(app, request, error)
            else:
                answer = problem(error, request_id, await self._denials.of(request, error))
            await self._record_denial(request, error)
        except ClientGone:
            answer = None
            if sender.forwarded:
                raise
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.error("request failed", path=scope["path"][:200], error=repr(error), exc_info=error)
            answer = internal_problem(request_id)
        if answer is not None:
            await sender.send(answer)
        self._account(request, sender.status, time.perf_counter() - started)

    async def _serve(self, request: HttpRequest, sender: "_Sender") -> Answer | None:
        scope = request.scope
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = canonical_path(scope.get("raw_path") or scope["path"].encode())
        app = self._gateway.apps.at_path(path)
        if scope["method"] not in METHODS and app is None:
            raise MethodNotAllowed(scope["method"], self._methods(path))
        if path == forward_auth.PATH:
            return await self._authorise_for_ingress(request)
        await self._identify(request, path)
        if app is not None:
            await self._gateway.serve_below(app, request, sender.forward, sender.send)
            return None
        asgi = self._asgi(path)
        if asgi is not None:
            self._authorise(request, asgi.route.access)
            self._guard(request, asgi.route.access)
            await call_asgi(self._portal, asgi, request, path, sender.raw)
            return None
        match = self._portal.registry.routes.match(method, path) if path.startswith(API) else []
        if isinstance(match, list):
            if match and path not in API_DOCUMENTS:
                raise MethodNotAllowed(method, match)
            await self._document(request, path, sender)
            return None
        bound = match.bound
        request.parameters, request.plugin_id, request.template = match.parameters, bound.plugin_id, bound.template
        await self._authorise_route(request, bound)
        if method not in SAFE_METHODS:
            self._guard(request, bound.access)
        answer = await self._runner.run(bound, request)
        if isinstance(answer, StreamResponse | EventsResponse):
            key = request.session.principal.identity if request.session else f"address {request.address}"
            with self.streams.hold(key):
                metrics.streams.set(self.streams.total)
                try:
                    if isinstance(answer, EventsResponse):
                        await sender.events(answer, request, self._events)
                    else:
                        await sender.stream(answer, request)
                finally:
                    metrics.streams.set(self.streams.total - 1)
            return None
        return answer

    async def _app(self, app: App, request: HttpRequest, sender: "_Sender") -> None:
        """A request at an app's own host."""
        request.session = await self._gateway.session_at(app, request)
        self._take(request)
        await self._gateway.serve(app, request, sender.forward, sender.send)

    async def _authorise_for_ingress(self, request: HttpRequest) -> Response:
        """What an ingress is to do with a request that it describes."""
        request.template = forward_auth.PATH
        original = self._forward_auth.original(request, (request.headers.get("host") or "").lower())
        app: App | None = None
        try:
            app, session = await self._forward_auth.session(original)
            original.session = request.session = session
            self._take(original)
            return await self._forward_auth.answer(app, original, session)
        except PortalError as error:
            answer = self._forward_auth.failure(app, original, error)
            if answer is None:
                raise
            await self._record_denial(original, error)
            return answer

    def _app_below(self, request: HttpRequest) -> App | None:
        """The app that a request is for by its path (path mode)."""
        try:
            return self._gateway.apps.at_path(canonical_path(request.scope.get("raw_path") or b"/"))
        except PortalError:
            return None

    async def _websocket(self, request: HttpRequest, send: Send) -> None:
        """A WebSocket of an app, at its host or below its path. There is no other; what is refused is 403."""
        try:
            host = self._check_head(request)
            path = canonical_path(request.scope.get("raw_path") or request.scope["path"].encode())
            app = self._gateway.apps.at_host(host)
            if app is not None:
                request.session = await self._gateway.session_at(app, request)
                self._take(request)
            elif (app := self._gateway.apps.at_path(path)) is not None:
                await self._identify(request, path)
            if app is None or request.session is None:
                raise NotSignedIn("There is no such WebSocket, or nobody is signed in.")
            with self.streams.hold(request.session.principal.identity):
                await self._gateway.websocket(app, request, send)
        except PortalError as error:
            log.info("websocket refused", path=request.scope["path"][:200], reason=error.detail)
            await self._record_denial(request, error)
            await send({"type": "websocket.close", "code": 1008 if error.status < 500 else 1011})

    def _methods(self, path: str) -> list[str]:
        """What a path answers."""
        named = [document.method for document in DOCUMENTS if document.path == path]
        routed = self._portal.registry.routes.match("", path) if path.startswith(API) else []
        found = {*named, *routed} if isinstance(routed, list) else set(named)
        if "GET" in found:
            found.add("HEAD")
        return sorted(found) or list(METHODS)

    async def _document(self, request: HttpRequest, path: str, sender: "_Sender") -> None:
        """Everything that is no route: the shell, its files, sign-in, metrics, keys."""
        if path.startswith(API) and path not in API_DOCUMENTS:
            raise NotFound("There is nothing at this address.")
        request.template = path if path in API_DOCUMENTS else "(document)"
        scope = {**request.scope, "path": path, "openlakes.request": request}
        await self._documents(scope, request._receive, sender.raw)

    def _asgi(self, path: str) -> BoundAsgi | None:
        for template, bound in self._portal.registry.asgi.items():
            if path == template or path.startswith(f"{template}/"):
                return bound
        return None

    def _check_head(self, request: HttpRequest) -> str:
        """The host that the request is for: ours, or an app's."""
        headers = request.scope["headers"]
        if len(headers) > self._limits.header_count:
            raise HeadersTooLarge(f"More than {self._limits.header_count} headers.")
        size, hosts = 0, []
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                hosts.append(value)
        if size > self._limits.header_bytes:
            raise HeadersTooLarge(f"More than {self._limits.header_bytes} bytes of headers.")
        host = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        if host in self._hosts or self._gateway.apps.at_host(host) is not None:
            return host
        if self._loopback and LOOPBACK_HOST.match(host):
            return host
        raise MisdirectedRequest(
            "This server does not answer for that host.", remedy="Use server.public_url, or add server.allowed_hosts."
        )

    async def _identify(self, request: HttpRequest, path: str) -> None:
        """Find the session, and take from its rate (or the address's). An API token stands before a cookie."""
        if path in UNLIMITED:
            return
        token = request.bearer()
        if token is not None:
            request.session = await self._portal.api_tokens.session(token, request.address)
            if request.session is None:
                self.by_address.take(request.address)
                raise NotSignedIn("This API token is worth nothing.", remedy="It was revoked, ended, or cut: make one.")
        elif (secret := request.cookie()) is not None:
            known, session = self._portal.sessions.cached(secret)
            request.session = session if known else await self._portal.sessions.resolve(secret)
        if request.session is not None:
            decisions = self._portal.decisions
            request.session = decisions.known(request.session) or await decisions.applied(request.session)
        self._take(request)

    def _take(self, request: HttpRequest) -> None:
        """From the rate of who it is, or of the address."""
        if request.session is not None:
            session = request.session
            # All tokens of an owner share one limit: making more of them gives no more.
            self.by_session.take(f"tokens of {session.identity.key}" if session.by_token else session.public_id)
        else:
            self.by_address.take(request.address)

    def _authorise(self, request: HttpRequest, access: Access) -> None:
        if isinstance(access, Public):
            return
        if request.session is None:
            raise NotSignedIn("Sign in to use this.", remedy="Sign in at /signin.")
        if not may(request.session.principal, access):
            assert isinstance(access, Permission)
            raise refused(access)

    async def _authorise_route(self, request: HttpRequest, bound: BoundRoute) -> None:
        """The door, and where the route names a resource the decision about it."""
        self._authorise(request, bound.access)
        if bound.route.resource is not None:
            assert request.session is not None
            assert isinstance(bound.access, Permission)
            request.resource = resource_in(bound.route.resource, request.parameters)
            principal = request.session.principal
            if not (await self._portal.decisions.decide(principal, bound.access.name, request.resource)).allowed:
                raise refused(bound.access, request.resource)

    def _guard(self, request: HttpRequest, access: Access) -> None:
        """A mutation must come from our own page, or from a client that is no browser."""
        if request.scope["method"] in ("GET", "HEAD"):
            return
        headers = request.headers
        check_origin(headers.getlist("origin"), headers.getlist("sec-fetch-site"), self.origins(request))
        session: Session | None = request.session
        if session is not None and not session.by_token and not isinstance(access, Public):
            check_csrf(headers.get("x-csrf-token"), session.csrf_token)
        check_media_type(headers.get("content-type"))

    def origins(self, request: HttpRequest) -> frozenset[str]:
        """Origins that are this portal: its public one, and on loopback the one that the request was sent to."""
        if not self._loopback:
            return self._origins
        return self._origins | {f"http://{request.headers.get('host', '').lower()}"}

    async def _record_denial(self, request: HttpRequest, error: PortalError) -> None:
        """Refusals of a known person are on record; a failing record does not change the answer."""
        if not isinstance(error, NotAllowed) or request.session is None:
            return
        try:
            await self._runner.record_denial(request, error)
        except Unavailable as unavailable:
            log.error("denial could not be recorded", error=unavailable.detail)

    def _account(self, request: HttpRequest, status: int, seconds: float) -> None:
        method = request.scope["method"] if request.scope["method"] in METHODS else "other"
        template = request.template or "(none)"
        request.scope["openlakes.route"] = template
        metrics.answered(request.plugin_id, template, method, status, seconds)
        quiet = status < 400 and method in SAFE_METHODS
        if quiet and not self._debug:
            return
        write = log.debug if quiet else log.info
        write("request", method=method, route=template, status=status, ms=round(seconds * 1000, 1))


class _Sender:
    """Sends one answer, with our headers on it; remembers its status."""

    def __init__(self, send: Send, policy: HeaderPolicy, request_id: str, head: bool) -> None:
        self._send = send
        self._policy = policy
        self._request_id = request_id
        self._head = head
        self.status = 499
        self.forwarded = False
        """Whether an app's own answer has begun: then nothing of ours can be said any more."""

    async def forward(self, message: Message) -> None:
        """A message of an app's answer, whose headers the gateway has made."""
        if message["type"] == "http.response.start":
            self.status, self.forwarded = message["status"], True
        await self._send(message)

    async def send(self, answer: Answer) -> None:
        """A whole answer."""
        assert isinstance(answer, Response)
        self.status = answer.status
        headers = self._policy.headers(answer.headers, self._request_id, answer.cookies)
        if answer.status not in (204, 304):
            headers.append((b"content-length", str(len(answer.body)).encode()))
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        body = b"" if self._head or answer.status in (204, 304) else answer.body
        await self._send({"type": "http.response.body", "body": body})

    async def events(self, answer: EventsResponse, request: HttpRequest, streams: OpenStreams) -> None:
        """An event stream, which the process's keeper looks after."""
        if await self._start(answer):
            await streams.serve(answer.source, self._send, answer.holder, request.disconnected)

    async def _start(self, answer: StreamResponse | EventsResponse) -> bool:
        """Send the head; whether there is to be a body."""
        self.status = answer.status
        headers = self._policy.headers(answer.headers, self._request_id)
        await self._send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if self._head:
            await self._send({"type": "http.response.body", "body": b""})
        return not self._head

    async def stream(self, answer: StreamResponse, request: HttpRequest) -> None:
        """An answer that goes on until its source ends or the client is gone, or may not have the rest of it: then it
        breaks off, so that nobody takes a part for the whole."""
        if not await self._start(answer):
            return
        gone = asyncio.create_task(request.disconnected())
        pump = asyncio.create_task(self._pump(answer))
        refused = asyncio.create_task(until_refused(answer.holder))
        try:
            await asyncio.wait({gone, pump, refused}, return_when=asyncio.FIRST_COMPLETED)
            if pump.done():
                pump.result()
        finally:
            for task in (gone, pump, refused):
                task.cancel()
            await asyncio.gather(gone, pump, refused, return_exceptions=True)

    async def _pump(self, answer: StreamResponse) -> None:
        source: Any = answer.source
        try:
            async for part in source:
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            close = getattr(source, "aclose", None)
            if close is not None:
                await close()

    async def raw(self, message: Any) -> None:
        """A message of another ASGI application: our headers are added, and where it has its own, ours win."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given: dict[str, str] = {}
            cookies: list[str] = []
            for name, value in message.get("headers", ()):
                key = name.decode("latin-1").lower()
                if key == "set-cookie":
                    cookies.append(value.decode("latin-1"))
                else:
                    given[key] = value.decode("latin-1")
            message = {**message, "headers": self._policy.headers(given, self._request_id, cookies)}
        elif message["type"] == "http.response.body" and self._head:
            message = {**message, "body": b""}
        await self._send(message)


def _internal(server: ServerSettings) -> frozenset[str]:
    """Names by which an ingress may reach the portal, and no browser does."""
    return frozenset(host.lower() for host in server.allowed_hosts) - _own_hosts(server.public_url, ())[0]


def _own_hosts(public_url: str, more: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    parts = urlsplit(public_url)
    default = {"http": ":80", "https": ":443"}[parts.scheme]
    netloc = parts.netloc.lower()
    hosts = {netloc, netloc.removesuffix(default), *(host.lower() for host in more)}
    return frozenset(hosts), frozenset({origin_of(public_url)})

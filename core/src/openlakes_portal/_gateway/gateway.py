"""What happens to a request for an app: who it is, whether they may, and then its bytes to the app and back.

In order: method, canonical path, our own folder, session, permission, guard of mutations, audit; then the exchange. The
path and the query that were judged are the bytes that are sent on.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog
from starlette.types import Send

from openlakes_portal._audit.record import Entry
from openlakes_portal._auth.guard import check_origin
from openlakes_portal._auth.sessions import Session
from openlakes_portal._gateway import pages, request_headers, response_headers
from openlakes_portal._gateway.apps import App, Apps
from openlakes_portal._gateway.client import Client, ClientGone
from openlakes_portal._gateway.hand_over import APP_COOKIE, ENTER, OURS, START_COOKIE, HandOver
from openlakes_portal._gateway.identity import identity_headers
from openlakes_portal._gateway.keeper import Keeper, Refused, Stopping
from openlakes_portal._gateway.request_headers import Forwarding, Header
from openlakes_portal._gateway.turns import Turns
from openlakes_portal._gateway.websocket import relay
from openlakes_portal._host.context import refused
from openlakes_portal._host.registry import may
from openlakes_portal._http.problems import MethodNotAllowed, problem
from openlakes_portal._http.request import HttpRequest
from openlakes_portal._http.response import Response
from openlakes_portal._http.routing import canonical_path
from openlakes_portal._http.sse import Holder
from openlakes_portal.spi import NotAllowed, NotFound, NotSignedIn, PortalError, UpstreamError

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
START_SECONDS = 300
log = structlog.get_logger("gateway")
Answer = Callable[[Response], Awaitable[None]]


class Gateway:
    """The apps, and the way to them."""

    def __init__(self, portal: "Portal") -> None:
        settings = portal.settings
        self._portal = portal
        told = settings.gateway
        self.apps = Apps(portal.registry.contributions, settings.server.public_url, told.mode, told.answer_timeout)
        self.hand_over = HandOver(portal.database, portal.keyring, settings.server.public_url.rstrip("/"))
        self.keeper = Keeper(portal.stopping)
        self.turns = Turns()
        self._https = settings.server.public_url.startswith("https:")

    async def serve(self, app: App, request: HttpRequest, send: Send, answer: Answer) -> int:
        """One request at an app's own host; the status that was sent. Raises `PortalError` before anything was."""
        scope = request.scope
        raw = scope.get("raw_path") or scope["path"].encode()
        path = canonical_path(raw)
        if scope["method"] not in METHODS:
            raise MethodNotAllowed(scope["method"], list(METHODS))
        if path.startswith(OURS):
            return await self._ours(app, request, path, answer)
        if request.session is None:
            return await self._hand_over(app, request, answer)
        return await self.forward(app, request, request.session, send)

    async def serve_below(self, app: App, request: HttpRequest, send: Send, answer: Answer) -> int:
        """One request below an app's path at the portal (path mode), by the portal's own session."""
        if request.scope["method"] not in METHODS:
            raise MethodNotAllowed(request.scope["method"], list(METHODS))
        if request.session is not None:
            return await self.forward(app, request, request.session, send)
        if not pages.is_navigation(request):
            raise NotSignedIn("Nobody is signed in.", remedy="Sign in at the portal.")
        await answer(self.to_sign_in(app, request))
        return 303

    def to_sign_in(self, app: App, request: HttpRequest) -> Response:
        """Where a person goes who is not signed in at an app: to the portal, and back."""
        wanted = _target(request).decode("latin-1")
        if app.prefix:
            return _redirect(f"{app.portal}/auth/login?next={quote(wanted, safe='')}", [])
        url, start = self.hand_over.begin(app.id, wanted, request.cookie(START_COOKIE))
        return _redirect(url, [_cookie(START_COOKIE, start, START_SECONDS)])

    async def websocket(self, app: App, request: HttpRequest, send: Send) -> None:
        """A WebSocket of somebody who is signed in. It must come from the app's own page (RFC 6455, 10.2)."""
        assert request.session is not None
        self._authorise(app, request.session)
        self._check_websocket(app, request)
        holder = self.holder(app, request.session)
        forwarding, principal = self._forwarding(app, request), request.session.principal
        await relay(
            app, _target(request), request.scope, request._receive, send, principal, forwarding, self.keeper, holder
        )

    async def forward(self, app: App, request: HttpRequest, session: Session, send: Send) -> int:
        """Send a request of somebody who is signed in to the app, and its answer back."""
        self._authorise(app, session)
        method = request.scope["method"]
        _guard(app, request)
        request.plugin_id, request.template = app.contribution.id, f"(app {app.id})"
        if method in SAFE:
            return await self._exchange(app, request, session, send)
        entry = _entry(app, request, session)
        await self._portal.audit.write(entry, "intent", "started")
        status = 0
        try:
            status = await self._exchange(app, request, session, send)
        finally:
            await self._portal.audit.write(entry, "outcome", f"status {status}" if status else "failed")
        return status

    def _check_websocket(self, app: App, request: HttpRequest) -> None:
        if not app.declared.websocket:
            raise NotFound("This app has no WebSockets.")
        origins = [value for name, value in request.scope["headers"] if name == b"origin"]
        if origins != [app.origin.encode()]:
            raise NotAllowed("A page of another origin opened this WebSocket, or none that says so.")

    def _authorise(self, app: App, session: Session) -> None:
        if session.by_token:
            raise NotAllowed("An API token opens no apps.", remedy="Use the app's own API, or sign in.")
        if not may(session.principal, app.access):
            raise refused(app.access)

    async def authorise(self, app: App, request: HttpRequest, session: Session) -> list[Header]:
        """The decision alone, for an ingress that sends the request itself: the headers that the app is to get besides,
        and its cookies without the portal's. How it ends is not known here: a mutation is on record as let through."""
        self._authorise(app, session)
        _guard(app, request)
        if _is_websocket(request):
            self._check_websocket(app, request)
        if request.scope["method"] not in SAFE:
            await self._portal.audit.write(_entry(app, request, session), "event", "let through to the app")
        identity = await identity_headers(app, session.principal)
        forwarding = self._forwarding(app, request)
        made = request_headers.build(request.scope["headers"], app.request_headers, forwarding, identity)
        wanted = {b"cookie", *(name.lower() for name, _ in identity)}
        return [(name, value) for name, value in made if name in wanted]

    async def session_at(self, app: App, request: HttpRequest) -> Session | None:
        """Whose browser it is, by the cookie of the app's host; in path mode by the portal's."""
        session: Session | None = None
        if app.prefix:
            secret = request.cookie()
            session = await self._portal.sessions.resolve(secret) if secret is not None else None
        elif (cookie := request.cookie(APP_COOKIE)) is not None:
            id_hash = self.hand_over.signed_in(app.id, cookie)
            session = await self._portal.sessions.resolve_hash(id_hash) if id_hash is not None else None
        if session is None:
            return None
        return self._portal.decisions.known(session) or await self._portal.decisions.applied(session)

    async def _exchange(self, app: App, request: HttpRequest, session: Session, send: Send) -> int:
        identity = await identity_headers(app, session.principal)
        headers = request_headers.build(
            request.scope["headers"], app.request_headers, self._forwarding(app, request), identity
        )
        client = Client(request)
        framing, has_body = client.framing()
        target = _target(request)
        hidden = {value.partition(b"=")[0] for name, value in identity if name == b"cookie"}
        started = 0
        try:
            with self.keeper.watch(self.holder(app, session)) as watched:
                body = client.body() if has_body else None
                async with (
                    self.turns.of(f"{app.id} {session.principal.identity}"),
                    client.watching(),
                    app.pool.exchange(request.scope["method"], target, headers + framing, body) as received,
                ):
                    theirs, watched.is_endless = received.headers, received.is_event_stream
                    ours = response_headers.build(theirs, app.exposure, frozenset(hidden))
                    ours += self._own_headers(ours, request.id)
                    ours += [(n, v.strip()) for n, v in theirs if n == b"content-length"][:1]
                    part = await anext(received.parts, b"")
                    started = received.status
                    await send({"type": "http.response.start", "status": started, "headers": ours})
                    while not received.is_over():  # what the client does not take keeps the app waiting
                        await send({"type": "http.response.body", "body": part, "more_body": True})
                        part = await anext(received.parts, b"")
                await send({"type": "http.response.body", "body": part})
        except Stopping:
            raise ClientGone from None
        except Refused:
            if not started:
                raise NotSignedIn("Your sign-in ended meanwhile.") from None
            raise ClientGone from None  # the connection is cut: what was sent is no whole answer
        return started

    def _own_headers(self, theirs: list[Header], request_id: str) -> list[Header]:
        names = {name for name, _ in theirs}
        own = [(b"x-request-id", request_id.encode())]
        if b"x-content-type-options" not in names:
            own.append((b"x-content-type-options", b"nosniff"))
        if b"referrer-policy" not in names:
            own.append((b"referrer-policy", b"same-origin"))
        if self._https:
            own.append((b"strict-transport-security", b"max-age=31536000; includeSubDomains"))
        return own

    def _forwarding(self, app: App, request: HttpRequest) -> Forwarding:
        scheme = app.origin.partition(":")[0].encode()
        return Forwarding(app.host, scheme, request.address.encode(), request.id.encode(), app.prefix.encode())

    def holder(self, app: App, session: Session) -> Holder:
        """Who may have it open, and whether they still may."""

        async def still_allowed() -> bool:
            fresh = None if session.ended.is_set() else await self._portal.sessions.refresh(session)
            return fresh is not None and may(await self._portal.decisions.current(fresh), app.access)

        return Holder(f"{session.id_hash} {app.access.name}", still_allowed)

    async def _ours(self, app: App, request: HttpRequest, path: str, answer: Answer) -> int:
        """The portal's own folder at an app's host."""
        if path != ENTER or request.scope["method"] != "GET":
            raise NotFound("There is nothing at this address.")
        entered = await self.hand_over.enter(app.id, request.query("code"), request.cookie(START_COOKIE))
        session = await self._portal.sessions.resolve_hash(entered.id_hash)
        if session is None:
            raise NotSignedIn("Your sign-in ended meanwhile.", remedy="Open the app again.")
        self._authorise(app, session)
        entry = Entry("core.app.opened", request.id, session.principal, app.id, request.address)
        await self._portal.audit.write(entry, "event", "ok")
        cookies = [
            _cookie(APP_COOKIE, self.hand_over.cookie(app.id, session.id_hash)),
            _cookie(START_COOKIE, "", max_age=0),
        ]
        await answer(_redirect(entered.next, cookies))
        return 303

    async def _hand_over(self, app: App, request: HttpRequest, answer: Answer) -> int:
        """Nobody is signed in at this host: a person is sent to the portal and back, a script is told."""
        if not pages.is_navigation(request):
            raise NotSignedIn("Nobody is signed in at this app.", remedy="Open the app in the portal.")
        await answer(self.to_sign_in(app, request))
        return 303

    def failure(self, app: App, request: HttpRequest, error: PortalError) -> Response:
        """An error at an app's host: a page for a person, a problem for a script."""
        if isinstance(error, UpstreamError):
            log.warning("an app failed", app=app.id, status=error.status, reason=error.detail)
        if pages.is_navigation(request):
            return pages.page(error, app.declared.title, app.portal, request.id)
        return problem(error, request.id)

    def close(self) -> None:
        """End connections to apps."""
        self.apps.close()


def _redirect(location: str, cookies: list[str]) -> Response:
    return Response(303, b"", {"location": location, "referrer-policy": "no-referrer"}, cookies)


def _guard(app: App, request: HttpRequest) -> None:
    """A mutation must come from the app's own page, or from a client that is no browser."""
    if request.scope["method"] not in SAFE:
        headers = request.headers
        check_origin(headers.getlist("origin"), headers.getlist("sec-fetch-site"), frozenset({app.origin}))


def _entry(app: App, request: HttpRequest, session: Session) -> Entry:
    what = f"{request.scope['method']} {app.id}"
    return Entry(f"{app.contribution.id}.app.request", request.id, session.principal, what, request.address)


def _is_websocket(request: HttpRequest) -> bool:
    """Whether a request opens a WebSocket (RFC 6455, 4.1); an ingress that asks first may have dropped Upgrade."""
    return any(name == b"upgrade" or name.startswith(b"sec-websocket-") for name, _ in request.scope["headers"])


def _target(request: HttpRequest) -> bytes:
    """Path and query as they were sent."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return path + b"?" + query if query else path


def _cookie(name: str, value: str, max_age: int | None = None) -> str:
    ends = "" if max_age is None else f"; Max-Age={max_age}"
    return f"{name}={value}; Path=/{ends}; Secure; HttpOnly; SameSite=Lax"


def enter_address(app: App, code: str) -> str:
    """Where a browser goes with its code."""
    return f"{app.origin}{ENTER}?code={code}"

"""What is no route of the registry, served by Starlette: sign-in, the shell and its files, keys, metrics, probes.

Each of these states who may use it in `DOCUMENTS`, from which the OpenAPI takes them.
"""

import hashlib
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic_core import to_json
from starlette.requests import Request as StarletteRequest
from starlette.responses import Response as StarletteResponse
from starlette.routing import Route, Router

from openlakes_portal._gateway import forward_auth
from openlakes_portal._gateway.gateway import Gateway, enter_address
from openlakes_portal._gateway.hand_over import PORTAL_PATH
from openlakes_portal._host.portal import Portal
from openlakes_portal._host.registry import may
from openlakes_portal._http import metrics, token_exchange
from openlakes_portal._http.bootstrap import bootstrap, session_view
from openlakes_portal._http.openapi import build_openapi
from openlakes_portal._http.problems import MethodNotAllowed
from openlakes_portal._http.request import HttpRequest
from openlakes_portal._http.shell import Shell
from openlakes_portal._http.sign_in import SignInDocuments
from openlakes_portal.spi import NotAllowed, NotFound, NotSignedIn, Public, SignedIn, Unavailable

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
API_DOCUMENTS = frozenset(
    {
        "/api/live",
        "/api/ready",
        "/api/session",
        "/api/bootstrap",
        "/api/openapi.json",
        token_exchange.PATH,
        forward_auth.PATH,
    }
)


@dataclass(frozen=True)
class Document:
    """One address outside the registry, for the OpenAPI and the access matrix."""

    method: str
    path: str
    summary: str
    access: Public | SignedIn | str
    responses: tuple[int, ...] = (200,)


DOCUMENTS = (
    Document("GET", "/api/live", "Whether the process runs", Public("probes have no session")),
    Document("GET", "/api/ready", "Whether it can serve", Public("probes have no session"), (200, 503)),
    Document("GET", "/api/openapi.json", "This description", Public("it holds no data")),
    Document("GET", "/api/session", "Who is signed in", Public("it says whether somebody is"), (200, 401)),
    Document("GET", "/api/bootstrap", "What the console needs to start", Public("the sign-in page needs it")),
    Document("GET", "/auth/login", "Begin to sign in", Public("nobody is signed in yet"), (303, 429, 503)),
    Document("GET", "/auth/callback", "Back from the provider", Public("it is a sign-in"), (303, 400, 404, 503)),
    Document(
        "POST",
        "/auth/backchannel-logout",
        "The identity provider ended a sign-in",
        Public("the token in it is the provider's own"),
        (200, 400, 404),
    ),
    Document(
        "GET", PORTAL_PATH, "On to an app, as who is signed in", Public("who is not is sent to sign in"), (303, 400)
    ),
    Document(
        "GET",
        forward_auth.PATH,
        "May this request pass? Asked by a trusted ingress",
        Public("a trusted ingress asks, about the request of who is signed in at the app"),
        (200, 303, 401, 403, 404),
    ),
    Document("POST", "/auth/demo", "Sign in as a persona of the demo", Public("it is a sign-in"), (200, 404, 422)),
    Document(
        "POST",
        token_exchange.PATH,
        "A short token of a service account for a job's own token (RFC 8693)",
        Public("the token in it is the proof"),
        (200, 400, 404, 429, 503),
    ),
    Document("POST", "/auth/logout", "Sign out", SignedIn("everybody may leave"), (200, 204, 401)),
    Document("GET", "/.well-known/jwks.json", "The keys that verify the portal's tokens", Public("public keys")),
    Document("GET", "/metrics", "Prometheus metrics", "core:metrics:read", (200, 401, 403)),
)


Handler = Callable[[HttpRequest], Awaitable[StarletteResponse]]


class Documents:
    """The Starlette application behind the dispatcher."""

    def __init__(self, portal: Portal, gateway: Gateway) -> None:
        self._portal = portal
        self._gateway = gateway
        self._shell = Shell(portal)
        signing = SignInDocuments(portal, self._shell)
        exchanging = token_exchange.TokenExchangeDocument(portal)
        self.rates = {"sign-in": signing.sign_ins, "exchange": exchanging.exchanges}
        """Limits of these addresses, which hold over replicas."""
        self._openapi: bytes | None = None
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/api/live", self._live),
            ("GET", "/api/ready", self._ready),
            ("GET", "/api/openapi.json", self._describe),
            ("GET", "/api/session", self._session),
            ("GET", "/api/bootstrap", self._bootstrap),
            ("GET", "/auth/login", signing.login),
            ("GET", "/auth/callback", signing.callback),
            ("POST", "/auth/demo", signing.demo),
            ("GET", PORTAL_PATH, self._open_app),
            ("POST", "/auth/logout", signing.logout),
            ("POST", "/auth/backchannel-logout", signing.back_channel_logout),
            ("POST", token_exchange.PATH, exchanging.exchange),
            ("GET", "/.well-known/jwks.json", self._jwks),
            ("GET", "/metrics", self._metrics),
        ]
        routes = [Route(path, _endpoint(method, handler), methods=METHODS) for method, path, handler in table]
        routes.append(Route("/assets/{path:path}", _endpoint("GET", self._shell.core_asset), methods=METHODS))
        routes.append(Route("/plugins/{rest:path}", _endpoint("GET", self._shell.plugin_asset), methods=METHODS))
        routes.append(Route("/{path:path}", _endpoint("GET", self._shell.page), methods=METHODS))
        self.app = Router(routes, redirect_slashes=False)

    async def _open_app(self, request: HttpRequest) -> StarletteResponse:
        """A browser came from an app's host: it is sent back with a code, or to sign in first."""
        app_id, state = request.query("app"), request.query("state")
        app = self._gateway.apps.all.get(app_id)
        if app is None or not self._gateway.apps.host_mode:
            raise NotFound("There is no such app.")
        headers = {"referrer-policy": "no-referrer", "cache-control": "no-store"}
        if request.session is None:
            here = f"{PORTAL_PATH}?{request.scope['query_string'].decode('latin-1')}"
            return StarletteResponse(
                status_code=303, headers={**headers, "location": f"/auth/login?next={quote(here, safe='')}"}
            )
        if not may(request.session.principal, app.access):
            # The console's own page says which permission that is, and lets them ask for it.
            return StarletteResponse(status_code=303, headers={**headers, "location": f"/app/{app.id}"})
        code = self._gateway.hand_over.code(app.id, request.session, state, request.query("next", default="/"))
        return StarletteResponse(status_code=303, headers={**headers, "location": enter_address(app, code)})

    async def _live(self, request: HttpRequest) -> StarletteResponse:
        return _json({"status": "live"})

    async def _ready(self, request: HttpRequest) -> StarletteResponse:
        if not self._portal.ready or self._portal.stopping.is_set():
            raise Unavailable("The portal is starting or stopping.", retry_after=1)
        await self._portal.database.ping()
        if closed := self._portal.issuer.keys.closed():
            raise Unavailable(
                f"Keys that sign tokens do not open with security.key: {', '.join(closed)}.",
                remedy="Give every replica the same security.key, and the earlier one in security.previous_keys.",
            )
        return _json({"status": "ready"})

    async def _describe(self, request: HttpRequest) -> StarletteResponse:
        if self._openapi is None:
            self._openapi = to_json(build_openapi(self._portal.registry, DOCUMENTS))
        return StarletteResponse(self._openapi, media_type="application/json")

    async def _session(self, request: HttpRequest) -> StarletteResponse:
        if request.session is None:
            raise NotSignedIn("Nobody is signed in.", remedy="Sign in at /signin.")
        return _json(session_view(request.session))

    async def _bootstrap(self, request: HttpRequest) -> StarletteResponse:
        return _json(bootstrap(self._portal, request.session))

    async def _jwks(self, request: HttpRequest) -> StarletteResponse:
        body = to_json(await self._portal.issuer.jwks())
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"cache-control": f"public, max-age={self._portal.issuer.keys.max_age}", "etag": tag}
        known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
        if known & {tag, "*"}:
            return StarletteResponse(status_code=304, headers=headers)
        return StarletteResponse(body, media_type="application/json", headers=headers)

    async def _metrics(self, request: HttpRequest) -> StarletteResponse:
        permission = self._portal.registry.permissions["core:metrics:read"]
        principal = request.session.principal if request.session else None
        if not may(principal, permission) and not self._is_trusted(request.address):
            if principal is None:
                raise NotSignedIn("Metrics need the permission core:metrics:read or a trusted address.")
            raise NotAllowed("Metrics need the permission core:metrics:read.", permission="core:metrics:read")
        return StarletteResponse(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _is_trusted(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        networks = self._portal.settings.server.metrics_addresses
        return any(peer in ipaddress.ip_network(network, strict=False) for network in networks)


def _endpoint(method: str, handler: Handler) -> Callable[[StarletteRequest], Awaitable[StarletteResponse]]:
    async def endpoint(request: StarletteRequest) -> StarletteResponse:
        ours: HttpRequest = request.scope["openlakes.request"]
        ours.parameters = {k: str(v) for k, v in request.path_params.items()}
        sent = "GET" if ours.method == "HEAD" else ours.method
        if sent != method:
            raise MethodNotAllowed(ours.method, [method])
        return await handler(ours)

    return endpoint


def _json(value: Any) -> StarletteResponse:
    return StarletteResponse(to_json(value), media_type="application/json")

"""The gateway's decision for an ingress that carries the bytes itself (`/api/gateway/authorize`).

nginx (`auth_request`), Traefik (`forwardAuth`), Caddy (`forward_auth`) and Envoy (`ext_authz`, which asks with the
browser's own method) ask before each request, with its headers, and say in headers of their own what it is: method,
host and target. These are believed from trusted addresses alone,
and only where they can be read in one way: a client could send the names that its ingress does not set.

Vocabulary: the *original* request is the browser's; the *asking* one is the ingress's.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openlakes_portal._gateway import pages
from openlakes_portal._gateway.apps import App
from openlakes_portal._gateway.gateway import METHODS, Gateway
from openlakes_portal._gateway.hand_over import OURS
from openlakes_portal._http.peer import TrustedProxies
from openlakes_portal._http.problems import MethodNotAllowed
from openlakes_portal._http.request import HttpRequest
from openlakes_portal._http.response import Response
from openlakes_portal._http.routing import canonical_path
from openlakes_portal.spi import NotAllowed, NotFound, NotSignedIn, PortalError

if TYPE_CHECKING:
    from openlakes_portal._auth.sessions import Session
    from openlakes_portal._host.portal import Portal

PATH = "/api/gateway/authorize"
FORWARDED = ("x-forwarded-method", "x-forwarded-host", "x-forwarded-uri")
"""Of Traefik, Caddy and Envoy, which pass on whatever is answered."""
ORIGINAL = ("x-original-method", "x-original-host", "x-original-uri")
"""Of nginx, by its configuration; it knows 2xx, 401 and 403, and fails at anything else."""
ANY_ORIGINAL = (*ORIGINAL, "x-original-url")
UNDERSTOOD = frozenset({200, 401, 403})


@dataclass(frozen=True)
class Original:
    """The browser's request, as the ingress says."""

    method: str
    host: str
    target: str
    plain: bool
    """Whether the ingress understands nothing but yes, 401 and 403."""


class ForwardAuth:
    """Answers an ingress."""

    def __init__(self, portal: "Portal", gateway: Gateway, portal_hosts: frozenset[str]) -> None:
        settings = portal.settings.gateway
        self._gateway = gateway
        self._on = settings.forward_auth
        self._proxies = TrustedProxies(settings.trusted_addresses)
        self._portal_hosts = portal_hosts

    def original(self, asking: HttpRequest, host: str) -> HttpRequest:
        """The request that is asked about, with the address of its client. `host` is the one that the ingress asked.

        Raises `NotFound` where there is nothing to be asked, `NotAllowed` for who is not trusted or not clear.
        """
        if not self._on or host in self._portal_hosts or self._gateway.apps.at_host(host) is not None:
            # At the public names it would tell a browser's own scripts what only the app may know.
            raise NotFound("There is nothing at this address.")
        peer: str = (asking.scope.get("client") or ("?", 0))[0]
        if not self._proxies.trusts(peer):
            raise NotAllowed("Only a trusted ingress asks here.", remedy="Name it in gateway.trusted_addresses.")
        said = _said(asking)
        path, _, query = said.target.partition("?")
        said_for = [value for name, value in asking.scope["headers"] if name == b"x-forwarded-for"]
        scope = {
            **asking.scope,
            "method": said.method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "client": (self._proxies.client(peer, said_for), 0),
            "openlakes.original": said,
        }
        return HttpRequest(scope, asking._receive, asking.id, 0, 0)

    async def session(self, original: HttpRequest) -> "tuple[App, Session | None]":
        """The app that it is for, and who asks. Raises `NotAllowed` where no app is there."""
        said: Original = original.scope["openlakes.original"]
        path = canonical_path(original.scope["raw_path"])
        if said.method not in METHODS:
            raise MethodNotAllowed(said.method, list(METHODS))
        apps = self._gateway.apps
        app = apps.at_host(said.host) if apps.host_mode else None
        if not apps.host_mode and said.host in self._portal_hosts:
            app = apps.at_path(path)
        if app is None or path.startswith(OURS):
            raise NotAllowed("There is no app at that address.", remedy="Send such requests to the portal itself.")
        return app, await self._gateway.session_at(app, original)

    async def answer(self, app: App, original: HttpRequest, session: "Session | None") -> Response:
        """200 with the headers that the app is to get, or what the gateway would answer. Raises `PortalError`."""
        if session is not None:
            headers = await self._gateway.authorise(app, original, session)
            return Response(200, b"", {n.decode(): v.decode("latin-1") for n, v in headers})
        if original.scope["openlakes.original"].plain or not pages.is_navigation(original):
            raise NotSignedIn("Nobody is signed in at this app.", remedy="Open the app in the portal.")
        return self._gateway.to_sign_in(app, original)

    def failure(self, app: App | None, original: HttpRequest, error: PortalError) -> Response | None:
        """What a browser is shown, where the ingress passes it on; None to say it as anywhere else."""
        plain = original.scope["openlakes.original"].plain
        if plain and error.status not in UNDERSTOOD:
            return Response(403)
        return None if plain or app is None else self._gateway.failure(app, original, error)


def _said(asking: HttpRequest) -> Original:
    """What the ingress says of the request, in one way."""
    plain = "x-original-uri" in asking.headers
    names = ORIGINAL if plain else FORWARDED
    foreign = ("x-forwarded-method", "x-forwarded-uri", "x-original-url") if plain else ANY_ORIGINAL
    if any(name in asking.headers for name in foreign):
        raise NotAllowed(
            "Headers of two kinds of ingress say what is asked for.",
            remedy="Let the ingress drop the names that it does not set.",
        )
    values = [asking.headers.getlist(name) for name in names]
    if any(len(value) != 1 for value in values):
        raise NotAllowed(
            f"The ingress must say once each: {', '.join(names)}.", remedy="See the operators' page on the gateway."
        )
    method, host, target = (value[0] for value in values)
    readable = target.isascii() and target.isprintable() and " " not in target and "#" not in target
    if not target.startswith("/") or not readable:
        raise NotAllowed("The target that the ingress names is none.")
    return Original(method, host.lower(), target, plain)

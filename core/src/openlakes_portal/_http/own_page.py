"""The guard of mutations that are no route of the registry: signing in and out, exchanging a token."""

from openlakes_portal._auth.guard import check_origin, origin_of
from openlakes_portal._http.request import HttpRequest
from openlakes_portal._settings.model import Settings


def check_own_page(request: HttpRequest, settings: Settings) -> None:
    """Raises `NotAllowed` for a request that a page of another origin sent."""
    own = {origin_of(settings.server.public_url)}
    if settings.auth.mode == "demo":
        own.add(f"http://{request.headers.get('host', '').lower()}")
    check_origin(request.headers.getlist("origin"), request.headers.getlist("sec-fetch-site"), frozenset(own))

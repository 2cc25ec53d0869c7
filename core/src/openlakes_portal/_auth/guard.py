"""Guards of a mutation: it must come from our own page, or from a client that is no browser.

Origin and Fetch Metadata (W3C Fetch Metadata Request Headers) are judged first; then the session's CSRF token. Apps on
sub-domains are same-*site* with the portal, so `same-site` is foreign here.
"""

import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

from openlakes_portal.spi import NotAllowed

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORGEABLE_TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data")
"""What a foreign page can send without asking first (Fetch, section 4.10: CORS-safelisted request headers)."""


def check_origin(origins: Sequence[str], fetch_sites: Sequence[str], own_origins: frozenset[str]) -> None:
    """Raises `NotAllowed` for a mutation that another page sent. Of several headers of one name each counts."""
    for fetch_site in fetch_sites:
        if fetch_site not in ("same-origin", "none"):
            raise NotAllowed(f"A page of another site sent this request (Sec-Fetch-Site: {fetch_site[:20]}).")
    if any(origin not in own_origins for origin in origins):
        raise NotAllowed("A page of another origin sent this request.")


def check_csrf(sent: str | None, expected: str) -> None:
    """Raises `NotAllowed` unless the header X-CSRF-Token is the session's own."""
    if sent is None:
        raise NotAllowed("The header X-CSRF-Token is missing.", remedy="Send the csrf_token of /api/session in it.")
    if not hmac.compare_digest(sent.encode(), expected.encode()):
        raise NotAllowed("The header X-CSRF-Token is not this session's.", remedy="Load /api/session again.")


def check_media_type(content_type: str | None) -> None:
    """Raises `NotAllowed` for a body that a foreign page could have sent unasked."""
    if content_type and content_type.split(";")[0].strip().lower() in FORGEABLE_TYPES:
        raise NotAllowed("A body must be JSON: Content-Type application/json.")


def origin_of(url: str) -> str:
    """Scheme, host and port as a browser writes them in Origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()

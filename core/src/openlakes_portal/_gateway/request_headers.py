"""Headers of a request as an app gets them: built from an allow-list, never copied.

Everything that could claim an identity, an address or another target (`X-Forwarded-*`, `X-Original-URL`, method
overrides, an app's own identity header in any spelling) is not on the list and so does not pass. WSGI and CGI fold `-`
and `_` into one: names with an underscore are never passed (the class of CVE-2015-0221).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from openlakes_portal.spi import BadRequest

Header = tuple[bytes, bytes]

STANDARD = frozenset(
    name.encode()
    for name in [
        "accept",
        "accept-encoding",
        "accept-language",
        "access-control-request-headers",
        "access-control-request-method",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "dnt",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "last-event-id",
        "origin",
        "pragma",
        "priority",
        "purpose",
        "range",
        "referer",
        "save-data",
        "sec-ch-ua",
        "sec-ch-ua-mobile",
        "sec-ch-ua-platform",
        "sec-fetch-dest",
        "sec-fetch-mode",
        "sec-fetch-site",
        "sec-fetch-user",
        "sec-gpc",
        "sec-purpose",
        "upgrade-insecure-requests",
        "user-agent",
        "x-requested-with",
    ]
)
"""What a browser sends by itself, and what scripts of a page may set without naming an identity or a target."""
OURS = ("__host-openlakes", "__secure-openlakes", "openlakes_")
"""How the names of the portal's cookies begin, in lower case."""
ONCE = frozenset({b"content-type", b"content-length", b"host", b"origin", b"range", b"if-range", b"content-encoding"})
"""What two parties could read differently where it stands twice (RFC 9110, section 5.3)."""
NEVER = frozenset(
    {b"authorization", b"cookie", b"host", b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"te"}
    | {b"expect", b"forwarded", b"keep-alive", b"trailer", b"proxy-authorization", b"proxy-connection", b"via"}
)
"""What an app may not declare: the gateway speaks for itself in these, or they belong to one connection."""
NEVER_LIKE = (b"x-forwarded", b"x-real", b"x-original", b"x-rewrite", b"x-http-method", b"x-method", b"proxy-", b"sec-")


def declarable(name: str) -> bool:
    """Whether an app may have a request header of this name passed to it."""
    key = name.lower().encode("ascii", "replace")
    if not is_token(key) or b"_" in key:
        return False
    return key not in NEVER and not key.startswith(NEVER_LIKE)


def is_token(name: bytes) -> bool:
    """Whether it is a field name (RFC 9110, section 5.6.2)."""
    return bool(name) and not name.translate(None, TOKEN)


TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
CONTROLS = bytes(range(9)) + bytes(range(10, 32)) + b"\x7f"


@dataclass(frozen=True)
class Forwarding:
    """What the gateway itself says of a request: the host and the scheme that the browser used, and from where."""

    host: bytes
    scheme: bytes
    address: bytes
    request_id: bytes
    prefix: bytes = b""
    """Where the app stands in path mode (`/apps/airflow`); nothing in host mode."""


def build(
    sent: Iterable[Header], extra: frozenset[bytes], forwarding: Forwarding, identity: Sequence[Header]
) -> list[Header]:
    """Headers for the app: what of `sent` (names in lower case) may pass, what we say, and the person's `identity`.

    Raises `BadRequest` for what two parties could read differently. Content-Length and Transfer-Encoding are the
    client's business, which frames the body anew.
    """
    out: list[Header] = [(b"host", forwarding.host)]
    seen: set[bytes] = set()
    jar: list[bytes] = []
    for name, value in sent:
        if name in ONCE:
            if name in seen:
                raise BadRequest(f"The header {name.decode()} stands twice.")
            seen.add(name)
        if name == b"cookie":
            jar += kept_cookies(value)
        elif name in STANDARD or name in extra:
            if value.translate(None, CONTROLS) != value:
                raise BadRequest(f"The header {name.decode('latin-1')} holds a control character.")
            out.append((name, value))
    own = {name.lower() for name, _ in identity}
    out = [(name, value) for name, value in out if name not in own]
    set_cookies = [value for name, value in identity if name.lower() == b"cookie"]
    theirs = {pair.partition(b"=")[0] for pair in set_cookies}
    jar = [pair for pair in jar if pair.partition(b"=")[0] not in theirs] + set_cookies
    if jar:
        out.append((b"cookie", b"; ".join(jar)))
    out += [(name, value) for name, value in identity if name.lower() != b"cookie"]
    out += [
        (b"x-forwarded-for", forwarding.address),
        (b"x-forwarded-host", forwarding.host),
        (b"x-forwarded-proto", forwarding.scheme),
        (b"x-request-id", forwarding.request_id),
    ]
    if forwarding.prefix:
        out.append((b"x-forwarded-prefix", forwarding.prefix))
    return out


def kept_cookies(value: bytes) -> list[bytes]:
    """Pairs of a Cookie header that are the app's: those of ours, and what is no pair, are left out."""
    pairs = []
    for part in value.split(b";"):
        pair = part.strip(b" \t")
        name, mark, _ = pair.partition(b"=")
        if mark and is_token(name) and not is_ours(name) and pair.translate(None, CONTROLS) == pair:
            pairs.append(pair)
    return pairs


def is_ours(name: bytes) -> bool:
    """Whether a cookie's name is one of the portal's, or so like one that somebody could take it for it."""
    return name.decode("latin-1").lower().startswith(OURS)

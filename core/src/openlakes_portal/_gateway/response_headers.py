"""Headers of an app's answer as the browser gets them.

What belongs to one connection is dropped (RFC 9110, section 7.6.1); what would speak for the portal, for its other apps
or for the whole site is dropped or rewritten: the domain of cookies, cross-origin permissions, caching by others, who
may frame the page, and where a redirect leads.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from openlakes_portal._gateway.request_headers import CONTROLS, Header, is_ours, is_token
from openlakes_portal.spi import UpstreamError

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade http2-settings".split()
)
DROPPED = frozenset(
    b"access-control-allow-credentials access-control-allow-headers access-control-allow-methods "
    b"access-control-allow-origin access-control-expose-headers access-control-max-age alt-svc clear-site-data "
    b"expect-ct nel origin-agent-cluster p3p public-key-pins public-key-pins-report-only report-to "
    b"reporting-endpoints server server-timing set-cookie2 sourcemap strict-transport-security timing-allow-origin "
    b"via x-accel-buffering x-accel-redirect x-frame-options x-powered-by x-request-id x-sendfile x-sourcemap".split()
)
"""Site-wide promises, cross-origin permissions, instructions to a proxy, and who made the server."""
LEADING = frozenset({b"location", b"content-location", b"refresh", b"link"})
POLICIES = frozenset({b"content-security-policy", b"content-security-policy-report-only"})
REFRESH = re.compile(rb"^(\s*[\d.]+\s*(?:[;,]\s*(?:url\s*=\s*)?))(['\"]?)(.*?)(['\"]?)\s*$", re.IGNORECASE)
LINK = re.compile(rb"<([^>]*)>")
MAX_HEADERS = 200
MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class Exposure:
    """Where an app stands for the browser, and where it really is. Origins as a browser writes them."""

    origin: bytes
    target: bytes
    portal: bytes
    prefix: bytes = b""
    """Path mode: `/apps/airflow`; the app's own paths begin with it, and so do those of its cookies."""

    def leads(self, url: bytes) -> bytes | None:
        """An address in an answer as it is to be sent: at the app or at the portal; None for any other place."""
        text = url.strip(b" \t")
        if not text or b"\\" in text or any(byte < 0x21 or byte == 0x7F for byte in text):
            return None if text else text
        try:
            parts = urlsplit(text.decode("latin-1"))
            port = parts.port
        except ValueError:
            return None
        if not parts.scheme and not parts.netloc:
            first = re.split(rb"[/?#]", text, maxsplit=1)[0]
            if text.startswith(b"//") or b":" in first:
                return None
            return text if self._is_below(text) else None
        if parts.scheme not in ("http", "https") or parts.hostname is None or parts.username is not None:
            return None
        default = 443 if parts.scheme == "https" else 80
        origin = f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port and port != default else "")
        rest = text[text.index(b"//") + 2 :]
        path = rest[min((rest.index(mark) for mark in (b"/", b"?", b"#") if mark in rest), default=len(rest)) :]
        if self.prefix and origin.encode() == self.portal:
            return text
        if origin.encode() in (self.target, *self._schemes(self.origin)):
            return self.origin + path if self._is_below(path or b"/") else None
        return text if origin.encode() == self.portal else None

    def _is_below(self, path: bytes) -> bool:
        """Whether a path of the app's is where the app stands: below its prefix, or relative to where the page is. An
        app that does not know its place would lead into the portal's own pages."""
        if not self.prefix or not path.startswith(b"/"):
            return True
        bare = re.split(rb"[?#]", path, maxsplit=1)[0]
        return bare == self.prefix or bare.startswith(self.prefix + b"/")

    @staticmethod
    def _schemes(origin: bytes) -> tuple[bytes, bytes]:
        """The same host by http and by https: apps take the scheme by which they are spoken to for everybody's, be it
        plain behind a proxy that speaks TLS, or TLS behind a portal on a laptop."""
        host = origin.split(b":", 1)[1]
        return b"http:" + host, b"https:" + host


def build(
    received: Iterable[Header],
    exposure: Exposure,
    hidden: frozenset[bytes] = frozenset(),
    authenticated: bool = True,
) -> list[Header]:
    """Headers for the browser. Cookies named in `hidden` are the gateway's own at the app, and stay there.

    Raises `UpstreamError` for an answer that must not be passed on.
    """
    headers = [(name.lower(), value) for name, value in received]
    _check(headers)
    named = {
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
        if token
    }
    out: list[Header] = []
    for name, value in headers:
        if name in HOP_BY_HOP or name in DROPPED or name in named or name in (b"content-length", b"cache-control"):
            continue
        if name == b"set-cookie":
            cookie = set_cookie(value, exposure.prefix)
            if cookie is not None and cookie.partition(b"=")[0] not in hidden:
                out.append((name, cookie))
        elif name == b"service-worker-allowed" and exposure.prefix:
            continue
        elif name in LEADING:
            led = _led(name, value, exposure)
            if led is not None:
                out.append((name, led))
        elif name in POLICIES:
            policy = without_frame_ancestors(value)
            if policy:
                out.append((name, policy))
        else:
            out.append((name, value))
    out.append((b"content-security-policy", b"frame-ancestors " + (b"'self' " + exposure.portal).strip()))
    out.append((b"cache-control", caching([v for n, v in headers if n == b"cache-control"], authenticated)))
    return out


def _check(headers: list[Header]) -> None:
    if len(headers) > MAX_HEADERS or sum(len(n) + len(v) for n, v in headers) > MAX_BYTES:
        raise UpstreamError("The app's answer has too many headers.")
    lengths = {value.strip() for name, value in headers if name == b"content-length"}
    if len(lengths) > 1 or any(not length.isdigit() for length in lengths):
        raise UpstreamError("The app's answer states two lengths, or one that is none.")
    if lengths and any(name == b"transfer-encoding" for name, _ in headers):
        raise UpstreamError("The app's answer states a length and chunks at once.")
    for name, value in headers:
        if not is_token(name) or value.translate(None, CONTROLS) != value:
            raise UpstreamError("The app's answer has a header that is none.")


def _led(name: bytes, value: bytes, exposure: Exposure) -> bytes | None:
    """The header with its addresses at the app; None to leave it out. A redirect elsewhere is refused as a whole."""
    if name == b"location":
        led = exposure.leads(value)
        if led is None:
            raise UpstreamError(
                f"The app redirects to another place: {value[:200].decode('latin-1')!r}.",
                remedy="It is not followed. Set the app's public address to the one that it has behind the portal.",
            )
        return led
    if name == b"content-location":
        return exposure.leads(value)
    if name == b"refresh":
        found = REFRESH.match(value)
        if found is None or not found[3]:
            return value if re.fullmatch(rb"\s*[\d.]+\s*", value) else None
        led = exposure.leads(found[3])
        return None if led is None else found[1] + found[2] + led + found[4]
    return None if any(exposure.leads(url) is None for url in LINK.findall(value)) else value


def set_cookie(value: bytes, prefix: bytes = b"") -> bytes | None:
    """A cookie of an app's, for the app's own host only: without Domain; None for one that is named like ours.

    With a prefix (path mode) its path is kept below it.
    """
    first, *attributes = value.split(b";")
    name, mark, _ = first.strip().partition(b"=")
    name = name.strip()
    if not mark or not is_token(name) or is_ours(name):
        return None
    kept, path = [], prefix or None
    for attribute in attributes:
        key, _, text = attribute.strip().partition(b"=")
        folded = key.strip().lower()
        if folded == b"domain":
            continue
        if folded == b"path" and prefix:
            wanted = text.strip()
            path = wanted if wanted == prefix or wanted.startswith(prefix + b"/") else prefix
            continue
        kept.append(attribute.strip())
    if path is not None:
        if name.lower().startswith(b"__host-"):
            return None
        kept.append(b"Path=" + path)
    return b"; ".join([first.strip(), *kept])


def without_frame_ancestors(policy: bytes) -> bytes:
    """A content policy without its frame-ancestors: who may frame an app is the portal's to say (CSP 3, 6.4.2)."""
    kept = []
    for one in policy.split(b","):
        directives = [d.strip() for d in one.split(b";")]
        left = [d for d in directives if d and d.split(None, 1)[0].lower() != b"frame-ancestors"]
        if left:
            kept.append(b"; ".join(left))
    return b", ".join(kept)


def caching(values: list[bytes], authenticated: bool) -> bytes:
    """Cache-Control of an answer that one person got: no cache but the browser's own may keep it."""
    directives = [d.strip() for value in values for d in value.split(b",") if d.strip()]
    folded = [(d.split(b"=", 1)[0].strip().lower(), d) for d in directives]
    if any(key == b"no-store" for key, _ in folded) or not folded:
        return b"no-store"
    shared = (b"public", b"private", b"s-maxage", b"proxy-revalidate", b"must-understand", b"surrogate-control")
    kept = [d for key, d in folded if key not in shared]
    return b", ".join([b"private" if authenticated else b"public", *kept])

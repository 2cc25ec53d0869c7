"""What a handler answers, and the one place where headers of every answer are made."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from openlakes_portal._http.sse import Holder
from openlakes_portal.spi import Event

Headers = list[tuple[bytes, bytes]]

API_CSP = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"

STRICTER = {"referrer-policy": "no-referrer"}
"""What an answer may have in the place of ours."""


@dataclass
class Response:
    """A whole answer. Header names are lower case; values must be latin-1 on one line."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)


@dataclass
class StreamResponse:
    """An answer that goes on: each item is sent as soon as it is there, as long as its holder may have it."""

    source: AsyncIterator[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    holder: Holder | None = None


@dataclass
class EventsResponse:
    """Server-Sent Events; `holder` is whose stream it is, None where nobody is signed in."""

    source: AsyncIterator[Event]
    holder: Holder | None
    status: int = 200
    headers: dict[str, str] = field(
        default_factory=lambda: {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
    )


Answer = Response | StreamResponse | EventsResponse


def check_status(status: int) -> None:
    """Raises `ValueError` for what is no status of an answer (RFC 9110, 15): the server ends the process at some."""
    if not 200 <= status <= 599:
        raise ValueError(f"{status} is no status that an answer can have")


def json_response(value: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer."""
    return Response(status, to_json(value), {"content-type": "application/json", **headers})


def attachment(filename: str) -> str:
    """`Content-Disposition` for saving under a name (RFC 6266), whatever is in the name."""
    from urllib.parse import quote

    plain = "".join(c if c.isascii() and (c.isalnum() or c in "._- ") else "_" for c in filename)[:150] or "download"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename[:150], safe='')}"


class HeaderPolicy:
    """Security headers, made once for a deployment."""

    def __init__(self, https: bool) -> None:
        fixed = {
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        }
        if https:
            fixed["strict-transport-security"] = "max-age=31536000; includeSubDomains"
        self._fixed = {name: (name.encode(), value.encode()) for name, value in fixed.items()}
        defaults = {"cache-control": "no-store", "content-security-policy": API_CSP, "vary": "Cookie"}
        self._defaults = {name: (name.encode(), value.encode()) for name, value in defaults.items()}

    def headers(self, given: dict[str, str], request_id: str, cookies: list[str] | None = None) -> Headers:
        """The full list for an answer: its own, defaults where it has none, ours always and once. Nothing that is given
        lets another origin read it (CORS)."""
        stricter = dict(STRICTER.items() & given.items())
        out: Headers = [(b"x-request-id", request_id.encode())]
        out += [pair for name, pair in self._fixed.items() if name not in stricter]
        out += [pair for name, pair in self._defaults.items() if name not in given]
        for name, value in given.items():
            ours = name in self._fixed or name in ("x-request-id", "strict-transport-security")
            if name.startswith("access-control-") or (ours and name not in stricter):
                continue
            if "\r" in value or "\n" in value or "\0" in value:
                raise ValueError(f"header {name} holds a line break")
            out.append((name.encode("latin-1"), value.encode("latin-1", "replace")))
        for cookie in cookies or ():
            out.append((b"set-cookie", cookie.encode("latin-1")))
        return out

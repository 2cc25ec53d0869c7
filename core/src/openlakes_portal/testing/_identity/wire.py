"""What is on the wire of the fake provider: paths, forms, encodings, answers."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import unquote_plus, urlsplit

from openlakes_portal.testing.loopback import Reply
from openlakes_portal.testing.upstream import ReceivedRequest

TokenKind = Literal["id_token", "access_token", "logout_token"]
Change = Callable[[dict[str, Any]], dict[str, Any] | None]
Signer = Callable[[dict[str, Any], dict[str, Any]], str]

TYPE = "urn:ietf:params:oauth:token-type:"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANTS = {"authorization_code": "code", "refresh_token": "refresh", EXCHANGE: "exchange"}
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
PATHS = {
    "/.well-known/openid-configuration": "discovery",
    "/jwks": "jwks",
    "/authorize": "authorize",
    "/token": "token",
    "/userinfo": "userinfo",
    "/end-session": "end_session",
    "/revoke": "revoke",
    "/introspect": "introspect",
}
REPEATABLE = frozenset({"audience", "resource"})
CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
TYPES = {"id_token": "JWT", "access_token": "at+jwt", "logout_token": "logout+jwt"}
COOKIE = "fake_provider_session"


def problem_of(query: Mapping[str, str]) -> tuple[str, str] | None:
    """What is wrong with an authorization request, as its callback is told."""
    if query.get("response_type") != "code":
        return "unsupported_response_type", "nothing but code"
    if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) != 43:
        return "invalid_request", "PKCE with S256 is demanded"
    if "openid" not in query.get("scope", "").split():
        return "invalid_scope", "openid is not among them"
    return None


def check_call(call: str) -> None:
    known = {*PATHS.values(), *GRANTS.values()}
    assert call in known, f"no call {call!r}; there are {', '.join(sorted(known))}"


def is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and parts.hostname in ("127.0.0.1", "localhost", "::1")


def cookie_of(request: ReceivedRequest) -> str:
    pairs = (part.strip().partition("=") for part in request.headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


def basic_of(request: ReceivedRequest) -> tuple[str, str] | None:
    """Client id and secret of client_secret_basic: each form-encoded before they are joined (RFC 6749, 2.3.1)."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except ValueError:
        return None
    return unquote_plus(name), unquote_plus(secret)


def json_reply(value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    return Reply(status, json.dumps(value).encode(), (("content-type", "application/json"), *headers))


def page(text: str, status: int = 400) -> Reply:
    return Reply(status, text.encode(), (("content-type", "text/plain; charset=utf-8"),))


def encoded(value: Mapping[str, Any]) -> str:
    return base64_text(json.dumps(value, separators=(",", ":")).encode())


def base64_text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

"""What a credential of an exchanger must be to be used: what was asked for, and fit for the place where it goes."""

import re
from datetime import timedelta

from openlakes_portal._store.clock import now
from openlakes_portal.spi import PortalToken, Principal, ProviderToken, TokenExchanger, UpstreamCredential

Exchanger = TokenExchanger | PortalToken | ProviderToken
MAX_LIFETIME = timedelta(minutes=10)
TOLERANCE = timedelta(seconds=30)
"""By which a lifetime may be over: it was reckoned a moment ago, perhaps by another clock."""
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""Names of headers and cookies (RFC 9110, 5.6.2; RFC 6265, 4.1.1)."""
FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer"})
"""Headers that say where a message ends and whom it is for."""


def fault_of(credential: object, principal: Principal, audience: str, exchanger: Exchanger) -> str | None:
    """What is wrong with a credential, in words, or None."""
    if not isinstance(credential, UpstreamCredential):
        return f"no UpstreamCredential but {type(credential).__name__}"
    if credential.audience != audience:
        return "a credential for another audience"
    return _wrong_subject(credential, principal, exchanger) or _wrong_lifetime(credential) or _wrong_form(credential)


def _wrong_subject(credential: UpstreamCredential, principal: Principal, exchanger: Exchanger) -> str | None:
    people = (principal.username, principal.subject)
    declared = getattr(exchanger, "acts_as", "user")
    if credential.acts_as == "user":
        return None if credential.subject in people else "a credential for another subject"
    if credential.acts_as != "service":
        return "a credential that does not say whose rights it carries (acts_as)"
    if declared != "service":
        return "a credential for a service account, which it does not declare (acts_as)"
    return "a credential for a service account under the person's name" if credential.subject in people else None


def _wrong_lifetime(credential: UpstreamCredential) -> str | None:
    if credential.expires_at.tzinfo is None:
        return "a credential for a time without a zone"
    moment = now()
    if not moment < credential.expires_at <= moment + MAX_LIFETIME + TOLERANCE:
        return "a credential for a lifetime outside 0 to 10 minutes"
    return None


def _wrong_form(credential: UpstreamCredential) -> str | None:
    value, name = credential.value.get_secret_value(), credential.name
    if not value:
        return "an empty credential"
    if not name and credential.kind in ("header", "cookie", "basic", "database"):
        return "a credential with no name, which its kind needs"
    match credential.kind:
        case "bearer":
            fits = _is_visible(value)
        case "header":
            fits = TOKEN.fullmatch(name) is not None and name.lower() not in FRAMING and _is_line(value)
        case "cookie":
            fits = TOKEN.fullmatch(name) is not None and _is_visible(value) and not set(value) & set(';,"\\')
        case "basic":
            fits = ":" not in name and _is_line(name) and _is_line(value)
        case "database":
            fits = "\0" not in name + value
        case _:
            return f"a credential of the unknown kind {str(credential.kind)[:40]!r}"
    return None if fits else f"a credential that is no {credential.kind} credential"


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _is_line(text: str) -> bool:
    return text.isprintable() and text == text.strip()

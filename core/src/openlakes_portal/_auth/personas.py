"""The five personas of `auth.mode: demo`: one for each role that exists from the start, on loopback only."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from openlakes_portal._rbac.policy import Identity
from openlakes_portal._settings.model import RoleBinding, Settings

DEMO_ISSUER = "urn:openlakes:demo"


@dataclass(frozen=True)
class Persona:
    """Somebody to be in the demo. The id is the role, and the user name by which every system knows them."""

    id: str
    title: str
    name: str
    description: str


PERSONAS = (
    Persona("data-engineer", "Data engineer", "Dana Engel", "Runs SQL on the lakehouse, saves and shares queries."),
    Persona("analytics-engineer", "Analytics engineer", "Amir Aziz", "Runs SQL, saves and shares queries."),
    Persona("bi-analyst", "BI analyst", "Bea Ito", "Asks the tables questions in SQL, charts and exports the answers."),
    Persona("platform-admin", "Platform admin", "Pat Adeyemi", "Sees health, plugins, settings and the audit log."),
    Persona("viewer", "Viewer", "Vic Moreau", "Sees whether everything is well, and changes nothing."),
)


def identity_of(persona: Persona) -> Identity:
    """The identity with which a persona signs in."""
    return Identity(DEMO_ISSUER, persona.id, persona.id, persona.name, f"{persona.id}@demo.openlakes.example")


def demo_bindings() -> tuple[RoleBinding, ...]:
    """Each persona has the role of its name, by issuer and subject so that no other identity gets it."""
    return tuple(RoleBinding(role=p.id, subject=f"{DEMO_ISSUER}#{p.id}") for p in PERSONAS)


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine alone: 127.0.0.0/8, ::1, localhost, *.localhost (RFC 6761)."""
    host = host.strip("[]").lower().rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_demo(settings: Settings) -> str | None:
    """Why the demo mode may not start with these settings, or None."""
    if settings.auth.mode != "demo":
        return None
    public_host = urlsplit(settings.server.public_url).hostname or ""
    if not is_loopback(settings.server.host):
        return f"auth.mode demo listens on loopback only, not on server.host {settings.server.host!r}"
    if not is_loopback(public_host):
        return f"auth.mode demo needs a loopback server.public_url, not {settings.server.public_url!r}"
    foreign = [host for host in settings.server.allowed_hosts if not is_loopback(host.rsplit(":", 1)[0])]
    if foreign:
        return f"auth.mode demo answers loopback hosts only; server.allowed_hosts names {foreign[0]!r}"
    return None

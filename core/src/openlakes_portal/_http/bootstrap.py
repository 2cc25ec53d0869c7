"""What the shell needs to start: the site, who is signed in, and what this person may see. Nothing else is in it."""

from typing import Any

from openlakes_portal import __version__
from openlakes_portal._auth.personas import PERSONAS
from openlakes_portal._auth.sessions import Session
from openlakes_portal._gateway.apps import own_origin
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.portal import Portal
from openlakes_portal._host.registry import may
from openlakes_portal.spi import SECTIONS, Principal


def session_view(session: Session) -> dict[str, Any]:
    """The body of /api/session."""
    principal = session.principal
    return {
        "subject": principal.subject,
        "issuer": principal.issuer,
        "username": principal.username,
        "name": principal.name,
        "email": principal.email,
        "roles": sorted(principal.roles),
        "permissions": sorted(principal.permissions),
        "scoped": [{"filter": grant.filter, "permissions": sorted(grant.permissions)} for grant in principal.scoped],
        "expires_at": session.expires_at,
        "csrf_token": session.csrf_token,
    }


def bootstrap(portal: Portal, session: Session | None) -> dict[str, Any]:
    """The body of /api/bootstrap."""
    settings = portal.settings
    demo = settings.auth.mode == "demo"
    personas = [{"id": p.id, "title": p.title, "name": p.name, "description": p.description} for p in PERSONAS if demo]
    principal = session.principal if session else None
    contributions = portal.registry.contributions if principal else ()
    environment = settings.server.environment or settings.server.title
    return {
        "site": {
            "name": settings.server.title,
            "environment": {"name": environment, "color": settings.server.environment_colour},
            "version": __version__,
            "demo": demo,
        },
        "auth": {
            "mode": settings.auth.mode,
            "login_url": "/auth/login",
            "provider": settings.auth.oidc.title if settings.auth.oidc and not demo else None,
            "personas": personas,
        },
        "session": session_view(session) if session else None,
        "nav": navigation(contributions, principal) if principal else [],
        "apps": app_views(portal, principal) if principal else [],
        "plugins": [plugin_view(c, principal) for c in contributions if not c.builtin] if principal else [],
        "theme": "system",
    }


def navigation(contributions: tuple[Contribution, ...], principal: Principal) -> list[dict[str, Any]]:
    """Lines of the navigation that this person may open, in the order of the journey."""
    entries = [
        {
            "id": f"{c.id}.{entry.page}",
            "section": entry.section,
            "label": entry.label,
            "icon": entry.icon,
            "path": c.page_path(entry.page),
            "order": entry.order,
        }
        for c in contributions
        for entry in c.nav
        if may(principal, entry.access)
    ]
    entries += [
        {
            "id": f"{c.id}.app.{app.id}",
            "section": "Apps",
            "label": app.title,
            "icon": app.icon,
            "path": f"/app/{app.id}",
            "order": app.order,
        }
        for c in contributions
        for app in c.apps
        if may(principal, app.access)
    ]
    entries.sort(key=lambda e: (SECTIONS.index(str(e["section"])), e["order"], e["label"]))
    home = {"id": "core.home", "section": "", "label": "Home", "icon": "home", "path": "/", "order": 0}
    return [home, *entries] if principal.permissions else []


def app_views(portal: Portal, principal: Principal) -> list[dict[str, Any]]:
    """Apps that this person may open, and where each stands for a browser."""
    public = portal.settings.server.public_url
    at_hosts = portal.settings.gateway.mode == "host"
    return [
        {
            "id": app.id,
            "title": app.title,
            "address": own_origin(public, app.id) if at_hosts else f"/apps/{app.id}",
            "permission": app.access.name,
        }
        for c in portal.registry.contributions
        for app in c.apps
        if may(principal, app.access)
    ]


def plugin_view(contribution: Contribution, principal: Principal | None) -> dict[str, Any]:
    """A plugin's pages and slots that this person may see, and where its module is."""
    base = f"/plugins/{contribution.id}/assets/{contribution.asset_hash}/"
    module = contribution.module
    return {
        "id": contribution.id,
        "title": contribution.manifest.title,
        "version": contribution.record.version,
        "module": base + module.entry if module else None,
        "styles": [base + style for style in module.styles] if module else [],
        "pages": [
            {
                "id": page.id,
                "path": contribution.page_path(page.id),
                "title": page.title,
                "subtitle": page.subtitle,
                "kind": "module" if page.export else "declared",
                "export": page.export,
                "full_bleed": page.full_bleed,
            }
            for page in contribution.pages
            if may(principal, page.access)
        ],
        "slots": [
            {
                "slot": slot.slot,
                "id": slot.id,
                "title": slot.title,
                "kind": "module" if slot.export else "declared",
                "export": slot.export,
                "order": slot.order,
            }
            for slot in contribution.slots
            if may(principal, slot.access) and (not slot.roles or (principal and set(slot.roles) & principal.roles))
        ],
    }

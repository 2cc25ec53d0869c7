"""Raw ASGI routes of plugins: authorised before, without credentials, and with clean headers on the way out."""

import re
from typing import Any

from starlette.types import Message, Send

from openlakes_portal._audit.record import Entry
from openlakes_portal._auth.guard import SAFE_METHODS
from openlakes_portal._host.journal import Attributed
from openlakes_portal._host.portal import Portal
from openlakes_portal._http.request import HIDDEN_HEADERS, HttpRequest
from openlakes_portal._http.response import check_status
from openlakes_portal._http.routing import BoundAsgi

CLEAN = re.compile(rb"^[\t\x20-\x7e\x80-\xff]*$")
HIDDEN = frozenset(name.encode() for name in HIDDEN_HEADERS)


async def call_asgi(portal: Portal, bound: BoundAsgi, request: HttpRequest, path: str, send: Send) -> None:
    """Serve a request by the plugin's own application; a mutation is on record like that of any route."""
    request.plugin_id, request.template = bound.plugin_id, bound.template
    principal = request.session.principal if request.session else None
    scope: dict[str, Any] = {
        **request.scope,
        "root_path": bound.template,
        "path": path,
        "headers": [(k, v) for k, v in request.scope["headers"] if k.lower() not in HIDDEN],
        "openlakes.principal": principal,
    }
    status = 500

    async def clean(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            check_status(message["status"])
            status = message["status"]
            headers = [
                (k, v)
                for k, v in message.get("headers", ())
                if k.lower() != b"set-cookie" and CLEAN.match(v) and re.fullmatch(rb"[A-Za-z0-9-]+", k)
            ]
            message = {**message, "headers": headers}
        await send(message)

    audited = request.scope["method"] not in SAFE_METHODS
    entry = Entry(f"{bound.plugin_id}.{bound.route.path}", request.id, principal, path, request.address)
    if audited:
        await portal.audit.write(entry, "intent", "started")
    try:
        await Attributed(_run(bound, scope, request, clean), portal.journal, bound.label)
    finally:
        if audited:
            await portal.audit.write(entry, "outcome", f"status {status}")


async def _run(bound: BoundAsgi, scope: Any, request: HttpRequest, send: Send) -> None:
    await bound.route.app(scope, request._receive, send)

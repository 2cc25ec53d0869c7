"""What a refusal says besides no: which permission is missing, which rule said so, and who can grant it."""

from typing import Any

import structlog

from openlakes_portal._host.portal import Portal
from openlakes_portal._http.request import HttpRequest
from openlakes_portal.spi import NotAllowed, PortalError

log = structlog.get_logger("http")


class Denials:
    """Explains refusals."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def of(self, request: HttpRequest, error: PortalError) -> dict[str, Any]:
        """Members for the problem; none where it is no refusal for want of a permission. A failing explanation does
        not change the refusal."""
        if not isinstance(error, NotAllowed) or error.permission is None:
            return {}
        members: dict[str, Any] = {"permission": error.permission}
        if error.resource is not None:
            members["resource"] = error.resource
        if request.session is None:
            return members
        principal = request.session.principal
        try:
            decision = await self._portal.decisions.decide(principal, error.permission, error.resource)
            members["decided_by"] = decision.decided_by if not decision.allowed else f"plugin {request.plugin_id}"
            if not decision.allowed and decision.chain:
                members["reason"] = decision.chain[-1].detail
            found = await self._portal.grantors.of(error.permission, error.resource)
            members["grantors"] = [{"kind": g.kind, "name": g.name, "username": g.username} for g in found]
        except Exception as failure:
            log.error("a refusal could not be explained", permission=error.permission, error=repr(failure))
        return members

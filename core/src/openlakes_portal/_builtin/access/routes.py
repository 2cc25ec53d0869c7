"""All routes of access."""

from typing import TYPE_CHECKING

from openlakes_portal._builtin.access.bindings import binding_routes
from openlakes_portal._builtin.access.explain import explain_routes
from openlakes_portal._builtin.access.people import people_routes
from openlakes_portal._builtin.access.requests import request_routes
from openlakes_portal._builtin.access.roles import role_routes
from openlakes_portal._builtin.access.service_accounts import service_account_routes
from openlakes_portal.spi import Route

if TYPE_CHECKING:
    from openlakes_portal._host.portal import Portal


def access_routes(portal: "Portal") -> list[Route]:
    """Below /api."""
    return [
        *role_routes(portal),
        *binding_routes(portal),
        *explain_routes(portal),
        *people_routes(portal),
        *request_routes(portal),
        *service_account_routes(portal),
    ]

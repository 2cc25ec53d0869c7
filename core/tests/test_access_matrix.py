"""Every role against every route of the OpenAPI: what is not granted is refused (D28), the same for HEAD (D35)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from openlakes_portal._host.discovery import Candidate
from openlakes_portal.spi import ROLES
from openlakes_portal.testing import portal_for

WritePlugin = Callable[..., Candidate]

PLUGIN = """
WRITE = Permission("acme:thing:write", "Change things", roles=("data-engineer",))
@hookimpl
def register_permissions(context):
    return [READ, WRITE]
@hookimpl
def register_routes(context):
    async def things(request: Request) -> list[str]:
        return []
    async def change(request: Request) -> None:
        return None
    async def open_to_all(request: Request) -> str:
        return "x"
    return [
        Route("GET", "things", things, access=READ),
        Route("POST", "things/{id}", change, access=WRITE),
        Route("GET", "open", open_to_all, access=Public("a test")),
    ]
"""

GRANTED = {
    "core:health:read": set(ROLES),
    "core:plugin:read": {"platform-admin"},
    "core:setting:read": {"platform-admin"},
    "core:audit:read": {"platform-admin"},
    "core:metrics:read": {"platform-admin"},
    "core:access:read": {"platform-admin"},
    "core:access:manage": {"platform-admin"},
    "core:session:manage": {"platform-admin"},
    "core:token:manage": {"platform-admin"},
    "core:service-account:manage": {"platform-admin"},
    "acme:thing:read": {"platform-admin", "viewer", "data-engineer"},
    "acme:thing:write": {"platform-admin", "data-engineer"},
}
"""The table that is signed off: which role holds which permission from the start."""

STREAMS = {"/api/components/events"}
UNSAFE_TO_CALL = {"/auth/demo", "/auth/logout"}


async def test_every_role_on_every_route_is_allowed_or_refused_as_signed_off(
    tmp_path: Path, url: str, write_plugin: WritePlugin
) -> None:
    async with portal_for(tmp_path / "portal", {"database": {"url": url}}, [write_plugin("acme", PLUGIN)]) as portal:
        described: dict[str, Any] = (await portal.anonymous.get("/api/openapi.json")).json()
        checked = 0
        for path, operations in described["paths"].items():
            if path in UNSAFE_TO_CALL:
                continue
            for method, operation in operations.items():
                url = path.replace("{", "").replace("}", "")
                assert "x-permission" in operation or operation["x-public"], f"{method} {path} does not say who may"
                for role in (None, *ROLES):
                    client = portal.signed_in(role) if role else portal.anonymous
                    if path in STREAMS and (role is None or role in GRANTED[operation["x-permission"]]):
                        continue
                    answer = await client.request(method.upper(), url, json={} if method != "get" else None)
                    expected_refusal = _refusal(operation, role)
                    if path == "/metrics":
                        expected_refusal = None  # loopback is a trusted address
                    if expected_refusal:
                        assert answer.status_code == expected_refusal, f"{role} {method} {path}"
                    elif path != "/api/session":
                        assert answer.status_code not in (401, 403), f"{role} {method} {path}: {answer.text[:200]}"
                    if method == "get":
                        head = await client.request("HEAD", url)
                        assert head.status_code == answer.status_code, f"HEAD {path}"
                    checked += 1
        assert checked > 100


def _refusal(operation: dict[str, Any], role: str | None) -> int | None:
    if "x-public" in operation:
        return None
    if role is None:
        return 401
    permission = operation["x-permission"]
    return None if permission is None or role in GRANTED[permission] else 403


async def test_the_permissions_that_exist_are_those_of_the_table(
    tmp_path: Path, url: str, write_plugin: WritePlugin
) -> None:
    async with portal_for(tmp_path / "portal", {"database": {"url": url}}, [write_plugin("acme", PLUGIN)]) as portal:
        policy = portal.app.portal.registry.policy
        held = {p: {role for role, names in policy.roles.items() if p in names} for p in policy.permissions}
        assert held == GRANTED


async def test_variants_of_an_address_are_not_another_way_in(
    tmp_path: Path, url: str, write_plugin: WritePlugin
) -> None:
    async with portal_for(tmp_path / "portal", {"database": {"url": url}}, [write_plugin("acme", PLUGIN)]) as portal:
        analyst = portal.signed_in("bi-analyst")
        for variant in ("things/", "Things", "things.json", "THINGS", "things;x=1", "things%20"):
            answer = await analyst.get(f"/api/plugins/acme/{variant}")
            assert answer.status_code in (400, 403, 404), variant

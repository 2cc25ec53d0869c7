"""The whole house: every role on every route of core and of every plugin, against the table that is signed off in
access_matrix.txt. A change of who may do what is a change of that file, and so seen in review.

`OPENLAKES_WRITE_MATRIX=1 pytest tests/test_access_matrix.py` writes the table again.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal.spi import ROLES
from openlakes_portal.testing import PortalUnderTest, portal_for

TABLE = Path(__file__).with_name("access_matrix.txt")
ASKERS = ("nobody", *ROLES)
NOT_CALLED = {"/auth/demo", "/auth/logout", "/api/components/events"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """Core with every plugin that is installed beside it."""
    async with portal_for(tmp_path / "portal") as running:
        yield running


async def described(house: PortalUnderTest) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation."""
    openapi: dict[str, Any] = (await house.anonymous.get("/api/openapi.json")).json()
    found = [(m.upper(), path, o) for path, methods in openapi["paths"].items() for m, o in methods.items()]
    return sorted(found, key=lambda item: (item[1], item[0]))


def allowed(house: PortalUnderTest, operation: dict[str, Any]) -> str:
    """Who may, as a column for each asker: + or -."""
    policy = house.app.portal.registry.policy
    if "x-public" in operation:
        return "+" * len(ASKERS)
    permission = operation["x-permission"]
    holders = [permission is None or permission in policy.roles[role] for role in ROLES]
    return "-" + "".join("+" if held else "-" for held in holders)


async def test_who_may_do_what_is_what_was_signed_off(house: PortalUnderTest) -> None:
    lines = ["# " + " ".join(ASKERS)]
    lines += [f"{allowed(house, o)} {method:6} {path}" for method, path, o in await described(house)]
    text = "\n".join(lines) + "\n"
    if os.environ.get("OPENLAKES_WRITE_MATRIX"):
        TABLE.write_text(text)
    assert text.splitlines()[1:] == here(house)


def here(house: PortalUnderTest) -> list[str]:
    """Lines of the signed table, less those of plugins that are not installed."""
    installed = {c.id for c in house.app.portal.registry.contributions}
    lines = TABLE.read_text().splitlines()[1:]
    return [line for line in lines if (plugin := _plugin(line.split()[2])) is None or plugin in installed]


def _plugin(path: str) -> str | None:
    return path.split("/")[3] if path.startswith("/api/plugins/") else None


async def test_every_route_answers_each_asker_as_signed_off(house: PortalUnderTest) -> None:
    signed = {tuple(line.split()[1:]): line.split()[0] for line in here(house)}
    checked = 0
    for method, path, _ in await described(house):
        if path in NOT_CALLED:
            continue
        url = path.replace("{", "").replace("}", "")
        for asker, mark in zip(ASKERS, signed[(method, path)], strict=True):
            client = house.anonymous if asker == "nobody" else house.signed_in(asker)
            answer = await client.request(method, url, json={} if method in ("POST", "PUT", "PATCH") else None)
            if path in ("/api/session", "/metrics"):
                continue  # one says 401 for nobody by its contract, the other trusts loopback
            refused = answer.status_code in (401, 403)
            assert refused == (mark == "-"), f"{asker} {method} {path}: {answer.status_code}"
            checked += 1
    assert checked > 200

"""The whole house: every role on every route, action and app of core and of every plugin, against the table that is
signed off in access_matrix.txt. A change of who may do what is a change of that file, and so seen in review.

Each plugin is configured, with servers that do not answer: what it offers only then is in the table, too.

`OPENLAKES_WRITE_MATRIX=1 pytest tests/test_access_matrix.py` writes the table again.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._host.discovery import discover
from openlakes_portal.spi import ROLES
from openlakes_portal.testing import PortalUnderTest, portal_for

TABLE = Path(__file__).with_name("access_matrix.txt")
ASKERS = ("nobody", *ROLES)
NOT_CALLED = {"/auth/demo", "/auth/logout", "/api/components/events"}
NOBODY_ANSWERS = "http://127.0.0.1:9"
CONFIGURED: dict[str, dict[str, Any]] = {
    "airflow_dbt": {"address": NOBODY_ANSWERS},
    "observability": {"prometheus": {"address": NOBODY_ANSWERS}, "alertmanager": {"address": NOBODY_ANSWERS}},
    "superset": {"address": NOBODY_ANSWERS},
    "trino": {"trino": {"address": NOBODY_ANSWERS, "audience": "trino", "web_page": True}},
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """Core with every plugin that is installed beside it."""
    installed = {candidate.id for candidate in discover()}
    assert installed <= {*CONFIGURED, "stack"}, "a new plugin is configured here, so that all of it is looked at"
    stack = {"folder": str(tmp_path / "stack"), "components": {}}
    plugins = {id: settings for id, settings in {**CONFIGURED, "stack": stack}.items() if id in installed}
    async with portal_for(tmp_path / "portal", {"plugins": plugins}) as running:
        yield running


async def described(house: PortalUnderTest) -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of every operation."""
    openapi: dict[str, Any] = (await house.anonymous.get("/api/openapi.json")).json()
    found = [(m.upper(), path, o) for path, methods in openapi["paths"].items() for m, o in methods.items()]
    return sorted(found, key=lambda item: (item[1], item[0]))


def allowed(house: PortalUnderTest, permission: str | None) -> str:
    """Who may, as a column for each asker: + or -. None: everybody who is signed in."""
    roles = house.app.portal.registry.policy.roles
    return "-" + "".join("+" if permission is None or permission in roles[role] else "-" for role in ROLES)


async def table(house: PortalUnderTest) -> list[str]:
    """A line for each route, for each action (`RUN`) and for each app (`OPEN`)."""
    public = "+" * len(ASKERS)
    routes = [
        f"{public if 'x-public' in o else allowed(house, o['x-permission'])} {method:6} {path}"
        for method, path, o in await described(house)
    ]
    contributions = house.app.portal.registry.contributions
    actions = sorted((f"{c.id}.{action.id}", action.access.name) for c in contributions for action in c.actions)
    apps = sorted((f"/app/{app.id}", app.access.name) for c in contributions for app in c.apps)
    return [
        *routes,
        *(f"{allowed(house, permission)} RUN    {id}" for id, permission in actions),
        *(f"{allowed(house, permission)} OPEN   {path}" for path, permission in apps),
    ]


async def test_who_may_do_what_is_what_was_signed_off(house: PortalUnderTest) -> None:
    lines = await table(house)
    if os.environ.get("OPENLAKES_WRITE_MATRIX"):
        TABLE.write_text("\n".join(["# " + " ".join(ASKERS), *lines]) + "\n")
    assert lines == here(house)


def here(house: PortalUnderTest) -> list[str]:
    """Lines of the signed table, less those of plugins that are not installed."""
    contributions = house.app.portal.registry.contributions
    installed, apps = {c.id for c in contributions}, {f"/app/{app.id}" for c in contributions for app in c.apps}
    lines = TABLE.read_text().splitlines()[1:]
    return [line for line in lines if _is_here(line, installed, apps)]


def _is_here(line: str, installed: set[str], apps: set[str]) -> bool:
    _, kind, name = line.split()
    if kind == "OPEN":
        return name in apps
    if kind == "RUN":
        return name.partition(".")[0] in installed
    return not name.startswith("/api/plugins/") or name.split("/")[3] in installed


async def test_every_route_answers_each_asker_as_signed_off(house: PortalUnderTest) -> None:
    checked = 0
    for line in here(house):
        marks, method, path = line.split()
        if method == "OPEN" or path in NOT_CALLED:
            continue  # tests of the gateway ask apps, which are on hosts of their own
        if method == "RUN":
            method, path = "POST", f"/api/actions/{path}"
        url = path.replace("{", "").replace("}", "")
        for asker, mark in zip(ASKERS, marks, strict=True):
            client = house.anonymous if asker == "nobody" else house.signed_in(asker)
            answer = await client.request(method, url, json={} if method in ("POST", "PUT", "PATCH") else None)
            if path in ("/api/session", "/metrics"):
                continue  # one says 401 for nobody by its contract, the other trusts loopback
            refused = answer.status_code in (401, 403)
            assert refused == (mark == "-"), f"{asker} {method} {path}: {answer.status_code}"
            checked += 1
    assert checked > 200


async def test_apps_are_offered_to_whom_they_are_signed_off(house: PortalUnderTest) -> None:
    lines = [line.split() for line in here(house)]
    for place, role in enumerate(ROLES, start=1):
        start = (await house.signed_in(role).get("/api/bootstrap")).json()
        signed = {path.removeprefix("/app/") for marks, kind, path in lines if kind == "OPEN" and marks[place] == "+"}
        assert {app["id"] for app in start["apps"]} == signed, role

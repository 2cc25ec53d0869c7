"""D32: nothing that one is shown, by list, filter, order, count or search, depends on what others have."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from openlakes_portal.testing import PortalUnderTest, SignedIn

from .conftest import bind, enter, someone

API = "/api/plugins/acme"
LISTS = ("/api/tokens", "/api/sessions", "/api/access/requests", "/api/access/mine", f"{API}/schemas")
FILTERS = (
    "",
    "?limit=1",
    "?limit=200",
    "?username=bob",
    "?all=true",
    "?username=bob&all=true",
    "?state=open",
    "?box=inbox",
    "?sort=username",
    "?order=desc",
    "?q=bob",
    "?count=true",
    "?cursor=zzzz",
)
ASKED = (
    *(f"{path}{query}" for path in LISTS for query in FILTERS),
    "/api/bootstrap",
    "/api/session",
    "/api/actions",
    "/api/search?q=bob",
    "/api/search?q=secret",
    "/api/search?q=payroll",
    "/api/access/permissions",
    "/api/access/page?path=/admin/users",
    "/api/access/explain?permission=acme:secret:read&subject=bob",
    "/api/access/explain?permission=acme:thing:read",
    "/api/users?limit=1",
    "/api/users?q=bob",
    "/api/users/bob",
    "/api/users/nobody",
    "/api/service-accounts/robot",
    "/api/service-accounts/nothing",
    "/api/roles/ours",
    "/api/roles/nothing",
    "/api/audit?actor=bob",
    "/api/audit?limit=1",
    f"{API}/hidden/payroll",
    f"{API}/hidden/nothing",
)
CHANGES = re.compile(r'"(?:request_id|seen_at|last_used_at)":"[^"]*"')


async def shown(client: SignedIn) -> dict[str, tuple[int, str]]:
    """All that somebody is told, less what is another with each request."""
    found = {}
    for path in ASKED:
        answer = await client.get(path)
        found[path] = (answer.status_code, CHANGES.sub("", answer.text))
    return found


async def ask_for_access(client: SignedIn) -> None:
    request = {"permission": "acme:secret:read", "purpose": "secret", "duration": 3600}
    assert (await client.post("/api/access/requests", json=request)).status_code == 201


async def make_token(client: SignedIn, name: str) -> None:
    ends = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body: dict[str, Any] = {"name": name, "permissions": ["acme:thing:read"], "expires_at": ends}
    made = await client.post("/api/tokens", json=body)
    assert made.status_code == 201, made.text


async def test_what_others_have_changes_nothing_that_one_is_shown(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await admin.session()
    anna = await enter(house, someone("anna"))
    for name in ("anna", "bob", "bea"):
        await bind(admin, "acme:thing:read", subject=name)
    await bind(admin, "acme:table:read", subject="anna", resource="catalog=lakehouse/schema=nyc_*")
    await make_token(anna, "mine")
    await ask_for_access(anna)
    before, seen = await shown(anna), await shown(admin)
    assert before["/api/tokens"][0] == before["/api/access/requests"][0] == before["/api/sessions"][0] == 200
    assert json.loads(before[f"{API}/schemas"][1]) == ["nyc_taxi", "nyc_bikes"]

    bob, bea = await enter(house, someone("bob", "secret-group")), await enter(house, someone("bea"))
    for number, person in enumerate((bob, bob, bea)):
        await make_token(person, f"secret {number}")
    for person in (bob, bea):
        await ask_for_access(person)
    await enter(house, someone("bob", "secret-group"))
    account = {"name": "robot", "description": "secret"}
    assert (await admin.post("/api/service-accounts", json=account)).status_code == 201
    role = {"name": "ours", "description": "secret", "permissions": ["acme:thing:read"]}
    assert (await admin.post("/api/roles", json=role)).status_code == 201
    await bind(admin, "acme:secret:read", subject="bob")
    await bind(admin, "acme:table:read", subject="bob", resource="catalog=lakehouse/schema=payroll")

    after = await shown(anna)
    assert {path: (before[path], after[path]) for path in ASKED if before[path] != after[path]} == {}
    for there, absent in (
        ("/api/users/bob", "/api/users/nobody"),
        ("/api/service-accounts/robot", "/api/service-accounts/nothing"),
        ("/api/roles/ours", "/api/roles/nothing"),
        (f"{API}/hidden/payroll", f"{API}/hidden/nothing"),
    ):
        assert after[there] == after[absent], there
    changed = {path for path, told in (await shown(admin)).items() if told != seen[path]}
    assert {"/api/users/bob", "/api/roles/ours", "/api/tokens?all=true", "/api/audit?limit=1"} <= changed, "the control"

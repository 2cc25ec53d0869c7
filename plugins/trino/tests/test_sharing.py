"""Saved queries that are shared with a group or with somebody: the same decision in lists, search and by address."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from openlakes_portal.testing import PortalUnderTest, SignedIn, candidate_for, portal_for
from openlakes_portal_trino import plugin

SAVED = "/api/plugins/trino/saved-queries"


@pytest_asyncio.fixture
async def here(tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """A portal with this plugin alone and no engine: saved queries need none."""
    async with portal_for(tmp_path / "portal", None, [candidate_for("trino", plugin)]) as portal:
        yield portal


async def save(client: SignedIn, name: str) -> str:
    """A saved query; its address."""
    answer = await client.post(SAVED, json={"name": name, "sql": "SELECT 1"})
    assert answer.status_code == 201, answer.text
    return f"{SAVED}/{answer.json()['id']}"


async def names(client: SignedIn) -> list[tuple[str, str]]:
    """What a person's list holds."""
    return [(query["name"], query["origin"]) for query in (await client.get(SAVED)).json()["items"]]


def same(answer: Any) -> dict[str, Any]:
    """A problem without its number."""
    return {**answer.json(), "request_id": ""}


async def test_a_query_is_shared_with_one_person_and_taken_back(here: PortalUnderTest) -> None:
    owner, reader, other = (here.signed_in(p) for p in ("data-engineer", "bi-analyst", "analytics-engineer"))
    address, secret = await save(owner, "Trips"), await save(owner, "Salaries")
    assert await names(reader) == []
    shared = await owner.post(f"{address}/shares", json={"subject": "bi-analyst"})
    assert shared.status_code == 201, shared.text
    assert (await owner.post(f"{address}/shares", json={"subject": "bi-analyst"})).status_code == 409
    assert await names(reader) == [("Trips", "shared")]
    assert (await reader.get(address)).json()["owner"] == "data-engineer"
    assert await names(other) == []
    absent = await other.get(f"{SAVED}/none")
    for foreign in (await other.get(address), await reader.get(secret), await other.get(f"{address}/shares")):
        assert foreign.status_code == 404
        assert same(foreign) == same(absent), "what is foreign looks absent"
    for try_it in (
        await reader.patch(address, json={"name": "x"}),
        await reader.delete(address),
        await reader.get(f"{address}/shares"),
        await reader.post(f"{address}/shares", json={"subject": "viewer"}),
    ):
        assert try_it.status_code == 403, "reading is not changing"
    listed = (await owner.get(f"{address}/shares")).json()["items"]
    assert [(share["subject"], share["name"]) for share in listed] == [("bi-analyst", "Bea Ito")]
    assert (await owner.delete(f"{secret}/shares/{listed[0]['id']}")).status_code == 404, "of another query"
    assert (await owner.delete(f"{address}/shares/{listed[0]['id']}")).status_code == 204
    assert await names(reader) == []
    assert (await reader.get(address)).status_code == 404


async def test_what_is_shared_is_explained_and_ends_with_the_query(here: PortalUnderTest) -> None:
    owner, reader, admin = (here.signed_in(p) for p in ("data-engineer", "bi-analyst", "platform-admin"))
    address = await save(owner, "Trips")
    await reader.session()
    end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await owner.post(f"{address}/shares", json={"subject": "bi-analyst", "expires_at": end})
    query = {
        "subject": "bi-analyst",
        "permission": "trino:saved-query:read",
        "resource": f"saved-query={address.rpartition('/')[2]}",
    }
    explained = (await admin.get("/api/access/explain", params=query)).json()
    assert explained["allowed"] is True
    assert "shared by data-engineer" in explained["chain"][0]["detail"]
    assert explained["grantors"][0] == {"kind": "owner", "name": "Dana Engel", "username": "data-engineer"}
    bindings = (await admin.get("/api/role-bindings?role=trino:saved-query:read")).json()["items"]
    assert [(b["origin"], b["subject"]) for b in bindings] == [("share", "bi-analyst")]
    assert await names(admin) == [], "who may read all finds in the list what is meant for them"
    assert (await admin.get(address)).status_code == 200
    assert (await owner.delete(address)).status_code == 204
    assert (await admin.get("/api/role-bindings?role=trino:saved-query:read")).json()["items"] == []


async def test_who_is_not_shown_a_query_asks_its_owner(here: PortalUnderTest) -> None:
    owner, reader = here.signed_in("data-engineer"), here.signed_in("bi-analyst")
    address = await save(owner, "Trips")
    resource = f"saved-query={address.rpartition('/')[2]}"
    asked = {"permission": "trino:saved-query:read", "resource": resource, "purpose": "the report", "duration": 3600}
    made = await reader.post("/api/access/requests", json=asked)
    assert made.status_code == 201, made.text
    decision = {"decision": "grant", "reason": "yes"}
    path = f"/api/access/requests/{made.json()['id']}/decision"
    assert (await reader.post(path, json=decision)).status_code == 403
    assert (await here.signed_in("analytics-engineer").post(path, json=decision)).status_code == 404
    assert (await owner.post(path, json=decision)).status_code == 200
    assert await names(reader) == [("Trips", "shared")]


async def test_what_is_handed_over_is_the_new_owners(here: PortalUnderTest) -> None:
    owner, heir, admin = (here.signed_in(p) for p in ("data-engineer", "bi-analyst", "platform-admin"))
    address = await save(owner, "Trips")
    await heir.session()
    handed = await admin.post("/api/users/data-engineer/hand-over", json={"to": "bi-analyst"})
    assert handed.json()["moved"] == 1
    assert await names(owner) == []
    assert await names(heir) == [("Trips", "own")]
    assert (await heir.get(address)).json()["owner"] == "bi-analyst"

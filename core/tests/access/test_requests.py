"""Asking for access: who sees a request, who decides, what a grant gives, and that it ends by itself."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from openlakes_portal.testing import PortalUnderTest, SignedIn

from .conftest import OpenHouse, bind, enter, someone

API = "/api/plugins/acme"
ASKED = {"permission": "acme:secret:read", "purpose": "the audit of May", "duration": 3600}
OWNED = """
@hookimpl
def register_deciders(context):
    async def nothing(question):
        return None
    async def owner(resource):
        return {"catalog=lakehouse/schema=nyc_taxi": "https://idp.example#sub-olga"}.get(resource)
    return [Decider("owners", nothing, owner=owner, cache_seconds=0)]
"""


async def ask(client: SignedIn, **changes: Any) -> dict[str, Any]:
    """Make a request."""
    answer = await client.post("/api/access/requests", json={**ASKED, **changes})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def decide(client: SignedIn, request: dict[str, Any], how: str = "", **body: Any) -> Any:
    """Decide one."""
    sent = {"decision": "grant", "reason": "fine", **body}
    return await client.post(f"/api/access/requests/{request['id']}/decision{how}", json=sent)


async def test_a_granted_request_is_in_force_everywhere_and_ends_by_itself(open_house: OpenHouse) -> None:
    here, there = await open_house(), await open_house()
    admin = here.signed_in("platform-admin")
    await admin.session()
    anna = await enter(here, someone("anna"))
    twin = there.anonymous
    twin._headers = dict(anna._headers)
    made = await ask(anna)
    assert (made["state"], made["mine"], made["may_decide"]) == ("open", True, False)
    assert any(grantor["username"] == "platform-admin" for grantor in made["grantors"])
    inbox = (await admin.get("/api/access/requests?box=inbox&state=open")).json()["items"]
    assert [(r["id"], r["purpose"], r["may_decide"]) for r in inbox] == [(made["id"], ASKED["purpose"], True)]
    tried = (await decide(admin, made, "?dry_run=true")).json()
    gains = tried["preview"]["effects"]
    assert [(e["username"], e["gains"]) for e in gains] == [
        ("anna", [{"permission": "acme:secret:read", "resource": None}])
    ]
    assert (await anna.get(f"{API}/secret")).status_code == 403, "a trial gives nothing"
    end = datetime.now(UTC) + timedelta(seconds=2.5)
    started = time.monotonic()
    done = (await decide(admin, made, reason="for the audit", expires_at=end.isoformat())).json()["request"]
    assert (done["state"], done["decision_reason"], done["decided_by_name"]) == (
        "granted",
        "for the audit",
        "Pat Adeyemi",
    )
    assert datetime.fromisoformat(done["expires_at"]) == end
    assert (await anna.get(f"{API}/secret")).status_code == 200
    while (await twin.get(f"{API}/secret")).status_code != 200:
        assert time.monotonic() - started < 1
        await asyncio.sleep(0.01)
    binding = (await admin.get(f"/api/role-bindings/{done['binding_id']}")).json()
    assert (binding["origin"], binding["role"], binding["kind"]) == ("request", "acme:secret:read", "permission")
    for client in (anna, twin):
        while (await client.get(f"{API}/secret")).status_code != 403:
            assert datetime.now(UTC) - end < timedelta(seconds=1)
            await asyncio.sleep(0.01)
    assert datetime.now(UTC) >= end
    assert (await decide(admin, made)).status_code == 409, "decided is decided"


async def test_without_an_end_in_the_decision_the_one_asked_for_counts(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    anna = await enter(house, someone("anna"))
    done = (await decide(admin, await ask(anna))).json()["request"]
    length = datetime.fromisoformat(done["expires_at"]) - datetime.fromisoformat(done["decided_at"])
    assert length == timedelta(seconds=3600)


async def test_a_refused_request_gives_nothing(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    anna = await enter(house, someone("anna"))
    made = await ask(anna)
    done = await decide(admin, made, decision="refuse", reason="not needed")
    assert (done.json()["request"]["state"], done.json()["preview"]["affected"]) == ("refused", 0)
    assert (await anna.get(f"{API}/secret")).status_code == 403
    seen = (await anna.get(f"/api/access/requests/{made['id']}")).json()
    assert (seen["state"], seen["decision_reason"]) == ("refused", "not needed")


async def test_nobody_decides_their_own(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    anna = await enter(house, someone("anna"))
    await bind(admin, "core:access:manage", subject="anna")
    made = await ask(anna)
    assert (await anna.get("/api/access/requests?box=inbox")).json()["items"] == []
    assert (await decide(anna, made)).status_code == 403
    assert (await decide(anna, made, "?dry_run=true")).status_code == 403
    assert (await anna.get(f"{API}/secret")).status_code == 403
    assert (await decide(admin, made)).status_code == 200


async def test_foreign_requests_look_absent(house: PortalUnderTest) -> None:
    """D29, D32."""
    anna, bea = await enter(house, someone("anna")), await enter(house, someone("bea"))
    made = await ask(anna)
    path = f"/api/access/requests/{made['id']}"
    assert (await anna.get(path)).status_code == 200
    for suffix, method in (("", "GET"), ("", "DELETE"), ("/decision", "POST")):
        sent = {"json": {"decision": "grant", "reason": "r"}} if method == "POST" else {}
        foreign = await bea.request(method, path + suffix, **sent)
        absent = await bea.request(method, f"/api/access/requests/nothing{suffix}", **sent)
        assert foreign.status_code == absent.status_code == 404
        assert {**foreign.json(), "request_id": ""} == {**absent.json(), "request_id": ""}
    await ask(bea)
    for query in ("", "?box=inbox", "?limit=1", "?state=open", f"?cursor={made['id']}"):
        answer = (await bea.get(f"/api/access/requests{query}")).json()
        assert all(item["mine"] for item in answer["items"])
        assert answer["next_cursor"] is None, "nothing hidden is counted"


async def test_the_owner_of_a_thing_decides_about_it_and_nothing_else(open_house: OpenHouse) -> None:
    house = await open_house(OWNED)
    olga, anna = await enter(house, someone("olga")), await enter(house, someone("anna"))
    hers = {"permission": "acme:table:read", "resource": "catalog=lakehouse/schema=nyc_taxi"}
    made = await ask(anna, **hers)
    assert made["grantors"][0] == {"kind": "owner", "name": "its owner", "username": None}
    for other in (
        {**hers, "resource": "catalog=lakehouse/schema=payroll"},
        {**hers, "resource": "catalog=lakehouse/schema=*"},
        {},
    ):
        foreign = await ask(anna, **other)
        assert (await decide(olga, foreign)).status_code == 404
    for resource in (hers["resource"], "catalog=lakehouse/schema=no-such"):
        query = {"permission": "acme:table:read", "resource": resource}
        explained = (await anna.get("/api/access/explain", params=query)).json()
        assert explained["grantors"][0]["name"] == "its owner", "it does not tell whether the thing is there"
    explained = (await house.signed_in("platform-admin").get("/api/access/explain", params=hers)).json()
    assert explained["grantors"][0] == {"kind": "owner", "name": "Olga", "username": "olga"}
    inbox = (await olga.get("/api/access/requests?box=inbox&limit=1")).json()
    assert ([r["id"] for r in inbox["items"]], inbox["next_cursor"]) == ([made["id"]], None)
    assert (await anna.get(f"{API}/tables/nyc_taxi")).status_code == 403
    assert (await decide(olga, made)).status_code == 200
    assert (await anna.get(f"{API}/tables/nyc_taxi")).status_code == 200
    assert (await anna.get(f"{API}/tables/payroll")).status_code == 403
    own = await ask(olga, **hers)
    assert (await decide(olga, own)).status_code == 403, "not even of what is hers"


async def test_a_request_is_withdrawn_and_not_made_twice(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    anna = await enter(house, someone("anna"))
    made = await ask(anna)
    assert (await anna.post("/api/access/requests", json=ASKED)).status_code == 409
    assert (await anna.delete(f"/api/access/requests/{made['id']}")).json()["state"] == "withdrawn"
    assert (await decide(admin, made)).status_code == 409
    assert (await anna.get(f"{API}/secret")).status_code == 403
    await ask(anna)
    held = {**ASKED, "permission": "core:health:read"}
    await bind(admin, "viewer", subject="anna")
    assert (await anna.post("/api/access/requests", json=held)).status_code == 409, "held already"


@pytest.mark.parametrize(
    "changes",
    [
        {"permission": "no:such:thing"},
        {"permission": "platform-admin"},
        {"resource": "schema=x"},
        {"permission": "acme:table:read", "resource": "nonsense"},
        {"purpose": ""},
        {"purpose": "two\nlines"},
        {"duration": 1},
        {"duration": "3600"},
        {"state": "granted"},
        {"subject": "platform-admin"},
    ],
)
async def test_what_is_no_request_is_refused(house: PortalUnderTest, changes: dict[str, Any]) -> None:
    anna = await enter(house, someone("anna"))
    assert (await anna.post("/api/access/requests", json={**ASKED, **changes})).status_code == 422


async def test_two_decide_at_once_and_one_counts(open_house: OpenHouse) -> None:
    here, there = await open_house(), await open_house()
    anna = await enter(here, someone("anna"))
    one, other = here.signed_in("platform-admin"), there.new_session("platform-admin")
    made = await ask(anna)
    await one.session()
    await other.session()
    answers = await asyncio.gather(decide(one, made), decide(other, made, decision="refuse"))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    granted = answers[0].status_code == 200
    assert (await anna.get(f"/api/access/requests/{made['id']}")).json()["state"] == (
        "granted" if granted else "refused"
    )
    bindings = (await one.get("/api/role-bindings?role=acme:secret:read")).json()["items"]
    assert len(bindings) == int(granted)

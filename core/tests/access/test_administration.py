"""Roles, bindings, people: what may be changed, what a change says before it is made, what is refused (D31, D34)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select

from openlakes_portal._store.identity_tables import role_bindings
from openlakes_portal.testing import PortalUnderTest, SignedIn

from .conftest import OpenHouse, bind, enter, someone, unbind

API = "/api/plugins/acme"


async def test_a_role_of_ones_own(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    role = {"name": "thing-reader", "description": "Reads things", "permissions": ["acme:thing:read"]}
    tried = await admin.post("/api/roles?dry_run=true", json=role)
    assert (tried.status_code, tried.json()["dry_run"]) == (200, True)
    assert (await admin.get("/api/roles/thing-reader")).status_code == 404, "a trial leaves nothing behind"
    records = (await admin.get("/api/audit?action=core.role.create")).json()["items"]
    assert [record["details"] for record in records] == [{"dry_run": "true"}] * 2, "and is told from the real thing"
    made = await admin.post("/api/roles", json=role)
    assert made.status_code == 201
    assert (await admin.post("/api/roles", json=role)).status_code == 409
    anna = await enter(house, someone("anna", "staff"))
    await bind(admin, "thing-reader", group="staff")
    assert (await anna.get(f"{API}/things")).status_code == 200
    assert (await anna.get(f"{API}/secret")).status_code == 403
    more = {"permissions": ["acme:thing:read", "acme:secret:read"]}
    for headers, status in (({}, 428), ({"if-match": '"7"'}, 412)):
        assert (await admin.patch("/api/roles/thing-reader", json=more, headers=headers)).status_code == status
    tried = await admin.patch("/api/roles/thing-reader?dry_run=true", json=more, headers={"if-match": '"1"'})
    assert _effects(tried) == {"anna": (["acme:secret:read"], [])}
    assert (await anna.get(f"{API}/secret")).status_code == 403
    changed = await admin.patch("/api/roles/thing-reader", json=more, headers={"if-match": '"1"'})
    assert changed.headers["etag"] == '"2"'
    assert (await anna.get(f"{API}/secret")).status_code == 200
    gone = await admin.delete("/api/roles/thing-reader", headers={"if-match": '"2"'})
    assert gone.status_code == 409, "bindings give it"
    for binding in (await admin.get("/api/role-bindings?role=thing-reader")).json()["items"]:
        await unbind(admin, binding)
    assert (await admin.delete("/api/roles/thing-reader", headers={"if-match": '"2"'})).status_code == 200
    assert (await anna.get(f"{API}/things")).status_code == 403


def _effects(answer: httpx.Response) -> dict[str, tuple[list[str], list[str]]]:
    assert answer.status_code == 200, answer.text
    found = answer.json()["preview"]["effects"]
    return {
        e["username"] or e["name"]: ([g["permission"] for g in e["gains"]], [g["permission"] for g in e["loses"]])
        for e in found
    }


async def test_the_entity_tag_of_a_role_tells_its_body_and_serves_as_the_version_to_change(
    house: PortalUnderTest,
) -> None:
    """How many bindings give a role is in its body and no part of its version: browsers must not keep it."""
    admin = house.signed_in("platform-admin")
    role = {"name": "reader", "description": "Reads", "permissions": ["acme:thing:read"]}
    assert (await admin.post("/api/roles", json=role)).status_code == 201
    tag = (await admin.get("/api/roles/reader")).headers["etag"]
    known = {"if-none-match": tag}
    assert (await admin.get("/api/roles/reader", headers=known)).status_code == 304
    await bind(admin, "reader", group="staff")
    fresh = await admin.get("/api/roles/reader", headers=known)
    assert (fresh.status_code, fresh.json()["bindings"]) == (200, 1)
    change = {"description": "Reads much"}
    assert (await admin.patch("/api/roles/reader", json=change, headers={"if-match": tag})).status_code == 200
    assert (await admin.patch("/api/roles/reader", json=change, headers={"if-match": tag})).status_code == 412


async def test_a_preview_says_what_a_binding_gives_and_takes_for_each_person(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    for identity in (someone("anna", "staff"), someone("bea", "staff"), someone("carl")):
        await enter(house, identity)
    await bind(admin, "acme:thing:read", subject="bea")
    body = {"role": "acme:thing:read", "group": "staff", "reason": "r"}
    tried = await admin.post("/api/role-bindings?dry_run=true", json=body)
    assert _effects(tried) == {"anna": (["acme:thing:read"], [])}, "bea has it already, carl is not in the group"
    unseen = await admin.post("/api/role-bindings?dry_run=true", json={**body, "group": "nobody-yet"})
    assert _effects(unseen) == {"group nobody-yet": (["acme:thing:read"], [])}
    assert (await admin.get("/api/role-bindings?group=staff")).json()["items"] == []
    binding = await bind(admin, "acme:thing:read", group="staff")
    match = {"if-match": '"1"'}
    tried = await admin.delete(f"/api/role-bindings/{binding['id']}?dry_run=true", headers=match)
    assert _effects(tried) == {"anna": ([], ["acme:thing:read"])}
    assert (await admin.get(f"/api/role-bindings/{binding['id']}")).status_code == 200


async def test_bindings_of_the_settings_are_shown_and_cannot_be_changed(open_house: OpenHouse) -> None:
    house = await open_house(rbac={"role_bindings": [{"role": "viewer", "group": "staff"}]})
    admin = house.signed_in("platform-admin")
    items = (await admin.get("/api/role-bindings?group=staff")).json()["items"]
    assert [(b["id"], b["origin"], b["read_only"]) for b in items] == [("settings.0", "settings", True)]
    for method in ("PATCH", "DELETE"):
        sent: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        answer = await admin.request(method, "/api/role-bindings/settings.0", headers={"if-match": '"0"'}, **sent)
        assert answer.status_code == 409
        assert "rbac.role_bindings" in answer.json()["remedy"]


@pytest.mark.parametrize(
    "body",
    [
        {"role": "viewer"},
        {"role": "viewer", "group": "a", "subject": "b"},
        {"role": "viewer", "group": ["admins"]},
        {"role": "viewer", "group": "a\u202eb"},
        {"role": "viewer", "subject": ""},
        {"role": "no-such", "group": "a"},
        {"role": "viewer", "group": "a", "is_admin": True},
        {"role": "viewer", "group": "a", "origin": "settings"},
        {"role": "viewer", "group": "a", "id": "x"},
        {"role": "viewer", "group": "a", "expires_at": "2020-01-01T00:00:00Z"},
        {"role": "viewer", "group": "a", "expires_at": "2999-01-01T00:00:00"},
        {"role": "acme:table:read", "group": "a", "resource": "../x"},
        {"role": "viewer", "group": "a", "reason": "request 1: forged"},
    ],
)
async def test_what_is_no_binding_is_refused(house: PortalUnderTest, body: dict[str, Any]) -> None:
    answer = await house.signed_in("platform-admin").post("/api/role-bindings", json={"reason": "r", **body})
    assert answer.status_code == 422, answer.text


async def test_nobody_helps_themselves(house: PortalUnderTest) -> None:
    """D31: whoever may not manage access gains nothing, whatever they send."""
    anna = await enter(house, someone("anna", "staff"))
    before = await anna.session()
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", "/api/users/anna", {"disabled": False, "roles": ["platform-admin"]}),
        ("PATCH", "/api/users/anna", {"is_admin": True}),
        ("POST", "/api/role-bindings", {"role": "platform-admin", "subject": "anna", "reason": "r"}),
        ("POST", "/api/role-bindings?dry_run=true", {"role": "platform-admin", "subject": "anna", "reason": "r"}),
        ("POST", "/api/roles", {"name": "x", "description": "x", "permissions": ["core:access:manage"]}),
        ("PATCH", "/api/roles/viewer", {"permissions": ["core:access:manage"]}),
        ("PUT", "/api/session", {"roles": ["platform-admin"]}),
        ("POST", "/api/users/platform-admin/hand-over", {"to": "anna"}),
    ]
    for method, path, body in tries:
        answer = await anna.request(method, path, json=body, headers={"if-match": '"1"'})
        assert answer.status_code in (403, 405), f"{method} {path}: {answer.text}"
    after = await anna.session()
    assert (before["permissions"], before["roles"]) == (after["permissions"], after["roles"]) == ([], [])
    admin = house.signed_in("platform-admin")
    assert (await admin.patch("/api/users/anna", json={"disabled": False, "roles": ["viewer"]})).status_code == 422
    await bind(admin, "viewer", subject="anna")
    assert (await anna.session())["roles"] == ["viewer"]


async def admins_only_by_the_store(house: PortalUnderTest) -> list[SignedIn]:
    """Two admins, both by bindings that were made here; the settings and the demo name none who has signed in."""
    portal = house.app.portal
    anna, bea = await enter(house, someone("anna")), await enter(house, someone("bea"))
    await portal.administration.change(_grants("anna"))
    await portal.administration.change(_grants("bea"))
    return [anna, bea]


def _grants(username: str) -> Any:
    values = {
        "id": f"first-{username}",
        "role": "platform-admin",
        "subject": username,
        "reason": "a test",
        "created_by": "",
        "created_at": datetime.now(UTC),
        "version": 1,
    }

    async def apply(connection: Any) -> None:
        await connection.execute(insert(role_bindings).values(values))

    return apply


async def test_the_last_admin_stays(house: PortalUnderTest) -> None:
    """D34: by no way; and with a second one each of them works."""
    anna, bea = await admins_only_by_the_store(house)
    match = {"if-match": '"1"'}
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    own = "/api/role-bindings/first-anna"
    assert (await anna.delete("/api/role-bindings/first-bea", headers=match)).status_code == 200, "one of two may go"
    assert (await bea.get("/api/roles")).status_code == 403
    refused = [
        await anna.delete(own, headers=match),
        await anna.patch(own, headers=match, json={"expires_at": soon}),
        await anna.patch("/api/users/anna", json={"disabled": True, "reason": "r"}),
        await anna.patch(own, headers=match, json={"resource": "schema=x"}),
    ]
    assert [answer.status_code for answer in refused] == [409] * 4, [answer.text for answer in refused]
    assert (await anna.get("/api/roles")).status_code == 200
    await bind(anna, "platform-admin", subject="bea", expires_at=soon)
    assert (await anna.delete(own, headers=match)).status_code == 409, "one who ends does not count"
    await bind(anna, "platform-admin", subject="not-seen-yet")
    assert (await anna.delete(own, headers=match)).status_code == 409, "one who never signed in does not count"
    await bind(anna, "core:access:manage", subject="bea")
    assert (await anna.delete(own, headers=match)).status_code == 200
    assert (await anna.get("/api/roles")).status_code == 403
    assert (await bea.get("/api/roles")).status_code == 200


async def test_a_role_through_which_the_last_admin_holds_it_keeps_it(house: PortalUnderTest) -> None:
    anna, _ = await admins_only_by_the_store(house)
    match = {"if-match": '"1"'}
    role = {"name": "chief", "description": "x", "permissions": ["core:access:manage"]}
    assert (await anna.post("/api/roles", json=role)).status_code == 201
    await bind(anna, "chief", subject="anna")
    for name in ("anna", "bea"):
        assert (await anna.delete(f"/api/role-bindings/first-{name}", headers=match)).status_code == 200
    assert (await anna.patch("/api/roles/chief", json={"permissions": []}, headers=match)).status_code == 409
    more = {"permissions": ["core:access:manage", "core:audit:read"]}
    assert (await anna.patch("/api/roles/chief", json=more, headers=match)).status_code == 200


@pytest.mark.parametrize("way", ["unbind", "disable"])
async def test_two_admins_cannot_remove_each_other_at_once(open_house: OpenHouse, way: str) -> None:
    """D34: on two replicas at the same moment, again and again."""
    here, there = await open_house(), await open_house()
    anna, bea = await admins_only_by_the_store(here)
    twin = there.anonymous
    twin._headers = dict(bea._headers)
    while (await twin.get("/api/roles")).status_code != 200:
        await asyncio.sleep(0.01)

    async def remove(client: SignedIn, name: str) -> int:
        if way == "unbind":
            path = f"/api/role-bindings/first-{name}"
            return (await client.delete(path, headers={"if-match": '"1"'})).status_code
        return (await client.patch(f"/api/users/{name}", json={"disabled": True, "reason": "r"})).status_code

    statuses = sorted(await asyncio.gather(remove(anna, "bea"), remove(twin, "anna")))
    assert statuses[0] == 200
    assert statuses[1] in (401, 403, 409), statuses
    async with asyncio.timeout(1):  # what was done on the other replica is heard here
        while left := [client for client in (anna, bea) if (await client.get("/api/roles")).status_code == 200]:
            if len(left) == 1:
                break
            await asyncio.sleep(0.01)
    assert len(left) == 1


async def test_a_disabled_person_is_out_at_once_and_can_come_back(open_house: OpenHouse) -> None:
    here, there = await open_house(), await open_house()
    admin = here.signed_in("platform-admin")
    anna = await enter(here, someone("anna", "staff"))
    twin = there.anonymous
    twin._headers = dict(anna._headers)
    await bind(admin, "viewer", group="staff")
    while (await twin.get(f"{API}/things")).status_code != 200:
        await asyncio.sleep(0.01)
    assert (await admin.patch("/api/users/anna", json={"disabled": True})).status_code == 422, "say why"
    tried = await admin.patch("/api/users/anna?dry_run=true", json={"disabled": True, "reason": "left"})
    assert _effects(tried)["anna"][1] == ["acme:thing:read", "core:health:read"]
    assert (await anna.get(f"{API}/things")).status_code == 200
    started = asyncio.get_running_loop().time()
    done = await admin.patch("/api/users/anna", json={"disabled": True, "reason": "left"})
    assert done.json()["sessions_ended"] == 1
    assert (await anna.get(f"{API}/things")).status_code == 401
    while (await twin.get(f"{API}/things")).status_code != 401:
        await asyncio.sleep(0.01)
    assert asyncio.get_running_loop().time() - started <= 1
    explained = (await admin.get("/api/access/explain?subject=anna&permission=acme:thing:read")).json()
    assert (explained["allowed"], explained["decided_by"]) == (False, "account")
    assert (await admin.patch("/api/users/anna", json={"disabled": False})).status_code == 200
    back = await enter(here, someone("anna", "staff"))
    assert (await back.get(f"{API}/things")).status_code == 200


async def test_people_groups_and_who_may_do_what(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await enter(house, someone("anna", "staff"))
    await enter(house, someone("bea_x"))
    await bind(admin, "viewer", group="staff")
    await bind(admin, "acme:table:read", subject="bea_x", resource="schema=nyc_*")
    users = (await admin.get("/api/users?q=A_X")).json()["items"]
    assert [user["username"] for user in users] == ["bea_x"], "a search finds letters as they are"
    first = (await admin.get("/api/users?limit=1")).json()
    second = (await admin.get("/api/users", params={"limit": 5, "cursor": first["next_cursor"]})).json()
    found = [user["username"] for user in first["items"] + second["items"]]
    assert found == ["anna", "bea_x", "platform-admin"]
    held = (await admin.get("/api/users/anna")).json()["roles"]
    assert [(r["role"], r["by"], r["group"], r["origin"]) for r in held] == [("viewer", "group", "staff", "console")]
    groups = (await admin.get("/api/groups")).json()["items"]
    assert groups == [{"name": "staff", "members": 1, "roles": ["viewer"]}]
    matrix = (await admin.get("/api/access/matrix?permission=acme:table:read")).json()["items"]
    holders = {p["username"]: p["permissions"] for p in matrix}
    assert set(holders) == {"bea_x", "platform-admin"}
    assert holders["bea_x"] == [{"permission": "acme:table:read", "resource": "schema=nyc_*"}]
    paged, cursor = [], ""
    while cursor is not None:
        page = (await admin.get(f"/api/access/matrix?limit=1{cursor and '&cursor='}{cursor}")).json()
        paged += [p["username"] for p in page["items"]]
        cursor = page["next_cursor"]
    assert paged == ["anna", "bea_x", "platform-admin"]
    assert (await admin.get("/api/users/nobody")).status_code == 404


async def test_explaining(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    anna, _ = await enter(house, someone("anna", "staff")), await enter(house, someone("bea"))
    binding = await bind(admin, "data-engineer", group="staff", resource="catalog=lakehouse/schema=nyc_*")
    where = "catalog=lakehouse/schema=nyc_taxi"
    query = {"subject": "anna", "permission": "acme:table:read", "resource": where}
    explained = (await admin.get("/api/access/explain", params=query)).json()
    assert (explained["allowed"], explained["decided_by"]) == (True, f"binding {binding['id']}")
    assert [(s["kind"], s["outcome"]) for s in explained["chain"]] == [("binding", "allows"), ("role", "allows")]
    payroll = {**query, "resource": "catalog=lakehouse/schema=payroll"}
    explained = (await admin.get("/api/access/explain", params=payroll)).json()
    assert (explained["allowed"], explained["decided_by"]) == (False, "default")
    assert "not among them" in explained["chain"][0]["detail"]
    assert any(grantor["username"] == "platform-admin" for grantor in explained["grantors"])
    assert (await admin.get("/api/access/explain", params={**query, "resource": "nonsense"})).status_code == 422
    own = {"permission": "acme:table:read", "resource": where}
    assert (await anna.get("/api/access/explain", params=own)).json()["allowed"] is True
    for other in ("bea", "nobody", "platform-admin"):
        foreign = await anna.get("/api/access/explain", params={**own, "subject": other})
        assert (foreign.status_code, foreign.json()["permission"]) == (403, "core:access:read")


async def test_what_somebody_owns_is_listed_and_handed_over(open_house: OpenHouse) -> None:
    house = await open_house()
    portal = house.app.portal
    admin = house.signed_in("platform-admin")
    anna, bea = someone("anna"), someone("bea")
    for identity in (anna, bea):
        await enter(house, identity)
    contribution = portal.registry.contribution("acme")
    assert contribution is not None
    documents = contribution.context.documents("notes")
    note = await documents.create({"name": "Trips"}, owner=anna.key)
    kept = await documents.create({"name": "Other"}, owner=bea.key)
    history = await contribution.context.documents("history").create({}, owner=anna.key)
    owned = (await admin.get("/api/users/anna/owned")).json()["items"]
    assert [(o["collection"], o["title"]) for o in owned] == [("notes", "Trips")], "only what the plugin hands over"
    tried = (await admin.post("/api/users/anna/hand-over?dry_run=true", json={"to": "bea"})).json()
    assert (tried["moved"], tried["dry_run"]) == (1, True)
    assert (await admin.post("/api/users/anna/hand-over", json={"to": "nobody"})).status_code == 422
    assert (await admin.post("/api/users/anna/hand-over", json={"to": "anna"})).status_code == 409
    assert (await admin.post("/api/users/anna/hand-over", json={"to": "bea"})).json()["moved"] == 1
    moved = await documents.get(note.id)
    assert moved is not None
    assert (moved.owner, moved.owner_name, moved.version) == (bea.key, "bea", 2)
    assert (await contribution.context.documents("history").get(history.id)).owner == anna.key  # type: ignore[union-attr]
    assert (await documents.get(kept.id)).version == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("by_key", [False, True])
async def test_bindings_of_somebody_are_found_by_any_of_their_names(house: PortalUnderTest, by_key: bool) -> None:
    admin, anna = house.signed_in("platform-admin"), someone("anna", "staff")
    await enter(house, anna)
    await bind(admin, "viewer", subject=anna.key)
    await bind(admin, "data-engineer", subject="anna")
    await bind(admin, "bi-analyst", subject="anna2")
    name = anna.key if by_key else anna.username
    found = (await admin.get("/api/role-bindings", params={"subject": name})).json()["items"]
    assert {(b["role"], b["subject_username"]) for b in found} == {("viewer", "anna"), ("data-engineer", "anna")}


async def test_what_no_database_can_hold_is_the_askers_mistake(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await admin.session()
    for path in (
        "/api/audit?actor=%00",
        "/api/audit/export?object=a%00",
        "/api/users?q=%00",
        "/api/sessions?username=%00",
        "/api/access/explain?permission=core:audit:read&subject=%00",
        "/api/service-accounts?cursor=%00",
        "/api/audit?until=9999-12-31T23:59:59-23:59",
        "/api/audit?since=0001-01-01T00:00:00%2B23:59",
    ):
        assert (await admin.get(path)).status_code == 400, path
        assert (await admin.get(path.replace("%00", "x").replace("23:59", "00:00"))).status_code in (200, 404), path
    far = {"role": "viewer", "subject": "x", "reason": "r", "expires_at": "9999-12-31T23:59:59-23:59"}
    assert (await admin.post("/api/role-bindings", json=far)).status_code == 400
    handed = await admin.post("/api/users/platform-admin/hand-over", json={"to": "a\0"})
    assert handed.status_code in (400, 422), "SQLite can look for it, and finds nobody"
    near = {**far, "expires_at": "9999-12-31T23:59:59Z"}
    assert (await admin.post("/api/role-bindings", json=near)).status_code == 201


async def test_no_binding_waits_for_a_role_that_is_removed_at_the_same_moment(open_house: OpenHouse) -> None:
    here, there = await open_house(), await open_house()
    admin, other = here.signed_in("platform-admin"), there.signed_in("platform-admin")
    answered = set()
    for number in range(10):
        name = f"auditors-{number}"
        role = {"name": name, "description": "Read", "permissions": ["core:audit:read"]}
        assert (await admin.post("/api/roles", json=role)).status_code == 201
        async with asyncio.timeout(3):
            while name not in there.app.portal.book.current.roles:
                await asyncio.sleep(0.01)
        body = {"role": name, "subject": "anna", "reason": "r"}
        gone, *made = await asyncio.gather(
            admin.delete(f"/api/roles/{name}", headers={"if-match": "1"}),
            *(client.post("/api/role-bindings", json=body) for client in (other, admin)),
        )
        answered |= {gone.status_code, *(answer.status_code for answer in made)}
        async with here.app.portal.database.read() as connection:
            left = (await connection.execute(select(role_bindings.c.id).where(role_bindings.c.role == name))).all()
        assert gone.status_code == 409 or left == [], "it waits for the next role of that name"
    assert answered <= {200, 201, 409, 422}, answered
    assert answered & {200, 409}, "control: the role was there"

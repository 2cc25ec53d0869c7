"""Service accounts: names for machines that hold rights as people do and never sign in, on both databases."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, select, text

from openlakes_portal._rbac.accounts import service_identity
from openlakes_portal._rbac.policy import SERVICE_ISSUER, Identity
from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import api_tokens, people, role_bindings
from openlakes_portal.spi import NotAllowed
from openlakes_portal.testing import PortalUnderTest, SignedIn

from .conftest import ISSUER, OpenHouse, bind, enter, someone

AUDIT, SETTINGS = "core:audit:read", "core:setting:read"
ACCOUNTS = "/api/service-accounts"


async def make(admin: SignedIn, name: str = "ci") -> dict[str, Any]:
    answer = await admin.post(ACCOUNTS, json={"name": name, "description": "Deploys"})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def token_of(admin: SignedIn, *permissions: str, name: str = "ci") -> dict[str, Any]:
    body = {"name": "static", "permissions": permissions, "expires_at": (now() + timedelta(days=1)).isoformat()}
    answer = await admin.post(f"{ACCOUNTS}/{name}/tokens", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def ask(house: PortalUnderTest, token: str, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}", **options.pop("headers", {})}
    return await house.anonymous.request(method, path, headers=headers, **options)


async def until(house: PortalUnderTest, token: str, status: int, seconds: float = 1) -> None:
    async with asyncio.timeout(seconds):
        while (await ask(house, token, "/api/audit")).status_code != status:
            await asyncio.sleep(0.02)


async def test_an_account_holds_what_bindings_give_it(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    made = await make(admin)
    assert (made["username"], made["subject"], made["roles"]) == ("service:ci", f"{SERVICE_ISSUER}#service:ci", [])
    await bind(admin, AUDIT, subject="service:ci")
    held = (await admin.get(f"{ACCOUNTS}/ci")).json()["roles"]
    assert [(r["role"], r["by"]) for r in held] == [(AUDIT, "subject")]
    token = (await token_of(admin, AUDIT))["token"]
    assert (await ask(house, token, "/api/audit")).status_code == 200
    assert (await ask(house, token, "/api/settings")).status_code == 403
    told = (await ask(house, token, "/api/session")).json()
    assert (told["username"], told["permissions"]) == ("service:ci", [AUDIT])


async def test_its_token_may_no_more_than_the_account_holds_at_use(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await make(admin)
    body = {"name": "x", "permissions": [AUDIT], "expires_at": (now() + timedelta(days=1)).isoformat()}
    refused = await admin.post(f"{ACCOUNTS}/ci/tokens", json=body)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [{"pointer": "/permissions/0", "detail": "is none that service:ci holds"}]
    binding = await bind(admin, AUDIT, subject="service:ci")
    token = (await token_of(admin, AUDIT))["token"]
    assert (await ask(house, token, "/api/audit")).status_code == 200
    gone = await admin.delete(f"/api/role-bindings/{binding['id']}", headers={"if-match": str(binding["version"])})
    assert gone.status_code == 200
    await until(house, token, 403)


async def test_the_matrix_and_explain_show_it_as_what_it_is(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await make(admin)
    await bind(admin, AUDIT, subject="service:ci")
    rows = (await admin.get("/api/access/matrix")).json()["items"]
    (row,) = [r for r in rows if r["username"] == "service:ci"]
    assert (row["kind"], row["permissions"]) == ("service account", [{"permission": AUDIT, "resource": None}])
    assert {r["kind"] for r in rows if r["username"] == "platform-admin"} == {"person"}
    query = {"subject": "service:ci", "permission": AUDIT}
    told = (await admin.get("/api/access/explain", params=query)).json()
    assert (told["kind"], told["allowed"], told["username"]) == ("service account", True, "service:ci")
    told = (await admin.get("/api/access/explain", params={**query, "permission": SETTINGS})).json()
    assert told["allowed"] is False
    assert "service:ci" not in [u["username"] for u in (await admin.get("/api/users")).json()["items"]]
    assert (await admin.get("/api/users/service:ci")).status_code == 404


async def test_the_matrix_goes_page_by_page_through_people_and_accounts(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await house.signed_in("viewer").get("/api/session")
    for name in ("b", "a"):
        await make(admin, name)
    seen, cursor = [], None
    while True:
        page = (
            await admin.get("/api/access/matrix", params={"limit": 1, **({"cursor": cursor} if cursor else {})})
        ).json()
        seen += [r["username"] for r in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["platform-admin", "service:a", "service:b", "viewer"]


async def test_a_disabled_account_is_refused_on_every_replica_within_a_second(open_house: OpenHouse) -> None:
    house, other = await open_house(), await open_house()
    admin = house.signed_in("platform-admin")
    await make(admin)
    await bind(admin, AUDIT, subject="service:ci")
    token = (await token_of(admin, AUDIT))["token"]
    await until(other, token, 200, 2)
    answer = await admin.patch(f"{ACCOUNTS}/ci", json={"disabled": True})
    assert answer.status_code == 200, answer.text
    assert answer.json()["account"]["disabled_at"] is not None
    assert answer.json()["preview"]["effects"][0]["loses"] == [{"permission": AUDIT, "resource": None}]
    assert (await ask(house, token, "/api/audit")).status_code == 401
    await until(other, token, 401)
    body = {"name": "x", "permissions": [AUDIT], "expires_at": (now() + timedelta(days=1)).isoformat()}
    assert (await admin.post(f"{ACCOUNTS}/ci/tokens", json=body)).status_code == 409
    assert (await admin.patch(f"{ACCOUNTS}/ci", json={"disabled": False})).json()["account"]["disabled_at"] is None
    await until(house, token, 200, 4)


async def test_a_dry_run_says_what_is_lost_and_changes_nothing(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await make(admin)
    await bind(admin, AUDIT, subject="service:ci")
    token = (await token_of(admin, AUDIT))["token"]
    for answer in (
        await admin.patch(f"{ACCOUNTS}/ci?dry_run=true", json={"disabled": True}),
        await admin.delete(f"{ACCOUNTS}/ci?dry_run=true"),
    ):
        assert answer.json()["preview"]["effects"][0]["loses"] == [{"permission": AUDIT, "resource": None}]
    assert (await ask(house, token, "/api/audit")).status_code == 200
    assert (await admin.get(f"{ACCOUNTS}/ci")).json()["disabled_at"] is None


async def test_a_deleted_account_leaves_nothing_to_the_next_of_its_name(open_house: OpenHouse) -> None:
    house, other = await open_house(), await open_house()
    admin = house.signed_in("platform-admin")
    await make(admin)
    await bind(admin, AUDIT, subject="service:ci")
    await bind(admin, SETTINGS, subject=f"{SERVICE_ISSUER}#service:ci")
    token = (await token_of(admin, AUDIT))["token"]
    await until(other, token, 200, 2)
    answer = await admin.delete(f"{ACCOUNTS}/ci")
    assert answer.status_code == 200, answer.text
    assert answer.json()["account"] is None
    assert (await ask(house, token, "/api/audit")).status_code == 401
    await until(other, token, 401)
    assert (await admin.get(f"{ACCOUNTS}/ci")).status_code == 404
    again = await make(admin)
    assert again["roles"] == []
    assert (await admin.get(f"{ACCOUNTS}/ci/tokens")).json()["items"] == []
    assert (await ask(house, token, "/api/audit")).status_code == 401
    async with house.app.portal.database.read() as connection:
        left = [*(await connection.execute(select(role_bindings.c.subject)))]
    assert left == []


async def test_tokens_are_listed_and_revoked_by_who_may(house: PortalUnderTest) -> None:
    admin, viewer = house.signed_in("platform-admin"), house.signed_in("viewer")
    await make(admin)
    await make(admin, "other")
    await bind(admin, AUDIT, subject="service:ci")
    made = await token_of(admin, AUDIT)
    (listed,) = (await admin.get(f"{ACCOUNTS}/ci/tokens")).json()["items"]
    assert (listed["id"], listed["username"], "token" in listed) == (made["id"], "service:ci", False)
    assert [t["id"] for t in (await admin.get("/api/tokens?all=true")).json()["items"]] == [made["id"]]
    assert (await admin.get("/api/tokens")).json()["items"] == [], "none of the admin's own"
    assert (await viewer.delete(f"{ACCOUNTS}/ci/tokens/{made['id']}")).status_code == 403
    assert (await admin.delete(f"{ACCOUNTS}/other/tokens/{made['id']}")).status_code == 404
    assert (await admin.delete(f"{ACCOUNTS}/ci/tokens/{made['id']}")).status_code == 204
    assert (await ask(house, made["token"], "/api/audit")).status_code == 401
    assert (await admin.get(f"{ACCOUNTS}/nobody/tokens")).status_code == 404
    async with house.app.portal.database.read() as connection:
        (row,) = [*(await connection.execute(select(api_tokens.c.created_by, api_tokens.c.exchanged)))]
    assert tuple(row) == ("urn:openlakes:demo#platform-admin", False)


async def test_no_token_outlives_an_account_that_is_deleted_at_the_same_moment(house: PortalUnderTest) -> None:
    admin, database = house.signed_in("platform-admin"), house.app.portal.database
    body = {"name": "static", "permissions": [AUDIT], "expires_at": (now() + timedelta(days=1)).isoformat()}
    answered = set()
    for _ in range(12):
        await make(admin)
        await bind(admin, AUDIT, subject="service:ci")
        gone, *made = await asyncio.gather(
            admin.delete(f"{ACCOUNTS}/ci"), *(admin.post(f"{ACCOUNTS}/ci/tokens", json=body) for _ in range(3))
        )
        assert gone.status_code == 200, gone.text
        answered |= {answer.status_code for answer in made}
        async with database.read() as connection:
            alive = [*(await connection.execute(select(api_tokens.c.id).where(api_tokens.c.revoked_at.is_(None))))]
        assert alive == [], "it waits for the next account of that name"
    assert answered <= {201, 404, 422}, answered
    assert 201 in answered or 404 in answered, "control: some were asked of an account, or of none"


async def test_a_token_makes_no_tokens_of_accounts(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await make(admin)
    await bind(admin, "platform-admin", subject="service:ci")
    made = await token_of(admin, "core:service-account:manage", AUDIT)
    body = {"name": "x", "permissions": [AUDIT], "expires_at": (now() + timedelta(days=1)).isoformat()}
    at = f"{ACCOUNTS}/ci/tokens"
    for method, path, sent in (
        ("POST", at, body),
        ("DELETE", f"{at}/{made['id']}", None),
        ("POST", "/api/tokens", body),
    ):
        answer = await ask(house, made["token"], path, method, json=sent)
        assert (answer.status_code, answer.json()["detail"]) == (403, "An API token cannot do this."), path
    assert (await ask(house, made["token"], at)).status_code == 200, "control: it may look"


@pytest.mark.parametrize("name", ["", "CI", "a b", "a/b", "-a", "a-", "a_b", "service:a", "ä", "x" * 61, "a\n"])
async def test_names_that_are_none(house: PortalUnderTest, name: str) -> None:
    answer = await house.signed_in("platform-admin").post(ACCOUNTS, json={"name": name, "description": "x"})
    assert answer.status_code == 422, name


async def test_a_name_is_given_once(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await make(admin)
    assert (await admin.post(ACCOUNTS, json={"name": "ci", "description": "x"})).status_code == 409
    values = {"issuer": ISSUER, "subject": "1", "username": "service:old", "name": "x", "groups": []}
    async with house.app.portal.database.write() as connection:
        await connection.execute(insert(people).values(**values, first_seen_at=now(), last_seen_at=now()))
    answer = await admin.post(ACCOUNTS, json={"name": "old", "description": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (409, "A person has the user name service:old.")


@pytest.mark.parametrize("username", ["service:ci", "Service:ci", "SERVICE:", "service:nobody"])
async def test_nobody_signs_in_by_the_name_of_an_account(house: PortalUnderTest, username: str) -> None:
    await make(house.signed_in("platform-admin"))
    sessions = house.app.portal.sessions
    with pytest.raises(NotAllowed, match="names service accounts"):
        await sessions.create(Identity(ISSUER, "sub-1", username, "x"))
    with pytest.raises(NotAllowed):
        await sessions.create(service_identity("ci"))
    await sessions.create(Identity(ISSUER, "sub-1", "services", "x"))


async def test_an_account_is_no_admin_who_could_put_things_right(house: PortalUnderTest) -> None:
    """The last person who can change access stays, however many machines could."""
    admin = house.signed_in("platform-admin")
    await make(admin)
    await bind(admin, "platform-admin", subject="service:ci")
    boss = await enter(house, someone("boss"))
    await bind(admin, "platform-admin", subject="boss")
    answer = await boss.patch("/api/users/platform-admin", json={"disabled": True, "reason": "left"})
    assert answer.status_code == 200
    refused = await boss.patch("/api/users/boss", json={"disabled": True, "reason": "left"})
    assert (refused.status_code, refused.json()["detail"]) == (
        409,
        "Nobody would be left who can change access for good.",
    )


async def test_what_it_owns_can_be_handed_over(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await make(admin)
    await house.signed_in("viewer").get("/api/session")
    assert (await admin.get("/api/users/service:ci/owned")).json()["items"] == []
    answer = await admin.post("/api/users/service:ci/hand-over", json={"to": "viewer"})
    assert (answer.status_code, answer.json()["moved"]) == (200, 0)
    answer = await admin.post("/api/users/viewer/hand-over", json={"to": "service:ci"})
    assert answer.status_code == 422, "people own things"


async def test_each_change_is_on_record_without_a_token(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await make(admin)
    await bind(admin, AUDIT, subject="service:ci")
    made = await token_of(admin, AUDIT)
    await admin.delete(f"{ACCOUNTS}/ci/tokens/{made['id']}")
    await admin.patch(f"{ACCOUNTS}/ci", json={"disabled": True})
    await admin.delete(f"{ACCOUNTS}/ci")
    records = (await admin.get("/api/audit", params={"action": "core.service-account"})).json()["items"]
    done = [(r["action"].rpartition(".")[2], r["object"]) for r in records if r["phase"] == "outcome"]
    assert done[::-1] == [
        ("create", "ci"),
        ("create-token", "ci"),
        ("revoke-token", made["id"]),
        ("change", "ci"),
        ("delete", "ci"),
    ]
    changed = next(r for r in records if r["action"].endswith(".change") and r["phase"] == "outcome")
    details = (await admin.get(f"/api/audit/records/{changed['id']}")).json()
    assert '"disabled_at": null' in json.dumps(details), "what it was before is on record"
    async with house.app.portal.database.read() as connection:
        rows = [*(await connection.execute(text("SELECT * FROM audit_records")))]
        rows += [*(await connection.execute(text("SELECT * FROM api_tokens")))]
    assert made["token"] not in repr(rows)

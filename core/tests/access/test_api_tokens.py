"""API tokens at the door: what they are, what they may, and how they end (case A9), on both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text, update

from openlakes_portal._auth.token_text import LETTERS, is_token, new_token
from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import api_tokens, people
from openlakes_portal.testing import PortalUnderTest, SignedIn, portal_for

AUDIT, SETTINGS = "core:audit:read", "core:setting:read"


@pytest.fixture
async def house(url: str, tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    async with portal_for(tmp_path / "a", {"database": {"url": url}, "security": {"key": "ab" * 32}}, []) as running:
        yield running


async def make(client: SignedIn, *permissions: str, days: float = 1) -> dict[str, Any]:
    body = {"name": "ci", "permissions": permissions, "expires_at": (now() + timedelta(days=days)).isoformat()}
    answer = await client.post("/api/tokens", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def ask(house: PortalUnderTest, token: str, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}".encode(), **options.pop("headers", {})}
    return await house.anonymous.request(method, path, headers=headers, **options)


async def test_a_token_does_what_it_was_made_for_and_nothing_else(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    token = (await make(admin, AUDIT))["token"]
    assert (await ask(house, token, "/api/audit")).status_code == 200
    assert (await ask(house, token, "/api/settings")).status_code == 403
    told = (await ask(house, token, "/api/session")).json()
    assert (told["username"], told["permissions"]) == ("platform-admin", [AUDIT])
    assert (await admin.get("/api/settings")).status_code == 200, "control: the owner may"


async def test_its_text_is_shown_once_and_kept_nowhere(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    made = await make(admin, AUDIT)
    assert is_token(made["token"])
    (listed,) = (await admin.get("/api/tokens")).json()["items"]
    assert "token" not in listed
    assert listed["hint"] == made["token"][-4:]
    async with house.app.portal.database.read() as connection:
        rows = [*(await connection.execute(text("SELECT * FROM api_tokens")))]
        rows += [*(await connection.execute(text("SELECT * FROM audit_records")))]
    assert rows
    assert made["token"] not in repr(rows)


async def test_an_idempotency_key_shows_nobody_the_token_again(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    narrow = (await make(admin, AUDIT))["token"]
    body = {"name": "ci", "permissions": [AUDIT, SETTINGS], "expires_at": (now() + timedelta(days=1)).isoformat()}
    key = {"idempotency-key": "one"}
    first = await admin.post("/api/tokens", json=body, headers=key)
    assert first.status_code == 201
    again = await admin.post("/api/tokens", json=body, headers=key)
    assert (again.status_code, "olp_" in again.text) == (409, False), "it was made once, and is told once"
    by_token = await ask(house, narrow, "/api/tokens", "POST", json=body, headers=key)
    assert (by_token.status_code, by_token.json()["detail"]) == (403, "An API token cannot do this.")
    async with house.app.portal.database.read() as connection:
        rows = [*(await connection.execute(text("SELECT * FROM idempotency_keys")))]
    assert rows, "the key is remembered"
    assert first.json()["token"] not in repr(rows)
    assert len((await admin.get("/api/tokens")).json()["items"]) == 2


async def test_what_a_person_was_answered_is_not_told_to_their_token(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    token = (await make(admin, "core:access:manage"))["token"]
    body, key = {"role": "viewer", "subject": "somebody", "reason": "x"}, {"idempotency-key": "one"}
    first = await admin.post("/api/role-bindings", json=body, headers=key)
    same = await admin.post("/api/role-bindings", json=body, headers=key)
    assert (same.status_code, same.json()) == (201, first.json()), "control: the person is told again"
    by_token = await ask(house, token, "/api/role-bindings", "POST", json=body, headers=key)
    assert "idempotency-replayed" not in by_token.headers
    assert by_token.json()["binding"]["id"] != first.json()["binding"]["id"]


async def test_it_may_no_more_than_its_owner(house: PortalUnderTest) -> None:
    viewer = house.signed_in("viewer")
    expires = (now() + timedelta(days=1)).isoformat()
    for permissions in ([AUDIT], ["core:health:read", AUDIT], ["no:such:thing"], ["*"], []):
        body = {"name": "x", "permissions": permissions, "expires_at": expires}
        assert (await viewer.post("/api/tokens", json=body)).status_code == 422, permissions
    token = (await make(viewer, "core:health:read"))["token"]
    assert (await ask(house, token, "/api/components")).status_code == 200


async def test_what_the_owner_loses_the_token_loses(house: PortalUnderTest) -> None:
    admin, viewer = house.signed_in("platform-admin"), house.signed_in("viewer")
    body = {"role": AUDIT, "subject": "viewer", "reason": "for a test"}
    await viewer.get("/api/session")
    binding = (await admin.post("/api/role-bindings", json=body)).json()["binding"]
    async with asyncio.timeout(2):
        while AUDIT not in (await viewer.session())["permissions"]:
            await asyncio.sleep(0.02)
    token = (await make(viewer, AUDIT))["token"]
    assert (await ask(house, token, "/api/audit")).status_code == 200
    gone = await admin.delete(f"/api/role-bindings/{binding['id']}", headers={"if-match": str(binding["version"])})
    assert gone.status_code == 200, gone.text
    async with asyncio.timeout(1):
        while (await ask(house, token, "/api/audit")).status_code != 403:
            await asyncio.sleep(0.02)


async def test_a_revoked_token_is_refused_on_every_replica_within_a_second(
    house: PortalUnderTest, url: str, tmp_path: Path
) -> None:
    shared = {"database": {"url": url}, "security": {"key": "ab" * 32}}
    async with portal_for(tmp_path / "b", shared, []) as other:
        admin = house.signed_in("platform-admin")
        made = await make(admin, AUDIT)
        assert (await ask(other, made["token"], "/api/audit")).status_code == 200
        assert (await admin.delete(f"/api/tokens/{made['id']}")).status_code == 204
        refused = await ask(house, made["token"], "/api/audit")
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        async with asyncio.timeout(1):
            while (await ask(other, made["token"], "/api/audit")).status_code != 401:
                await asyncio.sleep(0.02)
        assert (await admin.delete(f"/api/tokens/{made['id']}")).status_code == 404


async def test_an_expired_token_is_refused(house: PortalUnderTest) -> None:
    made = await make(house.signed_in("platform-admin"), AUDIT)
    assert (await ask(house, made["token"], "/api/audit")).status_code == 200
    past = update(api_tokens).values(expires_at=now() - timedelta(seconds=1))
    async with house.app.portal.database.write() as connection:
        await connection.execute(past)
    house.app.portal.api_tokens._cache.clear()
    assert (await ask(house, made["token"], "/api/audit")).status_code == 401


@pytest.mark.parametrize(("days", "status"), [(29, 200), (31, 401)])
async def test_a_token_of_somebody_who_has_not_been_here_for_long_is_refused(
    house: PortalUnderTest, days: int, status: int
) -> None:
    """Whoever leaves the company is disabled at the provider, which tells nobody: their tokens must not go on."""
    admin = house.signed_in("platform-admin")
    token = (await make(admin, AUDIT, days=60))["token"]
    async with house.app.portal.database.write() as connection:
        await connection.execute(update(people).values(last_seen_at=now() - timedelta(days=days)))
    assert (await ask(house, token, "/api/audit")).status_code == status
    assert (await house.new_session("platform-admin").get("/api/session")).status_code == 200
    house.app.portal.api_tokens._cache.clear()  # in two seconds by itself
    assert (await ask(house, token, "/api/audit")).status_code == 200, "a sign-in makes it count again"


async def test_more_tokens_give_nobody_a_higher_rate(tmp_path: Path) -> None:
    settings = {"limits": {"rate": 1, "burst": 10}}
    async with portal_for(tmp_path / "a", settings, []) as house:
        tokens = [(await make(house.new_session("platform-admin"), AUDIT))["token"] for _ in range(3)]
        statuses = [(await ask(house, token, "/api/audit")).status_code for _ in range(8) for token in tokens]
    assert statuses.count(200) <= 12
    assert statuses.count(429) >= 12


async def test_tokens_that_are_over_leave_the_database_after_a_month(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    for name in ("old", "revoked", "fresh"):
        made = await make(admin, AUDIT)
        values = {"name": name}
        past = now() - timedelta(days=31)
        ended: dict[str, Any] = {"old": {"expires_at": past}, "revoked": {"revoked_at": past}}.get(name, {})
        async with house.app.portal.database.write() as connection:
            mine = api_tokens.c.id == made["id"]
            await connection.execute(update(api_tokens).where(mine).values({**values, **ended}))
    assert await house.app.portal.api_tokens.sweep() == 2
    assert [t["name"] for t in (await admin.get("/api/tokens")).json()["items"]] == ["fresh"]


async def test_a_disabled_owners_token_is_refused(house: PortalUnderTest) -> None:
    admin, viewer = house.signed_in("platform-admin"), house.signed_in("viewer")
    token = (await make(viewer, "core:health:read"))["token"]
    assert (await ask(house, token, "/api/components")).status_code == 200
    await admin.patch("/api/users/viewer", json={"disabled": True, "reason": "left"})
    async with asyncio.timeout(3):
        while (await ask(house, token, "/api/components")).status_code not in (401, 403):
            await asyncio.sleep(0.05)


async def test_a_disabled_persons_sign_in_is_on_record(house: PortalUnderTest) -> None:
    admin, viewer = house.signed_in("platform-admin"), house.signed_in("viewer")
    await viewer.session()
    await admin.patch("/api/users/viewer", json={"disabled": True, "reason": "left"})
    answer = await house.anonymous.post("/auth/demo", json={"persona": "viewer"})
    assert answer.status_code == 403
    at = f"/api/audit?action=core.session.refused&request_id={answer.headers['x-request-id']}"
    (record,) = (await admin.get(at)).json()["items"]
    assert "disabled" in record["details"]["why"]


async def test_it_makes_no_tokens_and_ends_no_sessions(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    token = await make(admin, AUDIT, "core:session:manage", "core:token:manage")
    body = {"name": "x", "permissions": [AUDIT], "expires_at": (now() + timedelta(days=1)).isoformat()}
    for method, path in (
        ("POST", "/api/tokens"),
        ("DELETE", f"/api/tokens/{token['id']}"),
        ("DELETE", "/api/sessions"),
    ):
        answer = await ask(house, token["token"], path, method, json=body if method == "POST" else None)
        assert answer.status_code == 403, path
        assert answer.json()["detail"] == "An API token cannot do this."
    assert (await admin.get("/api/session")).status_code == 200
    for csrf in ({}, {"x-csrf-token": ""}):
        assert (await ask(house, token["token"], "/auth/logout", "POST", headers=csrf)).status_code == 403
    assert (await ask(house, token["token"], "/auth/demo", "POST", json={"persona": "viewer"})).status_code == 200
    assert (await ask(house, token["token"], "/api/audit")).status_code == 200, "its owner alone ends it"
    ended = (await admin.get("/api/audit?action=core.session.ended")).json()["items"]
    assert [record for record in ended if record["session"] == token["id"]] == []


async def test_a_mutation_needs_no_csrf_token_and_still_comes_from_no_foreign_page(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    token = await make(admin, "core:access:manage")
    body = {"role": "viewer", "subject": "somebody", "reason": "by a script"}
    foreign = await ask(
        house, token["token"], "/api/role-bindings", "POST", json=body, headers={"origin": "https://evil.example"}
    )
    assert foreign.status_code == 403
    assert (await ask(house, token["token"], "/api/role-bindings", "POST", json=body)).status_code == 201
    records = (await admin.get("/api/audit")).json()["items"]
    made = [r["phase"] for r in records if r["session"] == token["id"] and r["phase"] != "event"]
    assert made == ["outcome", "intent"], "the audit names the token"


async def test_everybodys_tokens_are_seen_and_revoked_by_who_may(house: PortalUnderTest) -> None:
    admin, viewer, analyst = (house.signed_in(p) for p in ("platform-admin", "viewer", "bi-analyst"))
    made = await make(viewer, "core:health:read")
    assert (await analyst.get("/api/tokens")).json()["items"] == []
    assert (await analyst.get("/api/tokens?all=true")).status_code == 403
    assert (await analyst.delete(f"/api/tokens/{made['id']}")).status_code == 404
    assert [t["id"] for t in (await admin.get("/api/tokens?all=true")).json()["items"]] == [made["id"]]
    assert (await admin.delete(f"/api/tokens/{made['id']}")).status_code == 204
    assert (await ask(house, made["token"], "/api/components")).status_code == 401


@pytest.mark.parametrize("days", [-1, 91, 100_000])
async def test_how_long_it_may_live(house: PortalUnderTest, days: float) -> None:
    body = {"name": "x", "permissions": [AUDIT], "expires_at": (now() + timedelta(days=days)).isoformat()}
    answer = await house.signed_in("platform-admin").post("/api/tokens", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/expires_at"


async def test_a_token_elsewhere_than_in_its_header_counts_for_nothing(house: PortalUnderTest) -> None:
    token = (await make(house.signed_in("platform-admin"), AUDIT))["token"]
    anonymous = house.anonymous
    assert (await anonymous.get(f"/api/audit?access_token={token}")).status_code in (401, 422)
    assert (
        await anonymous.get("/api/audit", headers={"cookie": f"__Host-openlakes_session={token}"})
    ).status_code == 401
    assert (await anonymous.get("/api/audit", headers={"authorization": f"Basic {token}"})).status_code == 401


async def test_a_wrong_token_is_refused_without_asking_the_database(house: PortalUnderTest) -> None:
    right = (await make(house.signed_in("platform-admin"), AUDIT))["token"]
    swapped = right[:-1] + ("a" if right[-1] != "a" else "b")
    for wrong in (swapped, "olp_", "x", "", right + "x", right[:-1], right.upper(), "olp_" + "é" * 38, "a" * 10_000):
        answer = await ask(house, wrong, "/api/audit")
        assert answer.status_code == 401, wrong
    assert (await ask(house, new_token(), "/api/audit")).status_code == 401, "well-formed, and nobody's"


async def test_a_stream_ends_with_its_token(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    made = await make(admin, "core:health:read")
    portal = house.app.portal
    session = await portal.api_tokens.session(made["token"], None)
    assert session is not None
    assert await portal.api_tokens.refresh(session) is not None
    await admin.delete(f"/api/tokens/{made['id']}")
    assert session.ended.is_set()
    assert await portal.api_tokens.refresh(session) is None


def test_tokens_are_told_from_look_alikes() -> None:
    tokens = {new_token() for _ in range(2000)}
    assert len(tokens) == 2000
    assert all(is_token(token) for token in tokens)
    (one, *_) = tokens
    for place in range(4, len(one)):
        other = next(letter for letter in LETTERS if letter != one[place])
        assert not is_token(one[:place] + other + one[place + 1 :])

"""Sessions by the API: one's own are seen and ended, others' by those who may, and nobody learns of any other."""

import asyncio
from pathlib import Path

from openlakes_portal.testing import portal_for


async def test_ones_own_sessions_are_listed_and_ended(url: str, tmp_path: Path) -> None:
    async with portal_for(tmp_path, {"database": {"url": url}}, []) as house:
        here, there = house.new_session("viewer"), house.new_session("viewer")
        await here.get("/api/session")
        await there.get("/api/session", headers={"user-agent": "Another/1.0"})
        listed = (await here.get("/api/sessions")).json()["items"]
        assert len(listed) == 2
        (current,) = [s for s in listed if s["current"]]
        (other,) = [s for s in listed if not s["current"]]
        assert current["username"] == other["username"] == "viewer"
        assert "id_hash" not in repr(listed)
        assert (await here.delete(f"/api/sessions/{other['id']}")).status_code == 204
        assert (await there.get("/api/session")).status_code == 401
        assert (await here.delete(f"/api/sessions/{other['id']}")).status_code == 404
        assert (await here.get("/api/session")).status_code == 200, "control"


async def test_all_of_ones_own_end_but_the_one_that_asks(url: str, tmp_path: Path) -> None:
    async with portal_for(tmp_path, {"database": {"url": url}}, []) as house:
        clients = [house.new_session("viewer") for _ in range(4)]
        for client in clients:
            await client.get("/api/session")
        bystander = house.signed_in("bi-analyst")
        await bystander.get("/api/session")
        assert (await clients[0].delete("/api/sessions")).json() == {"ended": 3}
        assert [(await c.get("/api/session")).status_code for c in clients] == [200, 401, 401, 401]
        assert (await bystander.get("/api/session")).status_code == 200
        assert (await clients[0].delete("/api/sessions?keep_current=false")).json() == {"ended": 1}
        assert (await clients[0].get("/api/session")).status_code == 401


async def test_anothers_session_is_like_an_absent_one(url: str, tmp_path: Path) -> None:
    """Case D29."""
    async with portal_for(tmp_path, {"database": {"url": url}}, []) as house:
        viewer, analyst, admin = (house.signed_in(p) for p in ("viewer", "bi-analyst", "platform-admin"))
        (theirs,) = (await analyst.get("/api/sessions")).json()["items"]
        foreign = await viewer.delete(f"/api/sessions/{theirs['id']}")
        absent = await viewer.delete("/api/sessions/0123456789")
        assert foreign.status_code == absent.status_code == 404
        assert {k: v for k, v in foreign.json().items() if k != "request_id"} == {
            k: v for k, v in absent.json().items() if k != "request_id"
        }
        assert (await viewer.get("/api/sessions?all=true")).status_code == 403
        assert (await viewer.get("/api/sessions?username=bi-analyst")).status_code == 403
        assert (await viewer.delete("/api/sessions?username=bi-analyst")).status_code == 403
        everybody = (await admin.get("/api/sessions?all=true")).json()["items"]
        assert {s["username"] for s in everybody} == {"viewer", "bi-analyst", "platform-admin"}
        assert (await admin.delete("/api/sessions?username=bi-analyst")).json() == {"ended": 1}
        assert (await analyst.get("/api/session")).status_code == 401


async def test_the_list_pages_through(url: str, tmp_path: Path) -> None:
    async with portal_for(tmp_path, {"database": {"url": url}}, []) as house:
        clients = [house.new_session("viewer") for _ in range(7)]
        for client in clients:
            await client.get("/api/session")
        seen, cursor = [], ""
        while True:
            page = (await clients[0].get(f"/api/sessions?limit=3{cursor}")).json()
            seen += [s["id"] for s in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert len(seen) == len(set(seen)) == 7
        assert seen == sorted(seen, reverse=True)
        assert (await clients[0].get("/api/sessions?cursor=%27")).status_code == 400


async def test_an_ended_session_is_gone_on_the_other_replica_within_a_second(url: str, tmp_path: Path) -> None:
    """Case D30 for sessions."""
    shared = {"database": {"url": url}, "security": {"key": "ab" * 32}}
    async with portal_for(tmp_path / "a", shared, []) as here, portal_for(tmp_path / "b", shared, []) as there:
        victim, admin = here.signed_in("viewer"), here.signed_in("platform-admin")
        await victim.get("/api/session")
        client = there.anonymous
        cookie = {"cookie": victim._headers["cookie"]}
        assert (await client.get("/api/session", headers=cookie)).status_code == 200
        assert (await admin.delete("/api/sessions?username=viewer")).json() == {"ended": 1}
        async with asyncio.timeout(1):
            while (await client.get("/api/session", headers=cookie)).status_code != 401:
                await asyncio.sleep(0.02)

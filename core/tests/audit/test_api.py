"""`/api/audit`, at the boundary: filters, pages, one record's story, the export; J64 and J65; the command line."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._audit.export import verify_lines
from openlakes_portal._host.discovery import Candidate
from openlakes_portal._store.clock import now
from openlakes_portal.cli import main
from openlakes_portal.testing import PortalUnderTest, portal_for

PLUGIN = """
DO = Permission("acme:thing:do", "Do things", roles=("data-engineer",))

@hookimpl
def register_permissions(context):
    return [READ, DO]

class Connection(BaseModel):
    name: str
    password: SecretStr

@hookimpl
def register_routes(context):
    async def change(request: Request, body: Connection) -> str:
        old = Connection(name="old", password="hunter1")
        request.record(before=old, after=body, upstream_id="call-7")
        if body.name == "refuse":
            raise Conflict("Somebody else did it.")
        if body.name == "fail":
            raise RuntimeError("hunter3")
        return "changed"
    async def read(request: Request) -> str:
        return "read"
    return [
        Route("PUT", "things/{thing}", change, DO, audit="acme.thing.changed", audit_object="thing"),
        Route("GET", "things/{thing}", read, DO),
    ]
"""


@pytest.fixture
async def portal(url: str, tmp_path: Path, write_plugin: Callable[..., Candidate]) -> AsyncIterator[PortalUnderTest]:
    """A portal with the plugin above, on each database."""
    settings: dict[str, Any] = {"database": {"url": url}, "audit": {"reads_every": 3600}}
    async with portal_for(tmp_path / "data", settings, [write_plugin("acme", PLUGIN)]) as running:
        yield running


async def _records(portal: PortalUnderTest, **query: Any) -> list[dict[str, Any]]:
    answer = await portal.signed_in("platform-admin").get("/api/audit", params={"limit": 500, **query})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def _change(portal: PortalUnderTest, name: str, persona: str = "data-engineer", **options: Any) -> Any:
    body = {"name": name, "password": "hunter2"}
    return await portal.signed_in(persona).put("/api/plugins/acme/things/1", json=body, **options)


async def test_a_mutation_has_its_intent_and_outcome_with_before_and_after(portal: PortalUnderTest) -> None:
    answer = await _change(portal, "new")
    records = await _records(portal, request_id=answer.headers["x-request-id"])
    assert [(r["phase"], r["result"]) for r in records] == [("outcome", "done: 200"), ("intent", "started")]
    outcome, intent = records
    assert outcome["details"] == {
        "before": {"name": "old", "password": "(secret)"},
        "after": {"name": "new", "password": "(secret)"},
        "upstream_id": "call-7",
    }
    assert intent["details"] == {}
    for record in records:
        assert record["object"] == "1"
        assert record["actor_name"] == "data-engineer"
        assert record["session"]
        assert record["address"] == "127.0.0.1"
    story = await portal.signed_in("platform-admin").get(f"/api/audit/records/{outcome['id']}")
    assert [r["phase"] for r in story.json()["story"]] == ["intent", "outcome"]
    assert story.json()["record"]["id"] == outcome["id"]
    gone = await portal.signed_in("platform-admin").get("/api/audit/records/999999")
    assert gone.status_code == 404
    assert (await portal.signed_in("platform-admin").get("/api/audit/records/x")).status_code == 400


async def test_refused_and_failed_mutations_are_on_record_and_no_secret_is(
    portal: PortalUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await _change(portal, "refuse")).status_code == 409
    assert (await _change(portal, "fail")).status_code == 500
    assert (await _change(portal, "new", "viewer")).status_code == 403
    outcomes = await _records(portal, phase="outcome", action="acme.")
    assert [r["result"] for r in outcomes] == ["failed: RuntimeError", "refused: 409 Conflict"]
    assert (await _records(portal, action="core.access.denied"))[0]["result"] == "acme:thing:do"
    assert "hunter" not in json.dumps(await _records(portal))


async def test_filters_find_what_they_say(portal: PortalUnderTest) -> None:
    await _change(portal, "new")
    await _change(portal, "refuse")
    assert {r["result"] for r in await _records(portal, result="refused")} == {"refused: 409 Conflict"}
    assert {r["object"] for r in await _records(portal, object="1", action="acme.thing")} == {"1"}
    mine = (await _records(portal, action="acme.thing"))[0]
    assert {r["actor_name"] for r in await _records(portal, session=mine["session"])} == {"data-engineer"}
    assert len(await _records(portal, actor="data-engineer", action="acme.")) == 4
    assert await _records(portal, until="2020-01-01T00:00:00Z") == []
    assert len(await _records(portal, since=mine["at"], action="acme.")) == 1
    assert await _records(portal, phase="unfinished") == []
    assert {r["phase"] for r in await _records(portal, phase="last")} == {"outcome", "event"}
    admin = portal.signed_in("platform-admin")
    for wrong in ({"since": "yesterday"}, {"phase": "other"}, {"cursor": "x"}, {"since": "2020-01-01T00:00:00"}):
        assert (await admin.get("/api/audit", params=wrong)).status_code in (400, 422)


async def test_pages_hold_every_record_once(portal: PortalUnderTest) -> None:
    for _ in range(5):
        await _change(portal, "new")
    admin, seen, cursor = portal.signed_in("platform-admin"), [], None
    while True:
        query = {"limit": 3, **({"cursor": cursor} if cursor else {})}
        page = (await admin.get("/api/audit", params=query)).json()
        seen += [r["id"] for r in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(await _records(portal))


async def test_an_export_verifies_by_the_public_key_and_is_itself_on_record(
    portal: PortalUnderTest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        await _change(portal, "new")
    admin = portal.signed_in("platform-admin")
    answer = await admin.get("/api/audit/export")
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert "attachment" in answer.headers["content-disposition"]
    report = verify_lines(answer.content.splitlines())
    assert (report.ok, report.filtered) == (True, False), report.problems
    assert report.records == len(await _records(portal))
    assert (await _records(portal, action="core.audit.exported"))[0]["actor_name"] == "platform-admin"
    some = await admin.get("/api/audit/export", params={"action": "acme."})
    assert verify_lines(some.content.splitlines()).records == 6
    path, key = tmp_path / "audit.jsonl", tmp_path / "key.json"
    path.write_bytes(answer.content)
    key.write_text(json.dumps({"keys": json.loads(answer.content.splitlines()[0])["keys"]}))
    assert main(["audit", "verify", str(path), "--key", str(key)]) == 0
    assert "holds: " in capsys.readouterr().out
    path.write_bytes(answer.content.replace(b"acme.thing.changed", b"acme.thing.chanted", 1))
    assert main(["audit", "verify", str(path), "--key", str(key)]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert "it was changed: its hash is another" in first
    assert main(["audit", "verify", str(tmp_path / "absent.jsonl")]) == 1
    viewer = portal.signed_in("viewer")
    for path_ in ("/api/audit", "/api/audit/export", "/api/audit/state", "/api/audit/records/1"):
        assert (await viewer.get(path_)).status_code == 403


async def test_the_state_says_how_far_the_log_is_covered(portal: PortalUnderTest) -> None:
    admin = portal.signed_in("platform-admin")
    await _change(portal, "new")
    await admin.get("/api/audit/export")  # states what is there
    await _change(portal, "new")
    state = (await admin.get("/api/audit/state")).json()
    assert state["covered"] >= 3
    assert state["uncovered"] >= 2
    assert state["statement"] >= 1
    assert state["broken"] == []


async def test_reads_are_counted_and_not_recorded_one_by_one(portal: PortalUnderTest) -> None:
    engineer = portal.signed_in("data-engineer")
    before = len(await _records(portal))
    for _ in range(7):
        await engineer.get("/api/plugins/acme/things/1")
    assert len(await _records(portal)) == before + 1  # the sign-in
    await portal.app.portal.reads.write()
    counted = await _records(portal, action="core.read.counted", actor="data-engineer")
    assert [(r["result"], r["details"]) for r in counted] == [
        ("7 reads", {"/api/plugins/acme/things/{thing}": "7"}),
    ]


async def test_what_a_token_reads_is_not_put_down_to_its_owners_browser(portal: PortalUnderTest) -> None:
    engineer = portal.signed_in("data-engineer")
    until = (now() + timedelta(days=1)).isoformat()
    wanted = {"name": "x", "permissions": ["acme:thing:do"], "expires_at": until}
    token = (await engineer.post("/api/tokens", json=wanted)).json()
    bearer = {"authorization": f"Bearer {token['token']}"}
    await engineer.get("/api/plugins/acme/things/1")
    for _ in range(3):
        assert (await portal.anonymous.get("/api/plugins/acme/things/1", headers=bearer)).status_code == 200
    await portal.app.portal.reads.write()
    counted = await _records(portal, action="core.read.counted", actor="data-engineer")
    by_token = [r["result"] for r in counted if r["session"] == token["id"]]
    assert by_token == ["3 reads"]
    assert [r["result"] for r in counted if r["session"] != token["id"]] == ["1 reads"], "control"


async def test_what_a_browser_sends_stands_on_one_line(portal: PortalUnderTest) -> None:
    """J64, as far as a request can carry it: the path's parameter, which is the object, and what is in the body."""
    engineer = portal.signed_in("data-engineer")
    body = {"name": "x\r\n{\u2028\x1b[31m", "password": "p"}
    refused = await engineer.put("/api/plugins/acme/things/a%1B%5B31m", json=body)
    assert refused.status_code == 400, "a control character is no part of a path"
    assert await _records(portal, request_id=refused.headers["x-request-id"]) == []
    answer = await engineer.put("/api/plugins/acme/things/%E2%80%A8a%E2%80%AEb", json=body)
    assert answer.status_code == 200
    records = await _records(portal, request_id=answer.headers["x-request-id"])
    assert [record["phase"] for record in records] == ["outcome", "intent"]
    assert "\\u2028a\\u202eb" in records[0]["object"]
    assert all(c.isprintable() for r in records for c in json.dumps(r, ensure_ascii=False))


@pytest.mark.slow
async def test_the_command_line_exports_and_verifies_the_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write_plugin: Callable[..., Candidate]
) -> None:
    async with portal_for(tmp_path / "data", {}, [write_plugin("acme", PLUGIN)]) as portal:
        await _change(portal, "new")
    config = tmp_path / "portal.yaml"
    config.write_text(json.dumps({"server": {"data_dir": str(tmp_path / "data")}, "auth": {"mode": "demo"}}))
    import asyncio

    async def run(*arguments: str) -> tuple[int, str]:
        status = await asyncio.to_thread(main, ["audit", *arguments, "--config", str(config)])
        return status, capsys.readouterr().out

    status, said = await run("verify")
    assert status == 0, said
    assert "holds: 3 records" in said, "all were covered at the stop"
    target = tmp_path / "out.jsonl"
    assert (await run("export", str(target)))[0] == 0
    status, keys = await run("key")
    assert status == 0
    key = tmp_path / "key.json"
    key.write_text(keys)
    assert json.loads(keys)["keys"][0]["crv"] == "Ed25519"
    assert (await run("verify", str(target), "--key", str(key)))[0] == 0
    assert (await run("verify", "--at-least", "99"))[0] == 1
    with sqlite3.connect(tmp_path / "data" / "portal.db") as connection:
        connection.execute("UPDATE audit_records SET actor_name = 'nobody' WHERE id = 2")
    status, said = await run("verify", "--json")
    assert status == 1
    assert json.loads(said)["the database"]["problems"][0]["where"] == "record 2"

"""What outlives what: a killed portal, results beyond their space, a statement that is too large."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from openlakes_portal.testing import SignedIn, candidate_for, portal_for
from openlakes_portal_trino import plugin, workspace

from .conftest import Lakehouse
from .portal_process import Served, until

API = "/api/plugins/trino/"
ARROW = {"accept": "application/vnd.apache.arrow.stream"}
ENDLESS = "SELECT sum(a.range) FROM range(1e9::bigint) a, range(1e5::bigint)"
ENDED = ("finished", "failed", "cancelled")


@pytest.fixture
def served(tmp_path: Path, lakehouse: Lakehouse) -> Iterator[Served]:
    made = Served(tmp_path, lakehouse)
    yield made
    made.close()


@pytest.mark.slow
def test_a_killed_portal_owns_up_to_what_ran_and_keeps_what_was_done(served: Served) -> None:
    def query(client: httpx.Client, id: str) -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"{API}queries/{id}").raise_for_status().json()
        return found

    def submit(client: httpx.Client, sql: str) -> str:
        return str(client.post(f"{API}queries", json={"sql": sql}).raise_for_status().json()["id"])

    client = served.start()
    done = submit(client, "SELECT range AS n FROM range(1000)")
    until(lambda: query(client, done)["state"] == "finished", 30)
    lost = submit(client, ENDLESS)
    until(lambda: query(client, lost)["engine_query_id"] is not None, 30)
    worker = Path("/proc") / query(client, lost)["engine_query_id"].removeprefix("worker-")
    assert worker.exists()
    served.kill()
    until(lambda: not worker.exists(), 10)

    client = served.start()
    failed = query(client, lost)
    assert (failed["state"], failed["error"]["kind"], failed["results_kept"]) == ("failed", "engine", False)
    assert "The portal was restarted while it ran. Run it again." in failed["error"]["message"]
    assert failed["ended_at"] is not None
    admin = served.client("platform-admin")
    (record,) = admin.get("/api/audit?action=trino.query.ended&limit=500").raise_for_status().json()["items"][:1]
    assert (record["object"], record["result"], record["actor_name"]) == (lost, "failed", "data-engineer")
    rows = pa.ipc.open_stream(client.get(f"{API}queries/{done}/results", headers=ARROW).content).read_all()
    assert (rows.num_rows, sum(rows["n"].to_pylist())) == (1000, 499_500)
    assert list((served.data / "plugins" / "trino").glob("statement-*")) == [], "its folder was cleared"
    again = submit(client, "SELECT 42")
    until(lambda: query(client, again)["state"] == "finished", 30)


async def finished(client: SignedIn, sql: str) -> str:
    """The id of a query that has finished."""
    query = (await client.post(f"{API}queries", json={"sql": sql})).json()
    async with asyncio.timeout(30):
        while query["state"] not in ENDED:
            await asyncio.sleep(0.02)
            query = (await client.get(f"{API}queries/{query['id']}")).json()
    assert query["state"] == "finished", query["error"]
    return str(query["id"])


async def test_the_oldest_results_go_when_all_are_too_large(
    lakehouse: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "TEND", 0.2)
    space = 1024 * 1024
    site = {"plugins": {"trino": {**lakehouse.settings, "queries": {"keep_bytes": space}}}}
    async with portal_for(tmp_path, site, [candidate_for("trino", plugin)]) as portal:
        engineer = portal.signed_in("data-engineer")
        sql = "SELECT range AS n, repeat('x', 100) AS word FROM range(4000)"  # 0.4 MiB and more
        ids = [await finished(engineer, sql) for _ in range(4)]
        async with asyncio.timeout(20):
            while (await engineer.get(f"{API}queries/{ids[1]}")).json()["results_kept"]:
                await asyncio.sleep(0.05)
        kept = {id: (await engineer.get(f"{API}queries/{id}")).json()["results_kept"] for id in ids}
        assert list(kept.values()) == [False, False, True, True]
        assert sum(file.stat().st_size for file in (tmp_path / "plugins" / "trino" / "results").iterdir()) <= space
        gone = await engineer.get(f"{API}queries/{ids[0]}/results", headers=ARROW)
        assert gone.status_code == 404
        assert "not kept any more" in gone.json()["detail"]
        newest = await engineer.get(f"{API}queries/{ids[3]}/results", headers=ARROW)
        assert pa.ipc.open_stream(newest.content).read_all().num_rows == 4000
        assert len((await engineer.get(f"{API}queries")).json()["items"]) == 4, "the history stays"


async def test_a_statement_of_ten_megabytes_is_refused_and_leaves_nothing(lakehouse: Lakehouse, tmp_path: Path) -> None:
    site = {"plugins": {"trino": lakehouse.settings}}
    async with portal_for(tmp_path, site, [candidate_for("trino", plugin)]) as portal:
        engineer = portal.signed_in("data-engineer")
        canary = "SELECT 'canary-of-a-statement' /* " + "x" * 10_000_000 + " */"
        refused = await engineer.post(f"{API}queries", json={"sql": canary})
        assert refused.status_code == 413
        assert len(refused.content) < 2000
        assert (await engineer.get(f"{API}queries")).json()["items"] == []
    stored = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert stored
    assert not [path for path in stored if b"canary-of-a-statement" in path.read_bytes()]
    assert sum(path.stat().st_size for path in stored) < 5_000_000

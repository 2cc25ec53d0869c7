"""Results in an object store: what one replica wrote another reads; what is wrong with the store is said in words."""

import asyncio
import base64
import secrets
import shutil
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.fs as pafs
import pytest
import pytest_asyncio

from openlakes_portal.testing import PortalUnderTest, candidate_for, portal_for
from openlakes_portal_trino import plugin, workspace
from openlakes_portal_trino.embedded.process import Workers
from openlakes_portal_trino.results import object_store
from openlakes_portal_trino.results.object_store import ObjectResultStore
from openlakes_portal_trino.settings import ObjectStoreSettings

from .conftest import Lakehouse
from .portal_process import Served, until
from .test_portal import API, ARROW, run, settings

SQL = "SELECT range AS n FROM range(100000)"
SUM = 99_999 * 100_000 // 2


def place(server: Any, **more: Any) -> dict[str, Any]:
    """Settings that lead to a new bucket."""
    keys = {"access_key": server.access_key, "secret_key": server.secret_key}
    return {"endpoint": server.url, "bucket": server.bucket(), "timeout": 2, **keys, **more}


def total(answer: httpx.Response) -> tuple[int, int]:
    """Rows and the sum of `n`."""
    assert answer.status_code == 200, answer.text
    table = pa.ipc.open_stream(answer.content).read_all()
    return table.num_rows, sum(table["n"].to_pylist())


def names(server: Any, bucket: str) -> set[str]:
    found = server.files().get_file_info(pafs.FileSelector(bucket, recursive=True))
    return {info.path for info in found if info.is_file}


@pytest.fixture
def replicas(lakehouse: Lakehouse, tmp_path: Path, s3_server: Any, postgres_url: str) -> Iterator[Callable[[], Served]]:
    """Makes portals as processes of their own, over one database and one bucket."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    shared = {"database": {"url": postgres_url}, "security": {"key": key}}
    results = {"s3": place(s3_server)}
    made: list[Served] = []

    def make() -> Served:
        folder = tmp_path / f"replica-{len(made)}"
        folder.mkdir()
        made.append(Served(folder, lakehouse, shared, results=results))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.server
def test_what_one_replica_wrote_the_other_reads_for_its_owner_alone(replicas: Callable[[], Served]) -> None:
    first, second = replicas(), replicas()
    writer, reader = first.start(), second.start()
    id = writer.post(f"{API}queries", json={"sql": SQL, "row_limit": 1_000_000}).raise_for_status().json()["id"]
    until(lambda: writer.get(f"{API}queries/{id}").json()["state"] == "finished", 60)
    # The writer knows by itself; the other one by the record, which follows once the result is in the store.
    until(lambda: reader.get(f"{API}queries/{id}").json()["state"] == "finished", 30)
    seen = reader.get(f"{API}queries/{id}").json()
    assert (seen["state"], seen["rows"], seen["results_kept"]) == ("finished", 100_000, True)
    assert total(reader.get(f"{API}queries/{id}/results", headers=ARROW)) == (100_000, SUM)
    (statistic,) = reader.get(f"{API}queries/{id}/statistics").json()["items"]
    assert (statistic["rows"], statistic["greatest"]) == (100_000, "99999")
    stranger = second.client("bi-analyst")
    assert stranger.get(f"{API}queries/{id}/results", headers=ARROW).status_code == 404
    first.kill()
    (second.data / "plugins" / "trino" / "results" / f"{id}.arrow").unlink()
    assert total(reader.get(f"{API}queries/{id}/results", headers=ARROW)) == (100_000, SUM)


@pytest.fixture(autouse=True)
def _one_fork_server(lasting_workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "Workers", lambda idle: lasting_workers)


StartPortal = Callable[[dict[str, Any]], Any]


@pytest_asyncio.fixture
async def start(lakehouse: Lakehouse, tmp_path: Path) -> AsyncIterator[StartPortal]:
    """Starts a portal with these settings of its object store."""
    running: list[Any] = []

    async def one(objects: dict[str, Any]) -> PortalUnderTest:
        site = settings(lakehouse)
        site["plugins"]["trino"]["results"] = {"s3": objects}
        folder = tmp_path / f"portal-{len(running)}"
        running.append(portal_for(folder, site, [candidate_for("trino", plugin)]))
        portal: PortalUnderTest = await running[-1].__aenter__()
        return portal

    yield one
    for portal in running:
        await portal.__aexit__(None, None, None)


async def health(portal: PortalUnderTest) -> dict[str, Any]:
    """What the health check of the store found."""
    admin = portal.signed_in("platform-admin")
    async with asyncio.timeout(30):
        while True:
            items = (await admin.get("/api/components")).json()["items"]
            (found,) = [item for item in items if item["id"] == "trino.results"]
            if found["state"] != "unknown":
                return dict(found)
            await asyncio.sleep(0.05)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes every connection and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(listening.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        for one in held:
            one.close()


async def test_a_dead_and_a_silent_store_fail_the_query_in_words_and_in_time(start: StartPortal, silent: str) -> None:
    keys = {"bucket": "results", "access_key": "a", "secret_key": "b", "timeout": 1}
    for endpoint in ("http://127.0.0.1:9", silent):
        portal = await start({**keys, "endpoint": endpoint})
        began = time.monotonic()
        query = await run(portal.signed_in("data-engineer"), SQL)
        assert time.monotonic() - began < 20
        assert (query["state"], query["error"]["kind"]) == ("failed", "engine")
        assert "its result could not be kept. The object store of results does not answer." in query["error"]["message"]
        assert "plugins.trino.results.s3" in query["error"]["message"]
        component = await health(portal)
        assert (component["state"], component["cause"]) == ("down", "The object store of results does not answer.")


async def test_a_store_that_is_slower_than_the_deadline_is_given_up(start: StartPortal, silent: str) -> None:
    keys = {"bucket": "results", "access_key": "a", "secret_key": "b", "timeout": 5, "deadline": 0.5}
    portal = await start({**keys, "endpoint": silent})
    query = await run(portal.signed_in("data-engineer"), "SELECT 1")
    assert "The object store of results took too long." in query["error"]["message"]


async def test_a_stop_does_not_wait_for_the_store(start: StartPortal, silent: str) -> None:
    portal = await start({"endpoint": silent, "bucket": "results", "access_key": "a", "secret_key": "b", "timeout": 5})
    engineer = portal.signed_in("data-engineer")
    id = (await engineer.post(f"{API}queries", json={"sql": "SELECT 1"})).json()["id"]
    async with asyncio.timeout(30):
        while (await engineer.get(f"{API}queries/{id}")).json()["progress"] != 1.0:
            await asyncio.sleep(0.02)
    async with asyncio.timeout(2):
        assert (await engineer.delete(f"{API}queries/{id}")).json()["state"] == "cancelled"


@pytest.mark.server
async def test_wrong_credentials_and_an_absent_bucket_are_said(start: StartPortal, s3_server: Any) -> None:
    right = place(s3_server)
    for wrong, words in (
        ({"secret_key": "wrong"}, "refuses the portal's credentials"),
        ({"access_key": "nobody"}, "refuses the portal's credentials"),
        ({"bucket": "no-such-bucket"}, "has no bucket no-such-bucket"),
    ):
        portal = await start({**right, **wrong})
        query = await run(portal.signed_in("data-engineer"), "SELECT 1")
        assert query["state"] == "failed"
        assert words in query["error"]["message"]
        assert s3_server.secret_key not in str(query)
        component = await health(portal)
        assert component["state"] == "down"
        assert words in component["cause"]


@pytest.mark.server
async def test_a_result_that_the_store_lost_is_kept_no_more(start: StartPortal, s3_server: Any, tmp_path: Path) -> None:
    objects = place(s3_server)
    portal = await start(objects)
    engineer = portal.signed_in("data-engineer")
    query = await run(engineer, SQL)
    assert (query["state"], (await health(portal))["state"]) == ("finished", "healthy")
    key = f"{objects['bucket']}/results/{query['id']}.arrow"
    assert names(s3_server, objects["bucket"]) == {key}
    failed = await run(engineer, "SELECT nope")
    assert failed["state"] == "failed"
    assert names(s3_server, objects["bucket"]) == {key}
    s3_server.files().delete_file(key)
    (tmp_path / "portal-0" / "plugins" / "trino" / "results" / f"{query['id']}.arrow").unlink()
    assert (await engineer.get(f"{API}queries/{query['id']}/results", headers=ARROW)).status_code == 404


def store(server: Any, folder: Path) -> ObjectResultStore:
    """A replica's view of a new bucket."""
    return ObjectResultStore(ObjectStoreSettings.model_validate(place(server)), folder)


@pytest.mark.server
def test_old_and_too_many_results_go_from_the_store(
    s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "TENDED_EVERY", 0.0)
    monkeypatch.setattr(object_store, "LISTED_FOR", 0.0)
    here = store(s3_server, tmp_path / "here")
    for id in ("a", "b", "c"):
        here.place(id).write_bytes(b"x" * 100)
        here.keep(id)
        here.discard(id)
    assert all(here.holds(id) for id in "abc")
    here.expire(3600, 250, frozenset())
    assert [here.holds(id) for id in "abc"].count(True) == 2
    here.expire(3600, 100, frozenset({"a", "b", "c"}))
    assert [here.holds(id) for id in "abc"].count(True) == 2, "what is in use stays"
    here.expire(0.001, 10_000, frozenset())
    assert not any(here.holds(id) for id in "abc")
    assert here.find("a") is None


@pytest.mark.server
def test_an_upload_that_broke_leaves_no_half_result(
    s3_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = store(s3_server, tmp_path / "here")
    here.place("a").write_bytes(b"x" * 100)

    def breaking(source: Any, target: Any, length: int) -> None:
        target.write(source.read(50))
        raise OSError("the disk broke")

    with monkeypatch.context() as broken:
        broken.setattr(shutil, "copyfileobj", breaking)
        with pytest.raises(Exception, match="object store of results failed"):
            here.keep("a")
    here.discard("a")
    assert here.find("a") is None

"""The history is paged through without a gap and without a repeat, also while it is searched and while it grows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from openlakes_portal.spi import Documents
from openlakes_portal.testing import PortalUnderTest, SignedIn, candidate_for, portal_for
from openlakes_portal_trino import plugin, workspace
from openlakes_portal_trino.queries import history
from openlakes_portal_trino.queries.record import QueryRecord
from openlakes_portal_trino.workspace import Workspace

from .conftest import Lakehouse
from .test_portal import API, settings

ISSUER = "urn:openlakes:demo"


@dataclass(frozen=True)
class Filled:
    """A portal, and the collection that its history is kept in."""

    portal: PortalUnderTest
    documents: Documents

    def signed_in(self, persona: str) -> SignedIn:
        return self.portal.signed_in(persona)

    async def remember(self, who: str, statements: list[str]) -> None:
        """Queries that were run; the last one is the newest."""
        for sql in statements:
            record = QueryRecord(sql=sql, engine="duckdb", row_limit=1, username=who, replica="r", state="finished")
            await self.documents.create(record.data(), owner=f"{ISSUER}#{who}")


@pytest_asyncio.fixture
async def here(lakehouse: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Filled]:
    """A portal whose search looks through 20 entries, five at a time, for each page."""
    monkeypatch.setattr(history, "BATCH", 5)
    monkeypatch.setattr(history, "MOST_READ", 20)
    made: list[Workspace] = []

    class Remembered(Workspace):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(workspace, "Workspace", Remembered)
    async with portal_for(tmp_path / "portal", settings(lakehouse), [candidate_for("trino", plugin)]) as portal:
        yield Filled(portal, made[0].context.documents("queries"))


async def pages(client: SignedIn, **query: Any) -> list[list[str]]:
    """Every page's statements, from the newest on."""
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(f"{API}queries", params={**query, **cursor})).json()
        found.append([item["sql"] for item in page["items"]])
        if page["next_cursor"] is None:
            return found
        cursor = {"cursor": page["next_cursor"]}


async def test_every_entry_stands_on_one_page(here: Filled) -> None:
    await here.remember("data-engineer", [f"SELECT {n}" for n in range(23)])
    found = await pages(here.signed_in("data-engineer"), limit=10)
    assert [len(page) for page in found] == [10, 10, 3]
    assert [sql for page in found for sql in page] == [f"SELECT {n}" for n in reversed(range(23))]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 50])
async def test_a_search_finds_every_match_once(here: Filled, limit: int) -> None:
    statements = [f"SELECT {n} {'/* Needle */' if n % 3 == 0 else ''}" for n in range(47)]
    await here.remember("data-engineer", statements)
    await here.remember("bi-analyst", ["SELECT 'another needle'"])
    found = await pages(here.signed_in("data-engineer"), limit=limit, text="needle")
    assert [sql for page in found for sql in page] == [sql for sql in reversed(statements) if "Needle" in sql]
    assert all(len(page) <= limit for page in found)


async def test_what_is_rare_is_found_further_back(here: Filled) -> None:
    await here.remember("data-engineer", ["SELECT 'rare'", *(f"SELECT {n}" for n in range(50))])
    found = await pages(here.signed_in("data-engineer"), limit=10, text="rare")
    assert found == [[], [], ["SELECT 'rare'"]], "each page looks through a bounded part"


async def test_new_entries_shift_no_later_page(here: Filled) -> None:
    engineer = here.signed_in("data-engineer")
    await here.remember("data-engineer", [f"SELECT {n} /* x */" for n in range(8)])
    first = (await engineer.get(f"{API}queries?limit=4&text=x")).json()
    await here.remember("data-engineer", ["SELECT 'new' /* x */"])
    second = (await engineer.get(f"{API}queries?limit=4&text=x&cursor={first['next_cursor']}")).json()
    assert [item["sql"] for item in second["items"]] == [f"SELECT {n} /* x */" for n in (3, 2, 1, 0)]
    assert (await engineer.get(f"{API}queries?text=x&cursor=nonsense!")).status_code == 400

"""Whatever Superset does instead of answering: a clear answer, soon, and nothing of it on the page."""

import asyncio
import time
from typing import Any

import pytest

from openlakes_portal.testing import PortalUnderTest

from .conftest import OpenPortal
from .faults import FAULTS, failing

EXPECTED: dict[str, tuple[int, str]] = {
    "reset": (503, "broke off"),
    "hang": (503, "did not answer within 1 s"),
    "truncated": (503, "broke off"),
    "drip": (503, "did not answer within 1 s"),
    "huge": (502, "more than"),
    "garbage": (503, "broke off"),
    "a web page": (502, "text/html where JSON was expected"),
    "a web page of an error": (502, "answered 500"),
    "a redirect to its sign-in": (502, "sign-in page"),
    "500": (502, "The database is asleep"),
    "503": (503, "answered 503: starting"),
    "429": (429, "limits how often"),
    "401": (502, "does not take the portal's word"),
    "422 of the token layer": (502, "Signature verification failed"),
    "403": (403, "does not let you"),
    "no object": (502, "where JSON was expected"),
    "no result": (502, "something else"),
    "a result of something else": (502, "without id"),
}
GOOD_BUT_WRONG = {"no result", "a result of something else"}
"""Answers that only who reads that list can tell to be wrong."""


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_is_said_in_words_and_in_time(open_portal: OpenPortal, name: str) -> None:
    status, words = EXPECTED[name]
    async with failing(FAULTS[name]) as address:
        portal = await open_portal(address, timeout=1.0)
        for path in ("dashboards", "charts", "data"):
            began = time.monotonic()
            answer = await portal.signed_in("data-engineer").get(f"/api/plugins/superset/{path}")
            said: dict[str, Any] = answer.json()
            assert answer.status_code == status, said
            assert answer.headers["content-type"] == "application/problem+json"
            assert words in said["detail"], said
            assert "<" not in said["detail"], "no markup of another system's"
            assert time.monotonic() - began < 4, "bounded"
        if status == 429:
            assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - GOOD_BUT_WRONG))
async def test_nothing_is_sent_after_a_failed_question_for_a_csrf_token(open_portal: OpenPortal, name: str) -> None:
    body = {"sql": "select 1", "engine": "trino"}
    async with failing(FAULTS[name]) as address:
        portal = await open_portal(address, timeout=1.0)
        answer = await portal.signed_in("data-engineer").post("/api/plugins/superset/sql-lab", json=body)
        assert answer.status_code == EXPECTED[name][0], answer.text
        assert EXPECTED[name][1] in answer.json()["detail"]


async def test_where_nobody_listens_it_says_so_and_what_to_do(open_portal: OpenPortal) -> None:
    portal = await open_portal("http://127.0.0.1:9")
    answer = await portal.signed_in("bi-analyst").get("/api/plugins/superset/dashboards")
    assert answer.status_code == 503
    assert "refuses connections" in answer.json()["detail"]
    assert "http://127.0.0.1:9" in answer.json()["remedy"]


async def test_without_an_address_it_is_off_and_says_what_to_set(open_portal: OpenPortal) -> None:
    portal = await open_portal(None)
    answer = await portal.signed_in("bi-analyst").get("/api/plugins/superset/dashboards")
    assert (answer.status_code, answer.json()["remedy"]) == (404, "Set plugins.superset.address.")
    boot = (await portal.signed_in("bi-analyst").get("/api/bootstrap")).json()
    assert boot["apps"] == []


async def test_a_fault_of_superset_does_not_fail_the_search_of_the_palette(open_portal: OpenPortal) -> None:
    async with failing(FAULTS["500"]) as address:
        portal = await open_portal(address, timeout=1.0)
        answer = await portal.signed_in("bi-analyst").get("/api/search?q=flights")
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("hang", "down", "did not answer within 1 s"),
        ("500", "down", "answer as Superset does (500)"),
        ("a web page", "down", "answer as Superset does (200)"),
        ("a redirect to its sign-in", "down", "answer as Superset does (302)"),
    ],
)
async def test_health_says_cause_and_remedy(open_portal: OpenPortal, name: str, state: str, words: str) -> None:
    async with failing(FAULTS[name]) as address:
        portal = await open_portal(address, timeout=1.0)
        found = await settled(portal)
    assert found["state"] == state
    assert words in found["cause"]
    assert found["remedy"]


async def settled(portal: PortalUnderTest) -> dict[str, Any]:
    """The tile of Superset, once it was looked at."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        items = (await portal.signed_in("platform-admin").get("/api/components")).json()["items"]
        found: dict[str, Any] = next(item for item in items if item["id"] == "superset.superset")
        if found["state"] not in ("unknown", "starting"):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("nobody looked")

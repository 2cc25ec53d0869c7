"""Deciders of plugins: they give and take; one that fails takes away, by its name (D33)."""

import asyncio
import time

import pytest

from openlakes_portal._host.registry import Registry
from openlakes_portal._rbac.policy import Policy
from openlakes_portal.spi import Decider
from openlakes_portal.testing import PortalUnderTest

from .conftest import OpenHouse, bind, enter, someone

API = "/api/plugins/acme"
DECIDERS = """
import asyncio, time
state = {"say": None, "asked": 0}

@hookimpl
def register_deciders(context):
    async def decide(question):
        state["asked"] += 1
        say = state["say"]
        if question.permission not in ("acme:thing:read", "acme:table:read"):
            return None
        if say == "raise":
            raise RuntimeError("token=hunter2")
        if say == "exit":
            raise SystemExit(1)
        if say == "hang":
            await asyncio.Event().wait()
        if say == "spin":
            end = time.monotonic() + 1.2
            while time.monotonic() < end:
                pass
        if say == "wrong":
            return True
        if say == "per resource":
            return Verdict("nyc" in (question.resource or "nyc"), "Only what is of New York.")
        return None if say is None else Verdict(say == "yes", f"It says {say}.")
    return [Decider("mood", decide, timeout=0.2, cache_seconds=0)]
"""


def _state(house: PortalUnderTest) -> dict[str, object]:
    contribution = house.app.portal.registry.contribution("acme")
    assert contribution is not None
    found: dict[str, object] = getattr(contribution.deciders[0].decide, "__globals__")["state"]  # noqa: B009
    return found


async def test_a_decider_gives_and_takes(open_house: OpenHouse) -> None:
    house = await open_house(DECIDERS)
    state = _state(house)
    admin = house.signed_in("platform-admin")
    anna, bea = await enter(house, someone("anna")), await enter(house, someone("bea"))
    await bind(admin, "acme:thing:read", subject="anna")
    assert (await anna.get(f"{API}/things")).status_code == 200
    assert (await bea.get(f"{API}/things")).status_code == 403
    state["say"] = "yes"
    assert (await bea.get(f"{API}/things")).status_code == 200, "it gives what no binding gives"
    assert "acme:thing:read" in (await bea.session())["permissions"], "and the same everywhere"
    assert (await bea.get("/api/pages/acme/things")).status_code == 200
    state["say"] = "no"
    refused = (await anna.get(f"{API}/things")).json()
    assert (refused["decided_by"], refused["reason"]) == ("decider acme.mood", "It says no.")
    assert (await anna.get("/api/pages/acme/things")).status_code == 404
    assert (await anna.get("/api/actions")).json()["items"] == []
    explained = (await anna.get("/api/access/explain?permission=acme:thing:read")).json()
    assert explained["allowed"] is False
    assert [(s["kind"], s["outcome"]) for s in explained["chain"]] == [("binding", "allows"), ("decider", "denies")]
    assert (await admin.get("/api/roles")).status_code == 200, "about another plugin's permissions it has no say"


@pytest.mark.parametrize(
    ("say", "words"),
    [
        ("raise", "failed (RuntimeError)"),
        ("exit", "failed (RuntimeError)"),
        ("hang", "did not answer within 0.2 s"),
        ("spin", "does not give control back"),
        ("wrong", "failed (TypeError)"),
    ],
)
async def test_one_that_fails_takes_away_and_is_named(open_house: OpenHouse, say: str, words: str) -> None:
    """D33."""
    house = await open_house(DECIDERS)
    state = _state(house)
    admin = house.signed_in("platform-admin")
    await bind(admin, "acme:thing:read", subject="anna")
    anna = await enter(house, someone("anna"))
    assert (await anna.get(f"{API}/things")).status_code == 200
    state["say"] = say
    started = time.monotonic()
    refused = await anna.get(f"{API}/things")
    assert refused.status_code == 403
    assert time.monotonic() - started < 5
    assert refused.json()["decided_by"] == "decider acme.mood"
    assert words in refused.json()["reason"]
    assert "hunter2" not in refused.text
    state["say"] = None
    async with asyncio.timeout(5):
        while (await anna.get(f"{API}/things")).status_code != 200:
            await asyncio.sleep(0.02)


async def test_a_decider_is_asked_about_a_resource(open_house: OpenHouse) -> None:
    house = await open_house(DECIDERS)
    _state(house)["say"] = "per resource"
    admin = house.signed_in("platform-admin")
    assert (await admin.get(f"{API}/tables/nyc_taxi")).status_code == 200
    assert (await admin.get(f"{API}/tables/payroll")).status_code == 403
    assert (await admin.get(f"{API}/schemas")).json() == ["nyc_taxi", "nyc_bikes"]


async def test_answers_are_kept_as_long_as_the_decider_says(open_house: OpenHouse) -> None:
    """A warm request asks neither the decider nor the database."""
    house = await open_house(DECIDERS.replace("cache_seconds=0", "cache_seconds=1"))
    state = _state(house)
    admin = house.signed_in("platform-admin")
    assert (await admin.get(f"{API}/tables/nyc_taxi")).status_code == 200
    asked, queries = state["asked"], house.app.portal.database.queries
    for _ in range(100):
        assert (await admin.get(f"{API}/tables/nyc_taxi")).status_code == 200
    assert state["asked"] == asked
    assert house.app.portal.database.queries - queries <= 2, "the look for signals may fall into it, nothing else"
    state["say"] = "no"
    async with asyncio.timeout(1.5):
        while (await admin.get(f"{API}/tables/nyc_taxi")).status_code != 403:
            await asyncio.sleep(0.02)


async def test_a_policy_that_raises_opens_nothing(house: PortalUnderTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """D33, of the portal's own part."""
    admin = house.signed_in("platform-admin")
    assert (await admin.get(f"{API}/things")).status_code == 200

    def broken(*_: object) -> bool:
        raise RuntimeError("broken")

    with monkeypatch.context() as patched:
        patched.setattr("openlakes_portal._host.registry.holds_somewhere", broken)
        answer = await admin.get(f"{API}/things")
        assert answer.status_code == 403
        assert answer.json()["permission"] == "acme:thing:read"
        assert "Things" not in (await admin.get("/api/bootstrap")).text
    assert (await admin.get(f"{API}/things")).status_code == 200
    with monkeypatch.context() as patched:
        patched.setattr(Policy, "bindings_of", broken)
        house.app.portal.book._ended()
        answer = await admin.get(f"{API}/things")
        assert answer.status_code in (403, 500)
        assert "thing" not in answer.text.replace("acme:thing:read", "").replace("Something", "")
    assert isinstance(house.app.portal.registry, Registry)
    assert (await admin.get(f"{API}/things")).status_code == 200


def test_what_is_no_decider_does_not_construct() -> None:
    async def decide(question: object) -> None:
        return None

    Decider("x", decide, timeout=5, cache_seconds=1)
    for timeout, kept in ((0.0, 1.0), (6.0, 1.0), (1.0, 2.0), (1.0, -1.0)):
        with pytest.raises(ValueError, match="decider 'x'"):
            Decider("x", decide, timeout=timeout, cache_seconds=kept)

"""The plugin of the author's guide, as an author writes it, with its test as an author would write that."""

import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._host.discovery import Candidate
from openlakes_portal.testing import FakeUpstream, PortalUnderTest, candidate_for, check_plugin

HERE = Path(__file__).parent / "cost"


@pytest.fixture(autouse=True)
def _importable() -> Iterator[None]:
    sys.path.insert(0, str(HERE))
    yield
    sys.path.remove(str(HERE))


@pytest.fixture
def portal_plugins() -> list[Candidate]:
    return [candidate_for("cost", "cost_plugin")]


@pytest.fixture
def portal_settings(upstream: Callable[[str], FakeUpstream]) -> dict[str, Any]:
    return {"plugins": {"cost": {"address": upstream("billing").address, "timeout": 2.0}}}


async def test_an_analyst_sees_the_report_as_herself(
    portal: PortalUnderTest, upstream: Callable[[str], FakeUpstream]
) -> None:
    upstream("billing").get("/v1/report").answers({"total": 12.5, "days": [], "datasets": []})
    answer = await portal.signed_in("bi-analyst").get("/api/plugins/cost/report")
    assert answer.json()["total"] == 12.5
    assert upstream("billing").last.token.subject == "bi-analyst"


async def test_what_an_upstream_sets_for_one_person_is_sent_for_nobody(
    portal: PortalUnderTest, upstream: Callable[[str], FakeUpstream]
) -> None:
    report = upstream("billing").get("/v1/report")
    report.answers({"total": 1, "days": [], "datasets": []})
    report.headers["set-cookie"] = "session=of-the-engineer; Path=/"
    assert (await portal.signed_in("data-engineer").get("/api/plugins/cost/report")).status_code == 200
    for persona in ("bi-analyst", "data-engineer"):
        assert (await portal.signed_in(persona).get("/api/plugins/cost/report")).status_code == 200
        assert "cookie" not in upstream("billing").last.headers, f"the engineer's session is sent for {persona}"


async def test_the_token_is_for_that_upstream_short_and_verifiable(
    portal: PortalUnderTest, upstream: Callable[[str], FakeUpstream]
) -> None:
    from joserfc import jwt
    from joserfc.jwk import KeySet

    upstream("billing").get("/v1/report").answers({"total": 1, "days": [], "datasets": []})
    analyst = portal.signed_in("bi-analyst")
    for _ in range(5):
        await analyst.get("/api/plugins/cost/report")
    sent = upstream("billing").last.headers["authorization"].removeprefix("Bearer ")
    keys = KeySet.import_key_set((await portal.anonymous.get("/.well-known/jwks.json")).json())
    with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
        claims = jwt.decode(sent, keys, algorithms=["EdDSA"]).claims
    assert (claims["aud"], claims["sub"]) == ("billing", "bi-analyst")
    assert claims["exp"] - claims["iat"] <= 310
    assert portal.app.portal.issuer.mints == 1, "P10: one mint for one session and audience"
    assert "cookie" not in upstream("billing").last.headers


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (lambda fake: fake.get("/v1/report").fails(500), 502, "billing answered 500"),
        (lambda fake: fake.get("/v1/report").fails(503), 503, "billing answered 503"),
        (lambda fake: fake.get("/v1/report").fails(401), 502, "refused the credential"),
        (lambda fake: fake.get("/v1/report").fails(429), 429, "limits the rate"),
        (lambda fake: fake.get("/v1/report").hangs(), 503, "did not answer within 2 s"),
        (lambda fake: fake.get("/v1/report").resets(), 503, "broke off"),
        (lambda fake: fake.get("/v1/report").answers_raw(b"<html>", "text/html"), 502, "text/html where JSON"),
        (lambda fake: fake.get("/v1/report").answers_raw(b" " * 40_000_000, "application/json"), 502, "more than"),
        (lambda fake: fake.get("/v1/report").answers({"total": "much"}), 500, "Something failed in the portal"),
    ],
    ids=["500", "503", "401", "429", "hang", "reset", "html", "huge", "wrong shape"],
)
async def test_a_failing_upstream_is_a_clear_answer(
    fault: Callable[[FakeUpstream], None],
    status: int,
    words: str,
    portal: PortalUnderTest,
    upstream: Callable[[str], FakeUpstream],
) -> None:
    fault(upstream("billing"))
    answer = await portal.signed_in("bi-analyst").get("/api/plugins/cost/report")
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text


async def test_an_upstream_that_is_down_is_named_in_the_answer_and_on_the_tile(
    portal: PortalUnderTest, upstream: Callable[[str], FakeUpstream]
) -> None:
    await upstream("billing").stop()
    analyst = portal.signed_in("bi-analyst")
    answer = await analyst.get("/api/plugins/cost/report")
    assert answer.status_code == 503
    assert "refuses connections" in answer.json()["detail"]
    assert "Start it" in answer.json()["remedy"]
    for _ in range(5):
        last = await analyst.get("/api/plugins/cost/report")
    assert "times in a row" in last.json()["detail"], "the circuit opens"


async def test_its_page_is_drawn_from_what_it_declared(portal: PortalUnderTest) -> None:
    page = (await portal.signed_in("bi-analyst").get("/api/pages/cost/overview")).json()
    assert page["source"] == "/api/plugins/cost/report"
    assert [block["type"] for block in page["body"]] == ["stat", "chart", "table"]
    start = (await portal.signed_in("bi-analyst").get("/api/bootstrap")).json()
    assert "/x/cost/overview" in [entry["path"] for entry in start["nav"]]
    viewer = (await portal.signed_in("viewer").get("/api/bootstrap")).json()
    assert "/x/cost/overview" not in [entry["path"] for entry in viewer["nav"]]
    assert (await portal.signed_in("viewer").get("/api/pages/cost/overview")).status_code == 404


def test_it_stays_within_sixty_lines_and_conforms() -> None:
    lines = (HERE / "cost_plugin.py").read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.strip().startswith("#")]) <= 60
    findings = check_plugin(candidate_for("cost", "cost_plugin"), {"address": "http://127.0.0.1:9"})
    assert [str(f) for f in findings if f.level == "failure"] == []

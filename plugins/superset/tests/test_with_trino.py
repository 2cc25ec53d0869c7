"""Superset over a real Trino: a chart is each person's own question there, by their own rules, under their name."""

from typing import Any

import pytest

pytestmark = [pytest.mark.server, pytest.mark.slow]
ALL, ARRIVED = 336_776, 328_063
"""Flights of the year; those that the rule for analysts leaves: the ones that arrived."""


def test_charts_are_asked_for_under_each_persons_name_and_rules(superset_on_trino: Any) -> None:
    server = superset_on_trino
    tokens = {role: server.token(role, role) for role in ("data-engineer", "bi-analyst", "platform-admin")}

    def flights(role: str) -> int:
        charts = server.ask("/api/v1/chart/", tokens[role]).json()["result"]
        (total,) = [chart["id"] for chart in charts if chart["slice_name"] == "Flights of the year"]
        answer = server.ask(f"/api/v1/chart/{total}/data/", tokens[role])
        assert answer.status == 200, answer
        found: int = answer.json()["result"][0]["data"][0]["Flights"]
        return found

    for _ in range(2):  # the second time nobody gets what was kept for the other
        assert flights("data-engineer") == ALL
        assert flights("bi-analyst") == ARRIVED

    (database,) = server.ask("/api/v1/database/", tokens["platform-admin"]).json()["result"]
    question = {
        "database_id": database["id"],
        "runAsync": False,
        "queryLimit": 1000,
        "sql": "SELECT DISTINCT \"user\" FROM system.runtime.queries WHERE source = 'Apache Superset' "
        "AND query LIKE '%Flights%'",
    }
    answer = server.write("/api/v1/sqllab/execute/", tokens["platform-admin"], question)
    assert answer.status == 200, answer
    named = {row["user"] for row in answer.json()["data"]}
    assert named >= {"data-engineer", "bi-analyst"}, "Trino's own record names them"
    assert "superset" not in named, "and never the account that speaks for them"


def test_a_query_of_the_workbench_finds_its_database_and_catalog(superset_on_trino: Any) -> None:
    server = superset_on_trino
    answer = server.portal.ask("/auth/demo", {"persona": "data-engineer"})
    headers = {
        "Cookie": answer.headers["set-cookie"].split(";")[0],
        "X-CSRF-Token": answer.json()["csrf_token"],
    }
    body = {"sql": "SELECT 1", "engine": "trino", "catalog": "lakehouse", "schema": "nyc"}
    opened = server.portal.ask("/api/plugins/superset/sql-lab", body, headers)
    assert opened.status == 201, opened
    key = opened.json()["place"].removeprefix("/sqllab/p/")
    kept = server.ask(f"/api/v1/sqllab/permalink/{key}", server.token("data-engineer", "data-engineer")).json()
    assert (kept["catalog"], kept["schema"]) == ("lakehouse", "nyc")

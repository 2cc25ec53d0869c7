"""A mask or filter that fails on the data gives away neither the value it hides nor where the files are."""

from typing import Any

import pytest

FAILING: dict[str, dict[str, Any]] = {
    "mask": {"columns": [{"name": "tailnum", "mask": "CAST(tailnum AS INTEGER)"}]},
    "filter": {"filter": "CAST(tailnum AS INTEGER) > 0"},
}
STATEMENTS = [
    "SELECT * FROM lake.nyc.planes",
    "SELECT count(*) FROM lake.nyc.planes WHERE tailnum IS NOT NULL",
    "EXPLAIN ANALYZE SELECT tailnum FROM lake.nyc.planes",
    "SELECT a.tailnum FROM lake.nyc.planes a, lake.nyc.planes b",
]


@pytest.mark.parametrize("rule", FAILING)
@pytest.mark.parametrize("sql", STATEMENTS)
async def test_a_rule_that_fails_on_the_data_says_nothing_of_it(
    rule: str, sql: str, make_engine: Any, ask: Any
) -> None:

    table = {"role": "bi-analyst", "catalog": "lake", "schema": "nyc", "table": "planes", "privileges": ["SELECT"]}
    access = {"catalogs": [{"role": "bi-analyst", "catalog": "lake"}], "tables": [{**table, **FAILING[rule]}]}
    engine = make_engine(access=access)
    answer = await ask(engine, sql, role="bi-analyst")
    assert answer.status.state == "failed"
    said = answer.status.error.message
    assert said == "A rule of the site for this table cannot be applied. Tell its owner."

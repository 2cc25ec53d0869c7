"""What an error suggests is a name that the person may use, and never one of the engine's own."""

import pytest

from .conftest import Ask, MakeEngine


@pytest.mark.parametrize(
    ("sql", "suggested"),
    [
        ("SELECT * FROM lake.nyc.fligts", "flights"),
        ("SELECT * FROM nyc.Plane", "planes"),
        ("SELECT * FROM planes", "nyc.planes"),
        ("SELECT * FROM lake.nyc.flights JOIN lake.nyc.plans USING (tailnum)", "planes"),
        ("SELECT * FROM nope", None),
        ("SELECT * FROM sqlit_master", None),
        ("SELECT * FROM nyc.nope", None),
        ("SELECT * FROM __1, lake.nyc.flights", None),
        ("SELECT * FROM nyc.secret", None),
        ("SELECT date_trun('day', DATE '2013-01-01')", "date_trunc"),
        ("SELECT current_settin('x')", None),
        ("SELECT 1::integr", "integer"),
    ],
)
async def test_an_absent_name_is_answered_with_one_that_may_be_used(
    make_engine: MakeEngine, ask: Ask, sql: str, suggested: str | None
) -> None:
    error = (await ask(make_engine(), sql, "bi-analyst")).status.error
    assert error.kind == "not_found"
    assert "does not exist" in error.message
    told = error.message.partition("Did you mean ")[2]
    assert told == (f'"{suggested}"?' if suggested else ""), error.message
    for own in ("sqlite_", "pg_", "__0", "current_setting", "secrets"):
        assert own not in error.message


async def test_who_may_read_the_table_is_told_of_it(make_engine: MakeEngine, ask: Ask) -> None:
    error = (await ask(make_engine(), "SELECT * FROM nyc.secret", "data-engineer")).status.error
    assert error.message.endswith('Did you mean "secrets"?')


async def test_columns_that_are_hidden_are_not_suggested(make_engine: MakeEngine, ask: Ask) -> None:
    error = (await ask(make_engine(), "SELECT costs FROM nyc.planes", "bi-analyst")).status.error
    assert "cost" not in error.message.replace("costs", "")
    open_ = (await ask(make_engine(), "SELECT costs FROM nyc.planes", "data-engineer")).status.error
    assert '"cost"' in open_.message

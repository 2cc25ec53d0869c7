"""`:name` is a parameter only where an operand may stand, and its place in the text is never moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openlakes_portal_trino.explain import explain
from openlakes_portal_trino.parameters import as_marks, as_names, placeholders


@pytest.mark.parametrize("dialect", ["duckdb", "trino"])
@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT :a, :b", ["a", "b"]),
        ("SELECT * FROM t WHERE x=:a AND y IN (:b,:c)", ["a", "b", "c"]),
        ("SELECT ':a', \":a\" -- :a\n/* :a */", []),
        ("SELECT a::int, x::varchar", []),
        ("EXPLAIN SELECT :a", ["a"]),
        ("explain /* x */ analyze\nSELECT :a", ["a"]),
        ("SELECT 1", []),
        ("SELECT ':unfinished", []),
        ("SELECT -:a + :b_2", ["a", "b_2"]),
    ],
)
def test_parameters_are_found_where_they_are(sql: str, names: list[str], dialect: str) -> None:
    found = placeholders(sql, dialect)
    assert [placeholder.name for placeholder in found] == names
    assert all(sql[place.start : place.end] == f":{place.name}" for place in found)


@pytest.mark.parametrize("sql", ["SELECT {'a':b}", "SELECT l[1:n]", "SELECT list[a:b] FROM t"])
def test_slices_and_structs_of_duckdb_are_no_parameters(sql: str) -> None:
    assert placeholders(sql, "duckdb") == []


@given(st.text(max_size=60))
def test_rewriting_keeps_every_place(noise: str) -> None:
    sql = f"SELECT :first, {noise} :second"
    found = placeholders(sql, "duckdb")
    assert len(as_names(sql, found)) == len(as_marks(sql, found)) == len(sql)


@pytest.mark.parametrize(
    ("sql", "start", "analyze"),
    [("EXPLAIN SELECT 1", 8, False), ("-- x\n EXPLAIN ANALYZE SELECT 1", 22, True), ("EXPLAIN", 7, False)],
)
def test_explain_is_known_by_its_first_words(sql: str, start: int, analyze: bool) -> None:
    found = explain(sql)
    assert found is not None
    assert (found.start, found.analyze) == (start, analyze)
    assert explain("EXPLAINED") is None
    assert explain("SELECT 'EXPLAIN'") is None

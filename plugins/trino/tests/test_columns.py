"""A segment's JSON in Arrow: by CSV or by JSON, the values are the same."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from openlakes_portal_trino.coordinator import columns
from openlakes_portal_trino.coordinator.values import Signature, arrow_type, column


def type_of(raw: str, *arguments: int) -> Signature:
    """A type's signature as Trino writes it."""
    return {"rawType": raw, "arguments": [{"kind": "LONG", "value": value} for value in arguments]}


LIST: Signature = {"rawType": "array", "arguments": [{"kind": "TYPE", "value": type_of("bigint")}]}


def read(rows: list[list[Any]], *types: Signature, data: bytes | None = None) -> pa.RecordBatch:
    schema = pa.schema([(f"c{at}", arrow_type(type_)) for at, type_ in enumerate(types)])
    body = data if data is not None else json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()
    return columns.batch(body, len(rows), types, schema)


def expected(rows: list[list[Any]], *types: Signature) -> list[list[Any]]:
    """What the way of JSON gives."""
    return [column(values, type_).to_pylist() for values, type_ in zip(zip(*rows, strict=True), types, strict=True)]


PLAIN = [
    (type_of("bigint"), [2**63 - 1, -(2**63), None, 0]),
    (type_of("tinyint"), [127, -128, None, 0]),
    (type_of("boolean"), [True, False, None, True]),
    (type_of("double"), [0.1, -1.5e300, None, 5e-324]),
    (type_of("double"), ["NaN", "Infinity", "-Infinity", None]),
    (type_of("real"), [0.1, 3.4028235e38, None, "NaN"]),
    (type_of("decimal", 38, 9), ["12345678901234567890123456789.123456789", "-0.000000001", None, "0.000000000"]),
    (type_of("date"), ["2013-01-01", "1582-10-15", None, "9999-12-31"]),
    (type_of("date"), ["2013-01-01", None, "1969-12-31", "0001-01-01"]),
    (type_of("timestamp", 3), ["2013-01-01 10:00:00.123", "1969-12-31 23:59:59.999", None, "0001-01-01 00:00:00.000"]),
    (type_of("timestamp", 6), ["2013-01-01 10:00:00.123456", None, None, "2262-04-12 00:00:00.000000"]),
    (type_of("timestamp", 12), ["2013-01-01 10:00:00.123456789012", None, "x", ""]),
    (
        type_of("timestamp with time zone", 3),
        ["2013-01-01 10:00:00.000 UTC", None, "2013-07-01 10:00:00.001 UTC", None],
    ),
    (
        type_of("timestamp with time zone", 3),
        ["2013-01-01 10:00:00.000 UTC", "2013-01-01 10:00:00.000 +05:30", None, None],
    ),
    (type_of("time", 3), ["10:00:00.123", None, "00:00:00.000", "23:59:59.999"]),
    (type_of("varbinary"), ["AP8=", "", None, "AA=="]),
    (type_of("varchar"), ["", None, "null", " a,b "]),
    (type_of("varchar"), ["[[", "]", ",", "a],b"]),
    (type_of("varchar"), ["é😀", "\u2028", "\x7f", "true"]),
    (type_of("char", 4), ["a   ", None, "    ", "null"]),
    (type_of("uuid"), ["12151fd2-7586-11e9-8f9e-2a86e4085a59", None, "", "x"]),
]
BY_JSON = [
    (type_of("varchar"), ["],[", "[[", None, '{"a":[1],"b":2}']),
    (type_of("varchar"), ['a"b', "line\nbreak", "tab\t", "back\\slash"]),
    (LIST, [[1, None], [], None, [2**62]]),
    (type_of("something new"), [True, None, "x", 1]),
]


@pytest.mark.parametrize(
    ("type_", "values", "by_csv"), [(*case, True) for case in PLAIN] + [(*case, False) for case in BY_JSON]
)
def test_both_ways_give_the_same_values(
    type_: Signature, values: list[Any], by_csv: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_by_csv, ways = columns._by_csv, list[bool]()

    def listen(*arguments: Any) -> Any:
        found = read_by_csv(*arguments)
        ways.append(found is not None)
        return found

    monkeypatch.setattr(columns, "_by_csv", listen)
    for rows, types in (
        ([[value] for value in values], (type_,)),
        ([[at, value, "x"] for at, value in enumerate(values)], (type_of("integer"), type_, type_of("varchar"))),
        ([[values[0], "one row"]], (type_, type_of("varchar"))),
    ):
        found = [array.to_pylist() for array in read(rows, *types).columns]
        assert str(found) == str(expected(rows, *types)), "as text: NaN is not equal to itself"
    assert ways[:2] == [by_csv, by_csv], "both ways are tried, and not the same one twice"


def test_plain_rows_do_not_become_python_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openlakes_portal_trino.coordinator.columns.orjson", None)
    found = read([[1, "a", "2013-01-01"], [None, "", None]], type_of("bigint"), type_of("varchar"), type_of("date"))
    assert found.num_rows == 2


@given(st.lists(st.tuples(st.none() | st.text(max_size=8), st.none() | st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_whatever_the_text_is(pairs: list[tuple[str | None, int | None]]) -> None:
    rows = [[text, number, text] for text, number in pairs if text is None or text.isprintable()]
    types = (type_of("varchar"), type_of("bigint"), type_of("varchar"))
    found = [array.to_pylist() for array in read(rows, *types).columns]
    assert found == (expected(rows, *types) if rows else [[], [], []])


def test_nothing_at_all() -> None:
    assert read([], type_of("bigint"), LIST, data=b"[]").num_rows == 0
    with pytest.raises(ValueError, match="should have 0 rows"):
        read([], type_of("bigint"), data=b"[[1]]")


@pytest.mark.parametrize(
    "data", [b"[[1]]", b"[[1],[2],[3]]", b"[[1],[2", b"", b"[[1,2],[3,4]]", b"{}", b"[1,2]", b'[["a"],["b"]]']
)
def test_what_is_not_as_announced_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError, pa.ArrowException)):
        read([[1], [2]], type_of("bigint"), data=data)

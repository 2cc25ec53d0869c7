"""The table of security cases names tests that exist, and every case that it must hold."""

import ast
import re
from functools import cache

import pytest

from bootstrap.paths import ROOT

TABLE = ROOT / "docs" / "contributing" / "security-cases.md"
ASKED_FOR = {
    *(f"A{n}" for n in range(1, 11)),
    *(f"B{n}" for n in range(11, 20)),
    *(f"C{n}" for n in range(20, 28)),
    *(f"D{n}" for n in range(28, 36)),
    *(f"E{n}" for n in range(36, 42)),
    *(f"J{n}" for n in range(64, 67)),
    *(f"L{n}" for n in range(72, 77)),
    *("M77", "M78", "M79", "M80", "N82", "N83", "N84"),
}
ROW = re.compile(r"^\| ([A-N]\d+) \| (.+?) \| (.+) \| (both|none) \|$", re.MULTILINE)


def cases(text: str) -> dict[str, list[str]]:
    """The tests of each case."""
    return {case: re.findall(r"`([^`]+)`", tests) for case, _, tests, _ in ROW.findall(text)}


@cache
def functions(file: str) -> frozenset[str]:
    """Names of the tests in a file; none where there is no such file."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    found = ast.parse(path.read_text()).body
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def missing(text: str) -> list[str]:
    """Tests that a table names and that are not there; cases with no test."""
    wrong = []
    for case, tests in cases(text).items():
        if not tests:
            wrong.append(f"{case} names no test")
        for test in tests:
            file, _, name = test.partition("::")
            if not name.startswith("test_") or name not in functions(file):
                wrong.append(f"{case}: {test}")
    return wrong


def test_every_case_is_in_the_table_and_every_test_of_it_exists() -> None:
    text = TABLE.read_text()
    assert set(cases(text)) == ASKED_FOR
    assert len(ROW.findall(text)) == len(re.findall(r"^\| [A-N]\d+ \|", text, re.MULTILINE)) == len(ASKED_FOR)
    assert missing(text) == []


@pytest.mark.parametrize(
    "row",
    [
        "| A1 | x | `core/tests/test_http.py::test_nowhere` | both |",
        "| A1 | x | `core/tests/test_nowhere.py::test_x` | both |",
        "| A1 | x | `core/tests/test_http.py` | both |",
        "| A1 | x | `core/tests/test_http.py::portal` | both |",
        "| A1 | x | later | both |",
    ],
)
def test_a_test_that_does_not_exist_is_found(row: str) -> None:
    assert missing(f"{row}\n") != []

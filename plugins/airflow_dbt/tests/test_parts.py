"""Small parts by themselves: lines of logs, levels of roles, settings."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from openlakes_portal_airflow_dbt.logs import MAX_TEXT, Tail, lines_of, lines_of_ndjson
from openlakes_portal_airflow_dbt.settings import Settings
from openlakes_portal_airflow_dbt.upstream.levels import ROLES, Level, configured, level_of

REAL: list[dict[str, Any] | str] = [
    {"event": "::group::Log message source details", "sources": ["/logs/attempt=1.log"]},
    {"event": "/logs/attempt=1.log"},
    {"event": "::endgroup::"},
    {"timestamp": "2026-11-26T03:04:26.547770Z", "level": "info", "event": "::group::Pre Execute", "logger": "task"},
    {"event": "Could not read served logs: Request URL is missing"},
    {
        "timestamp": "2026-11-26T03:04:29Z",
        "level": "info",
        "event": "line 0",
        "chan": "stdout",
        "dag_id": "lines",
        "run_id": "r",
        "try_number": 1,
    },
    {"timestamp": "2026-11-26T03:04:30Z", "level": "warning", "event": "slow", "seconds": 3, "where": "a b"},
    {
        "timestamp": "2026-11-26T03:04:31Z",
        "level": "error",
        "event": "Task failed with exception",
        "error_detail": [
            {
                "exc_type": "ValueError",
                "exc_value": "made to fail\nwith two lines",
                "frames": [{"filename": "dags/lines.py", "lineno": 12, "name": "write"}],
            }
        ],
    },
    "a plain line\nand another",
]


def test_a_log_reads_as_its_program_wrote_it() -> None:
    assert [(line.level, line.text) for line in lines_of(REAL)] == [
        ("info", "Pre Execute"),
        ("info", "line 0"),
        ("warning", "slow seconds=3 where='a b'"),
        ("error", "Task failed with exception"),
        ("error", "Traceback (most recent call last):"),
        ("error", '  File "dags/lines.py", line 12, in write'),
        ("error", "ValueError: made to fail"),
        ("error", "with two lines"),
        (None, "a plain line"),
        (None, "and another"),
    ]
    assert lines_of(REAL)[1].at == "2026-11-26T03:04:29Z"
    assert lines_of_ndjson([json.dumps(entry).encode() for entry in REAL]) == lines_of(REAL)
    assert [line.text for line in lines_of_ndjson([b"no json", b"\xff\xfe", b"5"])] == ["no json", "\ufffd\ufffd", "5"]


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
def test_the_end_of_a_long_log_is_kept_and_what_comes_before_it_counted(step: int) -> None:
    whole = b"".join(b"line %d\n" % number for number in range(1000)) + b"not ended"
    tail = Tail(100)
    for start in range(0, len(whole), step):
        tail.add(whole[start : start + step])
    kept = tail.lines()
    assert kept == whole.splitlines()[-len(kept) :]
    assert tail.dropped == 1001 - len(kept)
    assert 80 <= sum(map(len, kept)) <= 100


def test_a_line_that_never_ends_takes_no_more_room_than_the_others() -> None:
    tail = Tail(100)
    for _ in range(1000):
        tail.add(b"x" * 64)
    assert tail.lines() == [b"x" * 100]
    tail.add(b"\nthe last\n")
    assert tail.lines() == [b"the last"]


@pytest.mark.parametrize(
    "odd",
    [
        {"event": None},
        {},
        {"event": "x", "error_detail": "text"},
        {"event": "x", "error_detail": [3, {"frames": [None]}]},
        {"event": {"nested": [1]}, "timestamp": 7},
        "",
    ],
)
def test_an_odd_line_is_a_line(odd: Any) -> None:
    assert lines_of([odd])


def test_a_very_long_line_is_cut_and_says_so() -> None:
    (line,) = lines_of(["x" * (MAX_TEXT + 5)])
    assert line.text.endswith("(5 more characters: open the log in Airflow)")


def test_the_highest_level_counts_and_unknown_roles_bring_none() -> None:
    assert level_of(["viewer", "data-engineer"], ROLES) is Level.OP
    assert level_of(["data-engineer", "platform-admin"], ROLES) is Level.ADMIN
    assert level_of(["bi-analyst", "viewer"], ROLES) is None
    assert level_of([], ROLES) is None
    assert configured(None) == configured("") == ROLES


def test_levels_of_a_site_replace_ours() -> None:
    levels = configured(json.dumps({"airflow-readers": "viewer", "platform-admin": "Admin"}))
    assert level_of(["airflow-readers"], levels) is Level.VIEWER
    assert level_of(["data-engineer"], levels) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not JSON"), ("[]", "is an object"), ('{"a": "Root"}', "a: 'Root'"), ('{"a": 3}', "a: 3")],
)
def test_levels_that_do_not_exist_stop_the_start(text: str, words: str) -> None:
    with pytest.raises(ValueError, match="roles") as raised:
        configured(text)
    assert words in str(raised.value)


def test_the_gateway_is_told_the_origin_of_the_address() -> None:
    assert Settings.model_validate({"address": "https://airflow.internal:8443/base/"}).origin == (
        "https://airflow.internal:8443"
    )
    for wrong in ({"address": "ftp://x"}, {"app": "Air Flow"}, {"timeout": 0}, {"addres": "http://x"}):
        with pytest.raises(ValidationError):
            Settings.model_validate(wrong)

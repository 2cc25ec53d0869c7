"""Why a query is stopped: any words, on one line."""

import pytest
from pydantic import ValidationError

from openlakes_portal_trino.routes.engine_queries import QueryToStop

ID = "20260101_000000_00001_abcde"


@pytest.mark.parametrize("reason", ["", "Too expensive: 42 TB", "Ticket FIX-10, see C:\\notes", "für später"])
def test_any_words_are_a_reason(reason: str) -> None:
    assert QueryToStop(id=ID, reason=reason).reason == reason


@pytest.mark.parametrize("reason", ["two\nlines", "two\rlines", "\x1b[31mred", "nul\x00", "two\u2028lines", "\x9b31m"])
def test_a_line_end_or_a_terminals_command_is_none(reason: str) -> None:
    with pytest.raises(ValidationError):
        QueryToStop(id=ID, reason=reason)

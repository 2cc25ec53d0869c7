"""Which name an error suggests: one that the person may use. DuckDB's own guesses name tables of the engine, the names
under which ours are registered, and functions that are refused."""

import difflib

from openlakes_portal_trino.embedded.attach import Attachment
from openlakes_portal_trino.embedded.errors import Suggest
from openlakes_portal_trino.embedded.statement import REFUSED_FUNCTIONS, TABLE_FUNCTIONS, ReadStatement


def suggester(attachment: Attachment, statement: ReadStatement) -> Suggest:
    """For the errors of one statement."""

    def suggest(kind: str, absent: str, guess: str) -> str | None:
        if kind == "Table":
            return _nearest(attachment, statement, absent)
        if kind == "Table Function":
            return guess if guess in TABLE_FUNCTIONS else None
        if kind.endswith("Function"):
            return guess if guess and guess not in REFUSED_FUNCTIONS else None
        return guess if kind == "Type" and guess else None

    return suggest


def _nearest(attachment: Attachment, statement: ReadStatement, absent: str) -> str | None:
    for name in statement.tables:
        if name.table.lower() != absent.lower():
            continue
        by_table = {full.rpartition(".")[2].lower(): full for full in attachment.readable(name)}
        close = difflib.get_close_matches(absent.lower(), list(by_table), n=1)
        if close:
            return by_table[close[0]]
    return None

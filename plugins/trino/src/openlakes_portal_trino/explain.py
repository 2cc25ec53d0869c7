"""EXPLAIN, which the tokenizer takes for a command and swallows whole: found by its first words.

Nothing is decided here. What stands behind the words is parsed on its own by whoever asks, and what is run is written
anew from it.
"""

import re
from dataclasses import dataclass

SPACE = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
WORDS = re.compile(rf"{SPACE}EXPLAIN\b(?P<analyze>{SPACE}ANALYZE\b)?{SPACE}", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Explain:
    """`start` is where the explained statement begins, in characters."""

    start: int
    analyze: bool


def explain(sql: str) -> Explain | None:
    """None for a statement that does not begin with EXPLAIN."""
    found = WORDS.match(sql)
    return Explain(found.end(), found["analyze"] is not None) if found else None

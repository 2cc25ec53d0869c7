"""Named parameters (`:name`) in the text of a statement, found by the dialect's own tokenizer.

The text is never filled in: each engine gets its own placeholder and the values beside it. A colon is a parameter's
only where an operand may begin: not in a string, a comment, a cast (`a::int`), a slice (`list[1:n]`) or a struct
(`{'a':b}`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from openlakes_portal.spi import QueryError
from openlakes_portal_trino.explain import explain

BEFORE_AN_OPERAND = "(,=<>+-*/%|&^!~{;"


@dataclass(frozen=True)
class Placeholder:
    """Where a parameter stands: `start` is its colon's offset in characters, `end` the offset behind its name."""

    name: str
    start: int
    end: int


class ParameterMismatch(Exception):
    """The parameters that were sent are not those of the statement."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.error = QueryError(message, "input")


def placeholders(sql: str, dialect: str) -> list[Placeholder]:
    """The parameters in order. A text that the tokenizer cannot read has none: the engine will say why."""
    if ":" not in sql:
        return []
    explained = explain(sql)
    start = explained.start if explained else 0
    try:
        tokens = sqlglot.tokenize(sql[start:], read=dialect)
    except TokenError:
        return []
    return list(_among(sql, tokens, start))


def _among(sql: str, tokens: list[Token], shift: int) -> Iterator[Placeholder]:
    for colon, name in pairwise(tokens):
        if colon.token_type != TokenType.COLON or name.start != colon.end + 1:
            continue
        start, end = colon.start + shift, name.end + 1 + shift
        word = sql[start + 1 : end]
        if word.isidentifier() and _operand_may_begin(sql, start):
            yield Placeholder(word, start, end)


def _operand_may_begin(sql: str, colon: int) -> bool:
    before = sql[colon - 1] if colon else " "
    return before.isspace() or before in BEFORE_AN_OPERAND


def check(found: list[Placeholder], given: Mapping[str, object]) -> None:
    """Raises `ParameterMismatch` unless each parameter has a value and each value a parameter."""
    wanted = {placeholder.name for placeholder in found}
    missing = sorted(wanted - given.keys())
    if missing:
        raise ParameterMismatch(f"No value was given for {_list(missing)}. Set it beside the editor.")
    extra = sorted(given.keys() - wanted)
    if extra:
        raise ParameterMismatch(f"The statement has no parameter {_list(extra)}. Remove it, or write :{extra[0]}.")


def _list(names: list[str]) -> str:
    return ", ".join(f":{name}" for name in names)


def as_names(sql: str, found: list[Placeholder]) -> str:
    """The text with each `:name` as `$name`, which is as long: positions in errors stay what they were."""
    return _rewritten(sql, [(placeholder, f"${placeholder.name}") for placeholder in found])


def as_marks(sql: str, found: list[Placeholder]) -> str:
    """The text with each `:name` as `?`, padded with spaces to the old length, for the same reason."""
    return _rewritten(sql, [(placeholder, "?".ljust(placeholder.end - placeholder.start)) for placeholder in found])


def _rewritten(sql: str, replacements: list[tuple[Placeholder, str]]) -> str:
    pieces: list[str] = []
    at = 0
    for placeholder, text in replacements:
        pieces += [sql[at : placeholder.start], text]
        at = placeholder.end
    return "".join([*pieces, sql[at:]])

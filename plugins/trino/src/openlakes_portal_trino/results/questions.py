"""A question about a stored result, as SQL over the table `result` with columns c0, c1, ... (embedded/stored.py).

Columns are named by their index, so that a name that stands twice is no trouble; nothing of it comes from outside.
"""

MOST_COLUMNS = 200
"""Columns of which statistics are made."""


def statistics(numeric: list[bool]) -> str:
    """One row a column: its index, rows, nulls, about how many distinct values, least, greatest, mean."""
    asked = enumerate(numeric[:MOST_COLUMNS])
    return " UNION ALL ".join(_statistics_of(index, is_number) for index, is_number in asked) or "SELECT 1 WHERE false"


def _statistics_of(index: int, is_number: bool) -> str:
    column = f"c{index}"
    mean = f"avg(CAST({column} AS DOUBLE))" if is_number else "CAST(NULL AS DOUBLE)"
    return (
        f"SELECT {index}, count(*), count(*) - count({column}), approx_count_distinct({column}), "  # noqa: S608
        f"CAST(min({column}) AS VARCHAR), CAST(max({column}) AS VARCHAR), {mean} FROM result"
    )

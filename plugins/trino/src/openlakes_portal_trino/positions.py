"""Places in a statement: from an engine's offset in bytes to line and column as a person counts them, from 1."""


def line_and_column(sql: str, offset: int) -> tuple[int, int] | None:
    """Line and column of a byte offset in the UTF-8 text; None where it lies outside."""
    encoded = sql.encode()
    if not 0 <= offset <= len(encoded):
        return None
    before = encoded[:offset].decode(errors="ignore")
    line = before.count("\n") + 1
    return line, len(before) - (before.rfind("\n") + 1) + 1

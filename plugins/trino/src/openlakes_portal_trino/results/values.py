"""Values of Arrow columns as text and as JSON, exact, whole columns at a time.

JSON (CONTRACT.md, NDJSON): boolean, string and NULL as they are; integers up to 32 bit and finite doubles as numbers;
larger integers, decimal, NaN, infinities, dates, times and intervals as strings; binary as base64; lists, maps and
rows as JSON of these. Timestamps are ISO 8601, with `Z` where the type has a zone.
"""

import base64
import math
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

Json = Any
"""Whatever JSON can say."""


def json_values(column: pa.Array) -> list[Json]:
    """One JSON value a row."""
    type_ = column.type
    if pa.types.is_boolean(type_) or pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return list(column.to_pylist())
    if pa.types.is_integer(type_) and type_.bit_width <= 32:
        return list(column.to_pylist())
    if pa.types.is_floating(type_):
        return [_number(value) for value in _shortest(column).to_pylist()]
    if pa.types.is_null(type_):
        return [None] * len(column)
    if pa.types.is_nested(type_):
        return _nested(column)
    return list(texts(column).to_pylist())


def texts(column: pa.Array) -> pa.Array:
    """A column of a scalar type as text; NULL stays NULL."""
    type_ = column.type
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_fixed_size_binary(type_):
        return pa.array([_each(value, _base64) for value in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(type_):
        zoned = type_.tz is not None
        plain = column.cast(pa.timestamp(type_.unit)) if zoned else column  # the instant in UTC
        return _trimmed(pc.cast(plain, pa.string()), type_.unit, "Z" if zoned else "")
    if pa.types.is_time(type_):
        return _trimmed(pc.cast(column, pa.string()), type_.unit, "")
    if pa.types.is_interval(type_) or pa.types.is_duration(type_):
        return pa.array([_each(value, _interval) for value in column.to_pylist()], pa.string())
    if pa.types.is_decimal(type_):
        return _decimals(column)
    if pa.types.is_nested(type_):
        return pa.array([_each(value, _dumped) for value in _nested(column)], pa.string())
    return pc.cast(column, pa.string())


def _decimals(column: pa.Array) -> pa.Array:
    """Digits only: Arrow writes small ones as 1E-9."""
    text = pc.cast(column, pa.string())
    if not pc.any(pc.match_substring(text, "E")).as_py():
        return text
    return pa.array([_each(value, "{:f}".format) for value in column.to_pylist()], pa.string())


def _each(value: Any, change: Callable[[Any], Any]) -> Any:
    return None if value is None else change(value)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _dumped(value: Json) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


def _number(value: float | None) -> float | str | None:
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _shortest(column: pa.Array) -> pa.Array:
    """A float of 32 bits as the double that prints as short: 0.1, not 0.10000000149."""
    if column.type.bit_width == 64:
        return column
    return pc.cast(pc.cast(pc.cast(column, pa.float32()), pa.string()), pa.float64())


def _trimmed(text: pa.Array, unit: str, suffix: str) -> pa.Array:
    """ISO 8601 with no more digits than are needed."""
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    if unit != "s":
        text = pc.replace_substring_regex(text, r"\.?0+$", "")
    return pc.binary_join_element_wise(text, suffix, "") if suffix else text


def _interval(value: Any) -> str:
    """ISO 8601 durations: `P3M2DT1.5S`."""
    if not hasattr(value, "months"):
        return f"PT{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "S"
    parts = "".join(f"{part}{letter}" for part, letter in ((value.months, "M"), (value.days, "D")) if part)
    seconds, rest = divmod(abs(value.nanoseconds), 1_000_000_000)
    sign = "-" if value.nanoseconds < 0 else ""
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    time = f"T{sign}{seconds}{fraction}S" if value.nanoseconds else ""
    return f"P{parts}{time}" if parts or time else "PT0S"


def _nested(column: pa.Array) -> list[Json]:
    type_ = column.type
    if pa.types.is_map(type_):
        return _maps(column)
    if pa.types.is_struct(type_):
        fields = [type_.field(index).name for index in range(type_.num_fields)]
        parts = [json_values(part) for part in column.flatten()]
        valid = column.is_valid().to_pylist()
        return [
            dict(zip(fields, (part[row] for part in parts), strict=True)) if valid[row] else None
            for row in range(len(column))
        ]
    return _lists(column, json_values(column.flatten()))


def _lists(column: pa.Array, values: list[Json]) -> list[Json]:
    lists: list[Json] = []
    at = 0
    for length in pc.list_value_length(column).to_pylist():
        lists.append(None if length is None else values[at : at + length])
        at += length or 0
    return lists


def _maps(column: pa.Array) -> list[Json]:
    """An object where the keys are text, else a list of pairs."""
    entries = column.cast(pa.list_(pa.struct([("key", column.type.key_type), ("value", column.type.item_type)])))
    found = _nested(entries)
    if pa.types.is_string(column.type.key_type):
        return [None if row is None else {entry["key"]: entry["value"] for entry in row} for row in found]
    return [None if row is None else [[entry["key"], entry["value"]] for entry in row] for row in found]

"""Trino's JSON in Arrow, exact, whole columns at a time.

Decimals, dates and times come as text and become Arrow's own types. `timestamp with time zone` becomes the instant in
UTC. What Arrow cannot hold exactly stays text: more than 6 digits of a second, intervals, time with time zone, UUID,
IP address, geometry, and types not known here. `char` and `varchar` are text, `json` is its text.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

Signature = Mapping[str, Any]
"""Trino's `typeSignature`: `rawType` and `arguments`."""

INTEGERS = {"tinyint": pa.int8(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64()}
MICROSECONDS = 6
AS_THEY_ARE = frozenset({*INTEGERS, "boolean", "double", "varchar", "char"})
"""Types whose JSON is what Arrow takes, whole columns at a time; `real` is rounded by Python first, as ever."""


def arrow_type(signature: Signature) -> pa.DataType:
    """The Arrow type of a Trino type."""
    raw, arguments = signature["rawType"], signature.get("arguments") or []
    if raw in INTEGERS:
        return INTEGERS[raw]
    if raw == "decimal":
        return pa.decimal128(int(arguments[0]["value"]), int(arguments[1]["value"]))
    if raw in ("timestamp", "timestamp with time zone", "time") and _precision(arguments) > MICROSECONDS:
        return pa.string()
    if raw == "array":
        return pa.list_(arrow_type(arguments[0]["value"]))
    if raw == "map":
        return pa.map_(arrow_type(arguments[0]["value"]), arrow_type(arguments[1]["value"]))
    if raw == "row":
        return pa.struct([(_field_name(part, at), arrow_type(_field_type(part))) for at, part in enumerate(arguments)])
    plain = {
        "boolean": pa.bool_(),
        "real": pa.float32(),
        "double": pa.float64(),
        "varbinary": pa.binary(),
        "date": pa.date32(),
        "time": pa.time64("us"),
        "timestamp": pa.timestamp("us"),
        "timestamp with time zone": pa.timestamp("us", "UTC"),
    }
    return plain.get(raw, pa.string())


def column(values: Sequence[Any], signature: Signature) -> pa.Array:
    """One column of a page."""
    type_ = arrow_type(signature)
    if pa.types.is_decimal(type_) or pa.types.is_date(type_):
        return pa.array(values, pa.string()).cast(type_)
    if pa.types.is_timestamp(type_):
        return _timestamps(values, type_)
    if signature["rawType"] in AS_THEY_ARE:
        try:
            return pa.array(values, type_)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            pass  # a double that is "NaN" or "Infinity" in JSON
    convert = converter(signature)
    return pa.array([None if value is None else convert(value) for value in values], type_)


def columns(rows: Sequence[Sequence[Any]], signatures: Sequence[Signature]) -> list[pa.Array]:
    """All columns of some rows. Raises `ValueError` where a row has more or fewer values than there are columns."""
    return [column(values, type_) for values, type_ in zip(zip(*rows, strict=True), signatures, strict=True)]


def converter(signature: Signature) -> Callable[[Any], Any]:
    """From a JSON value to what Arrow takes for the type, for a value that is not NULL."""
    raw, arguments = signature["rawType"], signature.get("arguments") or []
    type_ = arrow_type(signature)
    if raw == "array":
        return _optional_list(converter(arguments[0]["value"]))
    if raw == "map":
        return _map(
            converter(arguments[0]["value"]), converter(arguments[1]["value"]), arguments[0]["value"]["rawType"]
        )
    if raw == "row":
        names = [_field_name(part, at) for at, part in enumerate(arguments)]
        return _row(names, [converter(_field_type(part)) for part in arguments])
    if pa.types.is_timestamp(type_):
        return _zoned if type_.tz else _moment
    if pa.types.is_string(type_):
        return str
    scalar: dict[str, Callable[[Any], Any]] = {
        "real": float,
        "double": float,
        "decimal": Decimal,
        "varbinary": base64.b64decode,
        "date": date.fromisoformat,
        "time": time.fromisoformat,
    }
    return scalar.get(raw, _same)


def _same(value: Any) -> Any:
    return value


def _optional_list(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda values: [None if value is None else convert(value) for value in values]


def _map(key: Callable[[Any], Any], value: Callable[[Any], Any], key_type: str) -> Callable[[Any], Any]:
    """JSON has text keys only: numbers and booleans are read back from them."""
    read_key = _number_or_boolean if key_type in (*INTEGERS, "boolean") else key
    return lambda pairs: [(read_key(k), None if v is None else value(v)) for k, v in pairs.items()]


def _number_or_boolean(text: str) -> int | bool:
    return text == "true" if text in ("true", "false") else int(text)


def _row(names: list[str], converters: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    def convert(values: Sequence[Any]) -> dict[str, Any]:
        parts = zip(names, converters, values, strict=True)
        return {name: None if value is None else change(value) for name, change, value in parts}

    return convert


def _timestamps(values: Sequence[Any], type_: pa.DataType) -> pa.Array:
    if type_.tz is None:
        return pa.array(values, pa.string()).cast(type_)
    if all(value is None or value.endswith(" UTC") for value in values):
        plain = [None if value is None else value[:-4] for value in values]
        return pa.array(plain, pa.string()).cast(pa.timestamp("us")).cast(type_)
    return pa.array([None if value is None else _zoned(value) for value in values], type_)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _zoned(text: str) -> datetime:
    """`2013-01-01 10:00:00.000 America/New_York` or `... +02:00`, as an instant."""
    moment, _, zone = text.rpartition(" ")
    try:
        return datetime.fromisoformat(moment).replace(tzinfo=_zone(zone)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text} is outside of the years 1 to 9999 in UTC") from error


def _zone(name: str) -> timezone | ZoneInfo:
    if name == "UTC":
        return UTC
    if name[0] in "+-":
        hours, minutes = int(name[1:3]), int(name[4:6])
        offset = timedelta(hours=hours, minutes=minutes)
        return timezone(-offset if name[0] == "-" else offset)
    return ZoneInfo(name)


def _precision(arguments: Sequence[Mapping[str, Any]]) -> int:
    return int(arguments[0]["value"]) if arguments else 3


def _field_name(argument: Mapping[str, Any], at: int) -> str:
    name = argument["value"].get("fieldName") if argument["kind"] == "NAMED_TYPE" else None
    return str(name["name"]) if name else f"field{at}"


def _field_type(argument: Mapping[str, Any]) -> Signature:
    signature: Signature = argument["value"]["typeSignature"] if argument["kind"] == "NAMED_TYPE" else argument["value"]
    return signature

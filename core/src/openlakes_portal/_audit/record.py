"""What an audit record is, and the form in which it is chained.

Every process is a *writer* with a chain of its own: a record's `hash` is the SHA-256 of its canonical form, which
holds the `hash` of the writer's record before it. The canonical form is JSON with sorted keys and no white space, in
UTF-8 (that is RFC 8785 for texts, whole numbers and booleans); it holds every field but `id` and `hash`.
"""

import dataclasses
import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, SecretBytes, SecretStr

from openlakes_portal.spi import Principal

Phase = Literal["intent", "outcome", "event"]
MAX_TEXT = 500
MAX_VALUE = 16 * 1024
"""Bytes of `before` and of `after`; what is larger is represented by its digest."""
MAX_DEPTH = 8
HIDDEN = "(secret)"


@dataclass(frozen=True)
class AuditRecord:
    """One record. `actor` is `issuer#subject`, or `anonymous`; `session` names a session or an API token."""

    id: int
    at: datetime
    actor: str
    actor_name: str
    session: str | None
    action: str
    object: str
    phase: Phase
    result: str
    request_id: str
    address: str | None
    details: dict[str, Any]
    writer: str
    seq: int
    prev: str
    hash: str


@dataclass(frozen=True)
class Entry:
    """What is to be recorded. `before`, `after` and `upstream_id` belong to an outcome."""

    action: str
    request_id: str
    principal: Principal | None = None
    object: str = ""
    address: str | None = None
    details: dict[str, str] = field(default_factory=dict)
    before: Any = None
    after: Any = None
    upstream_id: str | None = None

    def values(self, phase: Phase, result: str, at: datetime) -> dict[str, Any]:
        """The fields of the record, clean and bounded, without its place in the chain."""
        principal = self.principal
        details: dict[str, Any] = {clean(key, 80): clean(value) for key, value in self.details.items()}
        if phase != "intent":
            for name, value in (("before", self.before), ("after", self.after)):
                if value is not None:
                    details[name] = bounded(redacted(value))
            if self.upstream_id is not None:
                details["upstream_id"] = clean(self.upstream_id)
        return {
            "at": at,
            "actor": clean(principal.identity) if principal else "anonymous",
            "actor_name": clean(principal.username) if principal else "anonymous",
            "session": principal.session_id if principal else None,
            "action": clean(self.action),
            "object": clean(self.object),
            "phase": phase,
            "result": clean(result),
            "request_id": self.request_id,
            "address": self.address,
            "details": details,
        }


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """Text on one line: every control, format, surrogate and line separator character escaped, and bounded."""
    out = "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else f"\\u{ord(c):04x}"
        for c in text[: limit * 2]
    )
    return out if len(out) <= limit else out[: limit - 1] + "…"


def redacted(value: Any, depth: int = 0) -> Any:
    """A value as JSON, clean, with every `SecretStr` and all bytes hidden: by type, so that no name is guessed at."""
    if isinstance(value, SecretStr | SecretBytes | bytes | bytearray):
        return HIDDEN
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, BaseModel):
        return redacted({name: getattr(value, name) for name in type(value).model_fields}, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return redacted({f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, depth)
    if isinstance(value, Mapping):
        return {clean(str(key), 80): redacted(item, depth + 1) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [redacted(item, depth + 1) for item in sorted(value, key=str)]
    if isinstance(value, list | tuple):
        return [redacted(item, depth + 1) for item in value]
    if isinstance(value, datetime):
        return timestamp(value)
    return clean(str(value))


def bounded(value: Any) -> Any:
    """The value, or its size and digest where it is larger than `MAX_VALUE`."""
    text = canonical(value)
    if len(text) <= MAX_VALUE:
        return value
    return {"too_large": True, "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def timestamp(at: datetime) -> str:
    """A time in UTC to the microsecond, always in the same form (RFC 3339)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(value: Any) -> bytes:
    """The one form in which a value is hashed and signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(fields: Mapping[str, Any]) -> str:
    """The hash of a record, from its fields as they are exported (`at` as text); `id` and `hash` do not count."""
    counted = {name: value for name, value in fields.items() if name not in ("id", "hash", "type")}
    return hashlib.sha256(canonical(counted)).hexdigest()


def chained(values: Mapping[str, Any], writer: str, seq: int, prev: str) -> dict[str, Any]:
    """The fields of a record with its place in the chain and its hash."""
    linked = {**values, "writer": writer, "seq": seq, "prev": prev}
    return {**linked, "hash": digest({**linked, "at": timestamp(values["at"])})}

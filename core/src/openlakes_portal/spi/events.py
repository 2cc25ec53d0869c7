"""Audit event types: what can happen, with a version, so that records stay readable for years."""

import re
from dataclasses import dataclass

EVENT_TYPE = re.compile(r"^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*(?:\.[a-z][a-z0-9_-]*)+$")


@dataclass(frozen=True)
class AuditEventType:
    """An audit event: `<plugin id>.<thing>.<what happened>`, its version, and the sentence that describes it."""

    name: str
    description: str
    version: int = 1

    def __post_init__(self) -> None:
        if not EVENT_TYPE.match(self.name):
            raise ValueError(f"audit event {self.name!r} is not '<plugin id>.<what>' in lower case")

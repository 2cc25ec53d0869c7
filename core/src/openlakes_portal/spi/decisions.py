"""Deciding who may: what is asked, what a plugin's decider says to it, and what comes out.

Bindings give; a decider of the plugin that owns the permission may give more, or take away. Where one decider takes
away nothing gives it back. A decider that raises, answers wrongly or is late takes away too, and is named.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from openlakes_portal.spi.access import Principal


@dataclass(frozen=True)
class Question:
    """May `principal` do what `permission` names, to `resource` (`catalog=lakehouse/schema=nyc_taxi`), or, where it is
    None, at all? `given` says whether bindings give it."""

    principal: Principal
    permission: str
    resource: str | None
    given: bool


@dataclass(frozen=True)
class Verdict:
    """A decider's word. `reason` is one sentence for the person who is refused and for the admin who wonders."""

    allowed: bool
    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("a Verdict needs a reason: the person who is refused reads it")


@dataclass(frozen=True)
class Decider:
    """Decides about permissions of its own plugin, and is never asked about others.

    `decide` answers within `timeout` seconds (at most 5), or returns None where it has no opinion. It runs in the
    plugin's lane, as searches do; without it the decider only knows owners. Its answers are kept for `cache_seconds`
    (0 to 1), which bounds how late a change is seen. `owner` says whose a resource is (`Principal.identity`), None
    where it knows of none: owners may grant access to what is theirs.
    """

    name: str
    decide: Callable[[Question], Awaitable[Verdict | None]] | None = None
    owner: Callable[[str], Awaitable[str | None]] | None = None
    timeout: float = 0.5
    cache_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.timeout <= 5:
            raise ValueError(f"decider {self.name!r}: timeout must be more than 0 and at most 5 seconds")
        if not 0 <= self.cache_seconds <= 1:
            raise ValueError(f"decider {self.name!r}: cache_seconds must be between 0 and 1")


@dataclass(frozen=True)
class DecisionStep:
    """One link of the chain: a binding, a role, a decider or the default, what it said, and why."""

    kind: Literal["account", "binding", "role", "decider", "default"]
    name: str
    outcome: Literal["allows", "denies", "no opinion"]
    detail: str


@dataclass(frozen=True)
class Decision:
    """The answer to a question. `decided_by` names the step that settled it: `binding <id>`, `decider <plugin>.<name>`,
    `account` (it is disabled) or `default` (nothing gives it)."""

    allowed: bool
    permission: str
    resource: str | None
    decided_by: str
    chain: tuple[DecisionStep, ...] = ()


def resource_of(**names: str) -> str:
    """`resource_of(catalog="lakehouse", schema="nyc taxi")` is `catalog=lakehouse/schema=nyc%20taxi`."""
    return "/".join(f"{key}={quote(value, safe='-_.~@:+,()[]')}" for key, value in names.items())

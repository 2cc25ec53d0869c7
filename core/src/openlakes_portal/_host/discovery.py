"""Finding installed plugins without importing any of them. Metadata of strangers is text to be distrusted."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from openlakes_portal._host.records import StageFailed
from openlakes_portal._settings.load import normalise

GROUP = "openlakes_portal.plugins"
ID = re.compile(r"^[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*$")
MAX_ID = 40
RESERVED = frozenset({"core", "portal", "openlakes"})


@dataclass(frozen=True)
class Candidate:
    """An entry point of the group, not loaded yet."""

    id: str
    distribution: str
    version: str
    entry_point: EntryPoint
    problem: StageFailed | None = None


def safe_text(text: str, limit: int) -> str:
    """Foreign text on one line: printable characters only, bounded."""
    printable = "".join(c if unicodedata.category(c)[0] not in "CZ" or c == " " else "?" for c in text[: limit + 1])
    return printable if len(printable) <= limit else printable[: limit - 1] + "…"


def discover(entries: Iterable[EntryPoint] | None = None) -> list[Candidate]:
    """All candidates in a fixed order: by distribution, then by name.

    Of two that claim one id (`-` and `_` alike) the first in that order keeps it; the other is refused.
    """
    found = []
    for entry in entry_points(group=GROUP) if entries is None else entries:
        distribution, version = _origin(entry)
        found.append(Candidate(safe_text(entry.name, MAX_ID), distribution, version, entry, _name_problem(entry.name)))
    found.sort(key=lambda c: (c.distribution, c.id, c.entry_point.value))
    return _without_duplicates(found)


def _origin(entry: EntryPoint) -> tuple[str, str]:
    dist = entry.dist
    if dist is None:
        return "?", "?"
    return safe_text(str(dist.metadata["Name"] or "?"), 80), safe_text(str(dist.version or "?"), 40)


def _name_problem(name: str) -> StageFailed | None:
    remedy = "Rename the entry point: lower-case letters and digits joined by '-' or '_', at most 40 characters."
    if len(name) > MAX_ID or not ID.match(name):
        return StageFailed("discover", "The entry point's name is no plugin id.", remedy)
    if name in RESERVED:
        return StageFailed("discover", f"The id {name!r} belongs to the portal itself.", remedy)
    return None


def _without_duplicates(candidates: list[Candidate]) -> list[Candidate]:
    first: dict[str, Candidate] = {}
    kept = []
    for candidate in candidates:
        holder = first.setdefault(normalise(candidate.id), candidate)
        if holder is candidate:
            kept.append(candidate)
            continue
        if (holder.distribution, holder.entry_point.value) == (candidate.distribution, candidate.entry_point.value):
            continue  # the same distribution, seen twice on sys.path
        problem = candidate.problem or StageFailed(
            "discover",
            f"The id {candidate.id!r} is already taken by the distribution {holder.distribution!r}.",
            f"Uninstall {candidate.distribution!r} or {holder.distribution!r}.",
        )
        kept.append(Candidate(candidate.id, candidate.distribution, candidate.version, candidate.entry_point, problem))
    return kept

"""The route table: a tree by path segment, so that the cost of a match does not grow with the number of routes.

A literal segment wins over a parameter. A target is canonical or it is refused: what is authorised is what is served.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

from openlakes_portal._http.endpoint import CompiledEndpoint
from openlakes_portal.spi import Access, AsgiRoute, BadRequest, Route

ENCODED_TRAPS = re.compile(rb"%(?:2e|2f|5c|00|0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
LONGEST_REMEMBERED = 256
"""Bytes; so the memory of it stays below 2 MB whatever is asked for."""
SAFE_IN_RESOURCE = "-_.~@:+,()[]"
FORBIDDEN = re.compile(rb"[\x00-\x20\x7f\\]|//|/\.{1,2}(?:/|$)")


@dataclass(frozen=True)
class BoundRoute:
    """A route of a plugin at its place: the full template, who it belongs to, what its endpoint takes."""

    template: str
    plugin_id: str
    route: Route
    endpoint: CompiledEndpoint
    label: bytes

    @property
    def access(self) -> Access:
        """Who may call it."""
        return self.route.access


@dataclass(frozen=True)
class BoundAsgi:
    """A raw ASGI route of a plugin at its place."""

    template: str
    plugin_id: str
    route: AsgiRoute
    label: bytes


@dataclass
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    routes: dict[str, tuple[BoundRoute, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """A route and the values of its path parameters."""

    bound: BoundRoute
    parameters: dict[str, str]


class RouteTable:
    """All routes. Built once, read only afterwards."""

    def __init__(self, routes: Iterable[BoundRoute]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        self._plain: dict[tuple[str, str], Match] = {}
        for bound in self.routes:
            self._add(bound)

    def _add(self, bound: BoundRoute) -> None:
        node, names = self._root, []
        for part in bound.template.strip("/").split("/"):
            if part.startswith("{"):
                names.append(part[1:-1])
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(part, _Node())
        node.routes[bound.route.method] = (bound, tuple(names))
        if not names:
            self._plain[bound.route.method, "/" + bound.template.strip("/")] = Match(bound, {})

    def match(self, method: str, path: str) -> Match | list[str]:
        """The match, or the methods that the path has (empty: no such path)."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain
        found = self._find(self._root, path.strip("/").split("/") if path != "/" else [""], 0, [])
        if found is None or (path.endswith("/") and path != "/"):
            return []
        node, values = found
        entry = node.routes.get(method)
        if entry is None:
            return sorted({*node.routes, "HEAD"} if "GET" in node.routes else node.routes)
        bound, names = entry
        return Match(bound, dict(zip(names, values, strict=True)))

    def _find(self, node: _Node, parts: list[str], at: int, values: list[str]) -> tuple[_Node, list[str]] | None:
        if at == len(parts):
            return (node, values) if node.routes else None
        part = parts[at]
        literal = node.literals.get(part)
        if literal is not None:
            found = self._find(literal, parts, at + 1, values)
            if found is not None:
                return found
        if node.parameter is not None and part:
            return self._find(node.parameter, parts, at + 1, [*values, part])
        return None


def resource_in(template: str, parameters: Mapping[str, str]) -> str:
    """A route's resource with the values of this request in it, percent-encoded: a value cannot add a segment."""
    return "/".join(
        f"{key}={quote(parameters[value[1:-1]] if value.startswith('{') else value, safe=SAFE_IN_RESOURCE)}"
        for key, _, value in (part.partition("=") for part in template.split("/"))
    )


def canonical_path(raw_path: bytes) -> str:
    """What `canonicalise` says; remembered for short targets, because the same few are asked for all the time."""
    return _remembered(raw_path) if len(raw_path) <= LONGEST_REMEMBERED else canonicalise(raw_path)


def canonicalise(raw_path: bytes) -> str:
    """The path of a request target, decoded; `BadRequest` unless it is canonical as it was sent.

    Dot segments, empty segments, backslashes, control characters, and percent-encodings of dots, slashes, backslashes
    and control characters are refused, not repaired.
    """
    path = raw_path.split(b"?", 1)[0]
    if not path.startswith(b"/") or FORBIDDEN.search(path) or ENCODED_TRAPS.search(path):
        raise BadRequest("The path of this request is not in its canonical form.")
    if b"%" in path and re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        raise BadRequest("The path holds a broken percent-encoding.")
    try:
        return unquote_to_bytes(path).decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("The path is not UTF-8.") from None


_remembered = lru_cache(maxsize=4096)(canonicalise)

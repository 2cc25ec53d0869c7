"""Resources and filters: `catalog=lakehouse/schema=nyc_taxi/table=trips` and `catalog=lakehouse/schema=nyc_*`.

A resource is a path of `key=value` segments. A filter looks the same, with `*` in its values for any run of characters.
It matches a resource that has each of its keys with a value that matches; what the filter does not name is free.
Values are compared as they are (no case folding, no normalisation); `/`, `%` and `*` in a name are percent-encoded.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

MAX_LENGTH = 500
_KEY = r"[a-z][a-z0-9_-]{0,39}"
_SEGMENT = re.compile(rf"^({_KEY})=([^/=\s\x00-\x1f]{{1,200}})$")


class ResourceError(ValueError):
    """The text is no resource, or no filter, in words for who wrote it."""


@lru_cache(maxsize=4096)
def parse(text: str) -> tuple[tuple[str, str], ...]:
    """Keys with their raw values, in order. Raises `ResourceError`."""
    if len(text) > MAX_LENGTH:
        raise ResourceError(f"a resource has at most {MAX_LENGTH} characters")
    found: dict[str, str] = {}
    for part in text.split("/"):
        match = _SEGMENT.match(part)
        if match is None or not part.isprintable():
            raise ResourceError(f"{part[:60]!r} is not key=value, as in catalog=lakehouse/schema=nyc_*")
        if match[1] in found:
            raise ResourceError(f"the key {match[1]!r} stands twice")
        found[match[1]] = match[2]
    return tuple(found.items())


def check_resource(text: str) -> str:
    """A resource that is one thing. Raises `ResourceError`, also for a `*`."""
    if any("*" in value for _, value in parse(text)):
        raise ResourceError("a resource names one thing: write %2A for a star in its name")
    return text


def check_filter(text: str) -> str:
    """A filter. Raises `ResourceError`."""
    parse(text)
    return text


@lru_cache(maxsize=4096)
def _pieces(value: str) -> tuple[str, ...]:
    return tuple(unquote(piece) for piece in value.split("*"))


def _fits(pattern: str, value: str) -> bool:
    """First and last piece at the ends, the others in between in order: linear, whatever the pattern is."""
    first, *others = _pieces(pattern)
    if not others:
        return value == first
    *middle, last = others
    if not value.startswith(first) or len(value) < len(first) + len(last) or not value.endswith(last):
        return False
    at, end = len(first), len(value) - len(last)
    for piece in middle:
        found = value.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True


def matches(filter: str, resource: str) -> bool:
    """Whether the filter covers the resource. Raises `ResourceError` for what is neither."""
    has = dict(parse(check_resource(resource)))
    return all(key in has and _fits(value, unquote(has[key])) for key, value in parse(filter))

"""What can be wrong with settings, in words that name the key, the place it was set, and the way out."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError


@dataclass(frozen=True)
class SettingProblem:
    """One wrong setting: its dotted key, where it was set, what is wrong."""

    key: str
    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.key} ({self.source}): {self.message}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` says why, one by one."""

    def __init__(self, problems: Iterable[SettingProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a known name is close, else the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known keys here: {', '.join(names)}" if names else ""


def fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> Iterable[str]:
    """Names of the fields of the model that stands at `path` below `model`."""
    current: Any = model
    for part in path:
        fields = getattr(current, "model_fields", {})
        if part not in fields:
            return ()
        annotation = fields[part].annotation
        options = [annotation, *getattr(annotation, "__args__", ())]
        current = next((o for o in options if isinstance(o, type) and issubclass(o, BaseModel)), None)
    return list(getattr(current, "model_fields", {}))


def problems_of(
    error: ValidationError, model: type[BaseModel], sources: dict[str, str], prefix: str = ""
) -> list[SettingProblem]:
    """A pydantic error as problems; never repeats the value, which may be a secret."""
    found = []
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        path = item["loc"]
        key = prefix + ".".join(str(part) for part in path)
        source = next((sources[k] for k in _ancestors(key) if k in sources), "default")
        if item["type"] == "extra_forbidden":
            message = f"unknown key{nearest(str(path[-1]), fields_at(model, path[:-1]))}"
        elif item["type"] == "missing":
            message, source = "must be set", "not set"
        else:
            message = item["msg"].removeprefix("Value error, ")
        found.append(SettingProblem(key, source, message))
    return found


def _ancestors(key: str) -> Iterable[str]:
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        yield ".".join(parts[:end])

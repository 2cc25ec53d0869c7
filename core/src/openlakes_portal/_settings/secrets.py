"""Secret references: `{"file": "/path"}`, `{"env": "NAME"}`, `{"vault": "path#key"}` in place of a value."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openlakes_portal._settings.errors import SettingProblem

KINDS = ("file", "env", "vault")
MAX_SECRET = 64 * 1024


def is_reference(value: object) -> bool:
    """Whether a value of the tree is a reference to a secret."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in KINDS


def resolve(tree: Mapping[str, Any], sources: Mapping[str, str]) -> tuple[dict[str, Any], list[SettingProblem]]:
    """The tree with each reference replaced by the secret, and what could not be read.

    A reference that fails is left out of the tree, so that no half-read value is used.
    """
    problems: list[SettingProblem] = []

    def walk(value: Any, path: str) -> Any:
        if is_reference(value):
            kind, target = next(iter(value.items()))
            try:
                return read(kind, str(target))
            except (OSError, LookupError, ValueError) as error:
                problems.append(SettingProblem(path, sources.get(path, "file"), str(error)))
                return None
        if isinstance(value, Mapping):
            return {key: walk(item, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [walk(item, path) for item in value]
        return value

    return walk(tree, ""), problems


def read(kind: str, target: str) -> str:
    """One secret. Raises an error whose text names the reference and never the secret."""
    if kind == "env":
        if target not in os.environ:
            raise LookupError(f"the environment variable {target} is not set")
        return os.environ[target]
    if kind == "file":
        path = Path(target)
        if not path.is_file():
            raise LookupError(f"the secret file {target} does not exist or is not a file")
        if path.stat().st_size > MAX_SECRET:
            raise ValueError(f"the secret file {target} is larger than {MAX_SECRET} bytes")
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    raise LookupError(
        f"the reference {{vault: {target}}} needs a provider of secrets, and none is installed; "
        "use {file: ...} or {env: ...} until one is"
    )

"""Reading settings: defaults, then the demo's overlay, then the file, then the environment; later ones win.

The environment is flat: `OPENLAKES_SERVER__PUBLIC_URL`, `OPENLAKES_PLUGINS__ACME_THING__ADDRESS`; values that start
with `{` or `[` are JSON. The result knows of each key where it was set.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from openlakes_portal._settings.errors import SettingProblem, SettingsError, problems_of
from openlakes_portal._settings.model import Settings
from openlakes_portal._settings.secrets import is_reference, resolve

PREFIX = "OPENLAKES_"
MASK = "********"


@dataclass(frozen=True)
class LoadedSettings:
    """The typed settings, the raw tree of every plugin (secrets resolved), and the source of each key."""

    settings: Settings
    sources: Mapping[str, str] = field(default_factory=dict)

    def plugin(self, plugin_id: str) -> dict[str, Any]:
        """The raw settings of one plugin; `-` and `_` in its id are the same."""
        wanted = normalise(plugin_id)
        merged: dict[str, Any] = {}
        for name, values in self.settings.plugins.items():
            if normalise(name) == wanted:
                merged = merge(merged, values)
        return merged

    def plugin_sources(self, plugin_id: str) -> dict[str, str]:
        """Where each key of one plugin was set, by the key within the plugin."""
        wanted = normalise(plugin_id)
        found = {}
        for key, source in self.sources.items():
            parts = key.split(".", 2)
            if len(parts) == 3 and parts[0] == "plugins" and normalise(parts[1]) == wanted:
                found[parts[2]] = source
        return found


def normalise(plugin_id: str) -> str:
    """A plugin's id for comparison: lower case, `-` and `_` alike."""
    return plugin_id.lower().replace("-", "_")


def load(
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overlay: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> LoadedSettings:
    """Read everything. `overlay` lies below the file (the demo), `overrides` above the environment (the command
    line). Raises `SettingsError` with every problem found."""
    environ = os.environ if environ is None else environ
    if config is None and environ.get("OPENLAKES_CONFIG"):
        config = Path(environ["OPENLAKES_CONFIG"])
    tree: dict[str, Any] = {}
    sources: dict[str, str] = {}
    layers = [
        ("demo", overlay or {}),
        ("file", read_file(config) if config else {}),
        ("environment", read_environment(environ)),
        ("command line", overrides or {}),
    ]
    for source, layer in layers:
        for key in leaves(layer):
            for old in [k for k in sources if k.startswith(key + ".") or key.startswith(k + ".")]:
                del sources[old]
            sources[key] = source
        tree = merge(tree, layer)
    resolved, problems = resolve(tree, sources)
    try:
        settings = Settings.model_validate(resolved)
    except ValidationError as error:
        problems += problems_of(error, Settings, sources)
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return LoadedSettings(settings, sources)


def read_file(path: Path) -> dict[str, Any]:
    """A YAML file as a tree. Duplicate keys, anchors bombs and tags beyond plain data are refused."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError([SettingProblem("(file)", str(path), f"cannot be read: {error.strerror}")]) from None
    try:
        data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that also refuses duplicates
    except yaml.YAMLError as error:
        raise SettingsError([SettingProblem("(file)", str(path), f"is not valid YAML: {error}")]) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SettingsError([SettingProblem("(file)", str(path), "must hold a mapping of sections")])
    return data


class _StrictLoader(yaml.SafeLoader):
    """YAML's plain data, without duplicate keys and without aliases (no use here, and the means of a bomb)."""

    def compose_node(self, parent: yaml.nodes.Node | None, index: int) -> yaml.nodes.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", None)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.nodes.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key!r}", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The tree that the environment variables spell. Only names with a section (`__`) are settings."""
    tree: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        path = [part.lower() for part in name[len(PREFIX) :].split("__")]
        tree = merge(tree, _nested(path, _value(name, environ[name])))
    return tree


def _value(name: str, text: str) -> Any:
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            message = f"starts like JSON and is none: {error.msg} at column {error.colno}"
            raise SettingsError([SettingProblem(name, "environment", message)]) from None
    return text


def _nested(path: list[str], value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    return value  # type: ignore[no-any-return]  # at least one part: it is a dict


def merge(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Two trees as one; `high` wins, mappings are merged key by key, a secret reference is one value."""
    out = dict(low)
    for key, value in high.items():
        old = out.get(key)
        if (
            isinstance(old, Mapping)
            and isinstance(value, Mapping)
            and not is_reference(value)
            and not is_reference(old)
        ):
            out[key] = merge(old, value)
        else:
            out[key] = value
    return out


def leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted keys of the values of a tree; a secret reference and an empty mapping count as values."""
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value and not is_reference(value):
            yield from leaves(value, f"{path}.")
        else:
            yield path


@dataclass(frozen=True)
class EffectiveSetting:
    """One setting as it is in force; a secret's value is masked."""

    key: str
    value: Any
    source: str
    description: str
    secret: bool


def effective(model: BaseModel, sources: Mapping[str, str], prefix: str = "") -> list[EffectiveSetting]:
    """Every leaf of a model, in order of declaration."""
    found: list[EffectiveSetting] = []
    for name, info in type(model).model_fields.items():
        value, key = getattr(model, name), f"{prefix}{name}"
        if isinstance(value, BaseModel):
            found += effective(value, sources, f"{key}.")
            continue
        source = next((s for k, s in sources.items() if k == key or k.startswith(key + ".")), "default")
        secret = "SecretStr" in str(info.annotation)
        shown = (MASK if value is not None else None) if secret else _plain(value)
        found.append(EffectiveSetting(key, shown, source, info.description or "", secret))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, BaseModel):
        return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)

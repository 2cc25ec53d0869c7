"""`make docs`: the reference under docs/reference, made from the code of this checkout. tests/test_docs.py compares.

What is there: settings, hooks, permissions, routes, commands, blocks and icons, and the API report of the SPI, which
turns every change of a public name into a line of a diff.
"""

import asyncio
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import api_report
import command_reference
from bootstrap.paths import ROOT, Checkout
from openlakes_portal import spi
from openlakes_portal._host.contribution import Contribution
from openlakes_portal._host.discovery import discover
from openlakes_portal._host.registry import Registry
from openlakes_portal._http.documents import DOCUMENTS
from openlakes_portal._http.openapi import build_openapi
from openlakes_portal._settings.model import Settings, default_data_dir
from openlakes_portal.spi import ROLES, blocks
from openlakes_portal.testing import portal_for

REFERENCE = ROOT / "docs" / "reference"
MADE = "<!-- Made by `make docs` from the code; a test compares. Do not edit. -->"


@dataclass(frozen=True)
class Subject:
    """What the pages speak of: the plugins of this checkout as a running portal has them, and its OpenAPI."""

    plugins: tuple[Contribution, ...]
    registry: Registry
    openapi: Mapping[str, Any]


async def subject(checkout: Checkout) -> Subject:
    """Start a portal with the plugins of this checkout, and look."""
    names = {tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"] for folder in checkout.plugins}
    candidates = [candidate for candidate in discover() if candidate.distribution in names]
    with tempfile.TemporaryDirectory(prefix="openlakes-docs-") as folder:
        async with portal_for(Path(folder), candidates=candidates) as running:
            registry = running.app.portal.registry
            broken = [record for record in registry.records if record.state != "active"]
            if broken:
                raise RuntimeError(f"these plugins cannot be described: {broken}")
            plugins = tuple(each for each in registry.contributions if not each.builtin)
            return Subject(plugins, registry, build_openapi(registry, DOCUMENTS))


def settings_page(seen: Subject) -> str:
    """Every setting of core and of each plugin."""
    parts = [
        _head("Settings", "How they are given stands in [configuration](../operators/configuration.md)."),
        "In the environment `server.port` is `OPENLAKES_SERVER__PORT`; a plugin's setting is "
        "`OPENLAKES_PLUGINS__<ID>__<KEY>`.",
    ]
    for name, info in Settings.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            parts += [f"## `{name}`", _settings_table(section, f"{name}.")]
    parts += ["## `plugins`", "Each plugin also knows `plugins.<id>.enabled`: `false` switches it off unimported."]
    for plugin in seen.plugins:
        parts += [f"### `plugins.{plugin.id}`", _settings_table(type(plugin.settings), f"plugins.{plugin.id}.")]
    return _page(parts)


def _settings_table(model: type[BaseModel], prefix: str) -> str:
    return _table(("Key", "Type", "Default", "Meaning"), _settings_rows(model, prefix))


def _settings_rows(model: type[BaseModel], prefix: str) -> Iterable[tuple[str, ...]]:
    for attribute, info in model.model_fields.items():
        name = info.alias or attribute
        inner = _model_within(info.annotation)
        if inner is info.annotation and inner is not None:
            yield from _settings_rows(inner, f"{prefix}{name}.")
            continue
        yield f"`{prefix}{name}`", f"`{_type(info.annotation)}`", _default(info), info.description or ""
        if inner is not None:
            many = "[]" if "tuple" in str(info.annotation) or "list" in str(info.annotation) else ""
            many = ".<name>" if "dict" in str(info.annotation) else many
            yield from _settings_rows(inner, f"{prefix}{name}{many}.")


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_within(part)) is not None), None)


def _type(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text).replace("SecretStr", "secret").replace("NoneType", "None")


def _default(info: Any) -> str:
    if info.is_required():
        return "(needed)"
    if info.default_factory is default_data_dir:
        return "`openlakes` in `$XDG_DATA_HOME`, else in `~/.local/share`"
    value = info.get_default(call_default_factory=True) if info.default is PydanticUndefined else info.default
    if isinstance(value, tuple | list) and any(isinstance(item, BaseModel) for item in value):
        value = [item.model_dump(exclude_unset=True) for item in value]
    return "(empty)" if value == "" else f"`{list(value) if isinstance(value, tuple) else value}`"


def hooks_page(seen: Subject) -> str:
    """Every hook as it must be written."""
    parts = [_head("Hooks", api_report.module_doc(spi.hookspecs)), f"Contract version: `{spi.CONTRACT_VERSION}`."]
    for function in api_report.functions(spi.hookspecs):
        if function.decorated_by("hookspec"):
            parts += [f"## `{function.name}`", f"```python\n@hookimpl\n{function.signature}\n```", function.doc]
    return _page(parts)


def permissions_page(seen: Subject) -> str:
    """Who holds what from the start."""
    rows = [
        (f"`{p.name}`", p.description, *("yes" if role == ROLES[0] or role in p.roles else "" for role in ROLES))
        for p in sorted(seen.registry.permissions.values(), key=lambda p: p.name)
    ]
    note = "Which role holds which permission from the start. `platform-admin` holds every one, also of later plugins."
    return _page([_head("Permissions", note), _table(("Permission", "May", *ROLES), rows)])


def routes_page(seen: Subject) -> str:
    """Every address and who may use it."""
    rows = []
    for path, operations in sorted(seen.openapi["paths"].items()):
        for method, operation in operations.items():
            rows.append((f"`{method.upper()}`", f"`{path}`", _who(operation), operation["summary"]))
    note = "The whole description, with schemas, is served at `/api/openapi.json`."
    return _page([_head("Routes", note), _table(("Method", "Path", "Who", "What"), rows)])


def _who(operation: Mapping[str, Any]) -> str:
    if "x-public" in operation:
        return f"everybody: {operation['x-public']}"
    if operation["x-permission"] is None:
        return f"whoever is signed in: {operation['x-signed-in']}"
    return f"`{operation['x-permission']}`"


def blocks_page(seen: Subject) -> str:
    """What a declared page is made of."""
    classes = {each.name: each for each in api_report.classes(blocks)}
    kinds = ", ".join(f"`{kind}`" for kind in get_args(blocks.Kind))
    parts = [_head("Blocks and icons", api_report.module_doc(blocks)), "## Blocks"]
    for name in [*(block.__name__ for block in get_args(blocks.Block)), "Column", "Tab", "TimelineEntry"]:
        parts += [f"### `{name}`", classes[name].doc, f"```python\n{classes[name].report}\n```"]
    parts += ["## Kinds of values", kinds, "## Sections of the navigation", ", ".join(spi.SECTIONS)]
    return _page([*parts, "## Icons", ", ".join(f"`{icon}`" for icon in icons())])


def icons() -> list[str]:
    """Names in the console's icon set."""
    source = (ROOT / "core" / "ui" / "src" / "ui" / "icons.tsx").read_text()
    table = re.search(r"const PATHS[^{]*\{(.*?)\n\};", source, re.DOTALL)
    if table is None:
        raise RuntimeError("core/ui/src/ui/icons.tsx has no table PATHS")
    return sorted(re.findall(r'^  "?([a-z-]+)"?: "', table[1], re.MULTILINE))


def cli_page(seen: Subject) -> str:
    """What each command says of itself."""
    note = "Exit status: 0 done, 1 found something wrong, 2 wrong usage."
    parts = [_head("Commands", note)]
    for command, text in command_reference.helps():
        parts += [f"## `{command}`", f"```text\n{text}\n```"]
    return _page(parts)


def api_page(seen: Subject) -> str:
    """The API report."""
    return api_report.report()


PAGES: dict[str, Callable[[Subject], str]] = {
    "settings.md": settings_page,
    "hooks.md": hooks_page,
    "permissions.md": permissions_page,
    "routes.md": routes_page,
    "blocks.md": blocks_page,
    "cli.md": cli_page,
    "spi.api.txt": api_page,
}


def write(folder: Path) -> list[Path]:
    """Write every page into a folder; the files."""
    folder.mkdir(parents=True, exist_ok=True)
    seen = asyncio.run(subject(Checkout(ROOT)))
    written = []
    for name, page in PAGES.items():
        file = folder / name
        file.write_text(page(seen), "utf-8")
        written.append(file)
    return written


def differences(committed: Path, fresh: Path) -> list[str]:
    """Names of pages that are not what the code says."""
    return [
        name
        for name in PAGES
        if not (committed / name).is_file() or (committed / name).read_bytes() != (fresh / name).read_bytes()
    ]


def _head(title: str, text: str) -> str:
    return f"# {title}\n\n{MADE}\n\n{text}"


def _page(parts: Sequence[str]) -> str:
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    for path in write(Path(sys.argv[1]) if len(sys.argv) > 1 else REFERENCE):
        print(path)

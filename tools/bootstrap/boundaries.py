"""The rules between packages, read off the syntax tree: dynamic imports and loose strings pass import-linter unseen.

Rules, by the name in a finding:

- `spi-stands-alone`: `openlakes_portal.spi` imports nothing else of ours.
- `one-door`: a plugin imports `openlakes_portal.spi` and nothing else of core; its tests also
  `openlakes_portal.testing`.
- `plugins-are-strangers`: a plugin imports no other plugin, and not the stack.
- `core-names-no-plugin`: core, console included, holds no plugin's id, package or distribution, not even in a string.
- `web-framework-stays-in-core`: Starlette is imported neither by the SPI nor by a plugin.
- `no-hidden-imports`: the SPI and plugins import by statements, or by a constant that these rules can read.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bootstrap.paths import Checkout, source_package
from bootstrap.stamps import files_below

CORE = "openlakes_portal"
SPI = "openlakes_portal.spi"
TESTING = "openlakes_portal.testing"
STACK = "openlakes_portal_stack"
FRAMEWORK = "starlette"
ENTRY_POINTS = "openlakes_portal.plugins"

# Names of plugins that are also words of our own: only their unmistakable forms are looked for.
WORDS = frozenset({"lakehouse", "observability", "operations", "vault"})
OUR_MODULES = re.compile(r"openlakes_portal(_\w+)?(\.\w+)*")
# Entry-point groups look like modules and are none.
GROUPS = frozenset({ENTRY_POINTS, "openlakes_portal.commands", "openlakes_portal.demo"})


@dataclass(frozen=True)
class Finding:
    """A place where a rule is broken."""

    rule: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.text}"


@dataclass(frozen=True)
class Name:
    """A module that a file imports, or a string in it, at a line."""

    value: str
    line: int


def check(checkout: Checkout) -> list[Finding]:
    """Every broken rule in a checkout; empty is good."""
    ids = {name: package for plugin in checkout.plugins for name, package in _announced(plugin)}
    findings: list[Finding] = []
    findings += _check_spi(checkout)
    for plugin in checkout.plugins:
        findings += _check_plugin(checkout, plugin)
    findings += _check_core(checkout, ids)
    return findings


def _announced(plugin: Path) -> Iterator[tuple[str, str]]:
    """Ids that a plugin's pyproject announces, and the package each lives in."""
    project = tomllib.loads((plugin / "pyproject.toml").read_text())["project"]
    for name, target in project.get("entry-points", {}).get(ENTRY_POINTS, {}).items():
        yield name, target.split(".")[0].split(":")[0]


def _check_spi(checkout: Checkout) -> Iterator[Finding]:
    for file in _python_files(checkout.root / "core" / "src" / CORE / "spi"):
        for name in [*_imports(file), *_named_modules(file)]:
            if _within(name.value, CORE) and not _within(name.value, SPI):
                yield _finding(checkout, "spi-stands-alone", file, name, f"{name.value} is not part of {SPI}")
        yield from _check_common(checkout, file)


def _check_plugin(checkout: Checkout, plugin: Path) -> Iterator[Finding]:
    package = source_package(plugin)
    for folder, doors in ((package, (SPI,)), (plugin / "tests", (SPI, TESTING))):
        for file in _python_files(folder):
            for name in [*_imports(file), *_named_modules(file)]:
                if not OUR_MODULES.match(name.value) or _within(name.value, package.name):
                    continue
                if not _within(name.value, CORE):
                    text = f"{name.value} belongs to another package; ask for a capability through the SPI"
                    yield _finding(checkout, "plugins-are-strangers", file, name, text)
                elif not any(_within(name.value, door) for door in doors):
                    text = f"{name.value} is private to core; the door is {SPI}"
                    yield _finding(checkout, "one-door", file, name, text)
            if folder == package:
                yield from _check_common(checkout, file)


def _check_common(checkout: Checkout, file: Path) -> Iterator[Finding]:
    for name in [*_imports(file), *_strings(file)]:
        if _within(name.value, FRAMEWORK):
            text = "Starlette stays inside core; use the SPI's own types"
            yield _finding(checkout, "web-framework-stays-in-core", file, name, text)
    for line in _hidden_imports(file):
        text = "an import of a computed name; write the name as a constant"
        yield _finding(checkout, "no-hidden-imports", file, Name("", line), text)


def _check_core(checkout: Checkout, ids: dict[str, str]) -> Iterator[Finding]:
    if not ids:
        return
    pattern = _naming(ids)
    core = checkout.root / "core"
    for file in _python_files(core / "src" / CORE):
        for name in [*_imports(file), *_strings(file), *_identifiers(file)]:
            found = pattern.search(name.value)
            if found:
                yield _finding(checkout, "core-names-no-plugin", file, name, f"core knows of {found.group(0)!r}")
    for file in files_below(core / "ui" / "src"):
        if file.suffix not in (".ts", ".tsx") or ".test." in file.name:
            continue
        for number, line in enumerate(_without_comments(file.read_text()).splitlines(), 1):
            found = pattern.search(line)
            if found:
                yield _finding(
                    checkout, "core-names-no-plugin", file, Name("", number), f"core knows of {found.group(0)!r}"
                )


def _naming(ids: dict[str, str]) -> re.Pattern[str]:
    """What counts as naming a plugin: its package, its distribution, its id as permission or address, or as a word."""
    forms: list[str] = []
    for plugin, package in ids.items():
        flexible = re.escape(plugin).replace(r"\-", "[-_]").replace("_", "[-_]")
        if plugin not in WORDS:
            forms.append(rf"(?<![A-Za-z]){flexible}(?![A-Za-z])")
        forms += [rf"\b{package}\b", rf"\bopenlakes-portal-{flexible}\b"]
        forms += [rf"\b{flexible}:[a-z]", rf"/(plugins|x|apps)/{flexible}\b"]
    return re.compile("|".join(forms), re.IGNORECASE)


def _python_files(folder: Path) -> list[Path]:
    return [file for file in files_below(folder) if file.suffix == ".py"]


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _finding(checkout: Checkout, rule: str, file: Path, name: Name, text: str) -> Finding:
    return Finding(rule, f"{file.relative_to(checkout.root)}:{name.line}", text)


def _nodes(file: Path) -> tuple[ast.AST, ...]:
    return _parsed(file.read_text())


@lru_cache(maxsize=4096)
def _parsed(source: str) -> tuple[ast.AST, ...]:
    """Every node of a source text: several rules read the same files."""
    return tuple(ast.walk(ast.parse(source)))


def _imports(file: Path) -> Iterator[Name]:
    for node in _nodes(file):
        if isinstance(node, ast.Import):
            yield from (Name(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(file, node)
            # `from openlakes_portal import x` may mean the module x: both are looked at.
            bare = base == CORE
            yield from (Name(f"{base}.{alias.name}" if bare else base, node.lineno) for alias in node.names)


def _absolute(file: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = file.with_suffix("").parts
    inside = parts[parts.index("src") + 1 :] if "src" in parts else parts[-2:]
    return ".".join([*inside[: len(inside) - node.level], *([node.module] if node.module else [])])


def _strings(file: Path) -> Iterator[Name]:
    for node in _nodes(file):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Name(node.value, node.lineno)


def _named_modules(file: Path) -> Iterator[Name]:
    """Strings that are nothing but the dotted name of a module of ours."""
    for name in _strings(file):
        dotted = name.value.split(":")[0]
        if OUR_MODULES.fullmatch(dotted) and dotted not in GROUPS and dotted != CORE:
            yield Name(dotted, name.line)


def _identifiers(file: Path) -> Iterator[Name]:
    for node in _nodes(file):
        if isinstance(node, ast.Name):
            yield Name(node.id, node.lineno)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield Name(node.name, node.lineno)
        elif isinstance(node, ast.Attribute):
            yield Name(node.attr, node.lineno)


def _hidden_imports(file: Path) -> Iterator[int]:
    for node in _nodes(file):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and not isinstance(node.args[0], ast.Constant):
            yield node.lineno


def _without_comments(source: str) -> str:
    """TypeScript without its comments, lines kept."""
    blank = re.sub(r"/\*.*?\*/", lambda found: "\n" * found.group(0).count("\n"), source, flags=re.DOTALL)
    return re.sub(r"(?m)(^|\s)//.*$", "", blank)

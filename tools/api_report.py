"""The public names of the SPI and of the testing kit as they stand in the source: signatures, fields, first doc line.

Read from the syntax tree, so that the text is the same with every Python that we support.
"""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeGuard

PACKAGES = ("openlakes_portal.spi", "openlakes_portal.testing")
FIXTURES = "openlakes_portal.testing.pytest_plugin"
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Function:
    """A function of a module."""

    node: FunctionNode

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def signature(self) -> str:
        prefix = "async def" if isinstance(self.node, ast.AsyncFunctionDef) else "def"
        returns = f" -> {ast.unparse(self.node.returns)}" if self.node.returns else ""
        return f"{prefix} {self.name}({ast.unparse(self.node.args)}){returns}: ..."

    def decorated_by(self, name: str) -> bool:
        return any(ast.unparse(each).split("(")[0] == name for each in self.node.decorator_list)


@dataclass(frozen=True)
class Class:
    """A class of a module."""

    node: ast.ClassDef

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def doc(self) -> str:
        return ast.get_docstring(self.node) or ""

    @property
    def report(self) -> str:
        """Head, fields and public methods."""
        bases = ", ".join(map(ast.unparse, self.node.bases))
        lines = [f"class {self.name}({bases}):" if bases else f"class {self.name}:", *self._members()]
        return "\n".join(lines) if len(lines) > 1 else f"{lines[0]} ..."

    def _members(self) -> Iterator[str]:
        for item in self.node.body:
            if isinstance(item, ast.AnnAssign | ast.Assign):
                text = ast.unparse(item)
                if not text.startswith("_"):
                    yield f"    {text}"
            elif _is_function(item) and (item.name == "__init__" or not item.name.startswith("_")):
                function = Function(item)
                for decorator in item.decorator_list:
                    yield f"    @{ast.unparse(decorator)}"
                yield f"    {function.signature}"


def classes(module: ModuleType) -> Iterator[Class]:
    """Classes of a module, in order."""
    return (Class(node) for node in _tree(module).body if isinstance(node, ast.ClassDef))


def functions(module: ModuleType) -> Iterator[Function]:
    """Functions of a module, in order."""
    return (Function(node) for node in _tree(module).body if _is_function(node))


def module_doc(module: ModuleType) -> str:
    """The docstring of a module."""
    return inspect.getdoc(module) or ""


def report() -> str:
    """Everything public."""
    lines = ["Public names of openlakes_portal.spi and openlakes_portal.testing. Made by `make docs`; do not edit."]
    for package in PACKAGES:
        module = import_module(package)
        known = _definitions(module)
        for name in sorted(module.__all__):
            lines += ["", f"{package}.{name}", *(f"  {line}" for line in known[name].splitlines())]
    for function in functions(import_module(FIXTURES)):
        if function.decorated_by("pytest.fixture") or function.decorated_by("async_fixture"):
            lines += ["", f"fixture {function.name}", f"  {function.signature}", f"  # {_first(function.doc)}"]
    return "\n".join(lines) + "\n"


def _definitions(package: ModuleType) -> dict[str, str]:
    found: dict[str, str] = {}
    for info in iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{info.name}")
        parts = [(each.name, each.report, each.doc) for each in classes(module)]
        parts += [(each.name, each.signature, each.doc) for each in functions(module)]
        for name, text, doc in parts:
            found[name] = f"{text}\n# {_first(doc)}" if doc else text
        for node in _tree(module).body:
            for target in _targets(node):
                found.setdefault(target, ast.unparse(node))
    return found


def _targets(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _is_function(node: ast.stmt) -> TypeGuard[FunctionNode]:
    return isinstance(node, FunctionNode)


def _first(doc: str) -> str:
    return doc.strip().splitlines()[0] if doc.strip() else ""


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))

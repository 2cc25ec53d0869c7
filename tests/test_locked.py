"""constraints.txt pins everything that any package asks for, and nothing in it says where to get it."""

import re
import tomllib
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from bootstrap import locking
from bootstrap.paths import ROOT, Checkout
from bootstrap.python_environment import UV_VERSION

HERE = Checkout(ROOT)
REQUIREMENT_FILES = [HERE.dev_requirements, ROOT / "tools" / "build-requirements.in"]


def pins(text: str) -> dict[str, list[Requirement]]:
    """Locked versions by distribution; more than one where platforms differ."""
    found: dict[str, list[Requirement]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def asked_for() -> list[tuple[str, Requirement]]:
    """Every direct dependency of every package, of the builds and of the tools, with who asks."""
    asked = []
    for folder in HERE.distributions:
        whole = tomllib.loads((folder / "pyproject.toml").read_text())
        extras = whole["project"].get("optional-dependencies", {})
        lines = [*whole["project"]["dependencies"], *whole["build-system"]["requires"], *chain(*extras.values())]
        asked += [(folder.name, Requirement(line)) for line in lines]
    for file in REQUIREMENT_FILES:
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        asked += [(file.name, Requirement(line)) for line in lines]
    return asked


def not_in_step(constraints: str) -> list[str]:
    """What is asked for and not pinned to a version that fits."""
    locked = pins(constraints)
    ours = {canonicalize_name(locking.project(folder)["name"]) for folder in HERE.distributions}
    wrong = []
    for who, requirement in asked_for():
        name = canonicalize_name(requirement.name)
        versions = [next(iter(pin.specifier)).version for pin in locked.get(name, [])]
        if name in ours:
            continue
        if not versions or not all(
            requirement.specifier.contains(Version(each), prereleases=True) for each in versions
        ):
            wrong.append(f"{who} asks for {requirement}; constraints.txt has {versions or 'nothing'}: make lock")
    return wrong


def test_every_dependency_is_pinned_to_a_version_that_fits() -> None:
    assert not_in_step(HERE.constraints.read_text()) == []


@pytest.mark.parametrize("spoiled", [("starlette==", "starlite=="), (r"starlette==[\d.]+", "starlette==0.1")])
def test_a_dependency_that_is_not_pinned_is_found(spoiled: tuple[str, str]) -> None:
    assert any("starlette" in line for line in not_in_step(re.sub(*spoiled, HERE.constraints.read_text())))


def test_constraints_hold_only_what_pip_accepts_there_and_no_addresses() -> None:
    text = HERE.constraints.read_text()
    assert "://" not in text
    assert "--" not in text
    for each in chain(*pins(text).values()):
        assert not each.extras
        assert [part.operator for part in each.specifier] == ["=="], each


def test_no_file_of_the_repository_records_where_packages_come_from() -> None:
    locks = [ROOT / "uv.lock", *ROOT.glob("*/uv.lock")]
    assert [file for file in locks if file.exists()] == []
    for file in [path for path in ROOT.glob("package-lock.json") if path.is_file()]:
        assert '"resolved": "http' not in file.read_text(), f"{file.name} records addresses"


def test_the_pinned_uv_is_one_version_everywhere() -> None:
    assert [str(pin) for pin in pins(HERE.constraints.read_text())["uv"]] == [f"uv=={UV_VERSION}"]


def test_the_generated_part_of_pyproject_is_in_step() -> None:
    assert locking.is_regenerated(HERE)
    text = (ROOT / "pyproject.toml").read_text()
    tomllib.loads(text)
    assert text.count(locking.BEGIN) == 1

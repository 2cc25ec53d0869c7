"""Any plugin can go and the rest stays green; each works beside core alone."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import copies
import environments
from bootstrap import boundaries, locking
from bootstrap.paths import ROOT, Checkout

HERE = Checkout(ROOT)
FAST = "not slow and not browser and not server"
REPOSITORY = (
    "conftest.py",
    "core",
    "docs/operators",
    "plugins",
    "pyproject.toml",
    "constraints.txt",
    "stack",
    "tests",
    "tools",
)
TEST_TOOLS = ("pytest", "pytest-asyncio", "hypothesis")


def test_there_are_plugins_to_speak_of() -> None:
    assert HERE.plugins


@pytest.mark.slow
@pytest.mark.timeout(900)  # it runs all the fast tests of everything else
def test_without_any_plugin_core_and_the_stack_are_green(tmp_path: Path) -> None:
    rest = _without(HERE.plugins, tmp_path)
    _fast_tests_pass(rest, tmp_path, rest.root / "core" / "tests", rest.root / "stack" / "tests")


@pytest.mark.parametrize("plugin", HERE.plugins, ids=lambda folder: folder.name)
def test_any_plugin_can_go(plugin: Path, tmp_path: Path) -> None:
    """What is generated follows, and nothing of what stays names it. That the rest's tests pass without it, the two
    tests around this one say: core's and the stack's without any plugin, each plugin's beside core alone."""
    _without([plugin], tmp_path)


def _without(plugins: Sequence[Path], folder: Path) -> Checkout:
    """A checkout from which these were removed and whose generated files were written anew."""
    rest = copies.copy_checkout(folder / "checkout", *REPOSITORY)
    for plugin in plugins:
        shutil.rmtree(rest.root / plugin.relative_to(ROOT))
    assert not locking.is_regenerated(rest), "the generated part of pyproject.toml did not speak of the plugin"
    locking.regenerate(rest)
    assert boundaries.check(rest) == []
    return rest


def _fast_tests_pass(rest: Checkout, folder: Path, *tests: Path) -> None:
    environment = environments.make(HERE, folder / "venv", "-r", HERE.dev_requirements, editable=rest.distributions)
    # The lock is a superset now, and what starts real servers or other environments has its own place.
    there = [each for each in tests if each.exists()]
    done = environment.run("python", "-m", "pytest", "-q", "-m", FAST, *there, cwd=rest.root, timeout=900)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("plugin", HERE.plugins, ids=lambda folder: folder.name)
def test_a_plugins_tests_pass_beside_core_alone(plugin: Path, tmp_path: Path) -> None:
    """An environment with nothing but core, the plugin and pytest: an undeclared dependency shows."""
    relative = plugin.relative_to(ROOT).as_posix()
    alone = copies.copy_checkout(tmp_path / "checkout", "pyproject.toml", "core/src", "core/pyproject.toml", relative)
    copies.copy_checkout(alone.root, "core/hatch_build.py")
    environment = environments.make(
        HERE, tmp_path / "venv", *TEST_TOOLS, editable=[alone.root / "core", alone.root / relative]
    )
    tests = alone.root / relative / "tests"
    done = environment.run("python", "-m", "pytest", "-q", "-m", FAST, tests, cwd=alone.root)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("distribution", HERE.distributions, ids=lambda folder: folder.name)
def test_every_distribution_carries_the_licence(distribution: Path) -> None:
    licence = (ROOT / "LICENSE").read_text()
    assert (distribution / "LICENSE").read_text() == licence
    assert locking.project(distribution)["license"] == "Apache-2.0"


def test_build_hooks_of_plugins_are_cores() -> None:
    """One hook, copied, because a source distribution cannot reach outside itself."""
    wanted = (ROOT / "core" / "hatch_build.py").read_text()
    for folder in HERE.user_interfaces:
        assert (folder.parent / "hatch_build.py").read_text() == wanted, f"cp core/hatch_build.py {folder.parent}"
        text = (folder.parent / "pyproject.toml").read_text()
        assert "[tool.hatch.build.hooks.custom]" in text, f"{folder.parent}/pyproject.toml does not use the hook"


def test_this_run_uses_the_environment_of_this_checkout() -> None:
    assert Path(sys.prefix).resolve() == HERE.venv.resolve()

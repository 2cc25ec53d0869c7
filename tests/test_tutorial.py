"""The plugin author's tutorial does what it says, in an environment with core, pytest and pytest-asyncio alone."""

import io
import re
import tokenize
from pathlib import Path

import pytest

import environments
from bootstrap.paths import ROOT, Checkout
from environments import Environment

pytestmark = pytest.mark.slow
HERE = Checkout(ROOT)
TUTORIAL = ROOT / "docs" / "plugin-authors" / "tutorial.md"
NAME = "acme-thing"
MOST_LINES = 60
# Commands that need the network or go on until somebody stops them: the environment stands for the first.
ELSEWHERE = {"pip install -e .", "openlakes demo"}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Core, pytest and pytest-asyncio."""
    folder = tmp_path_factory.mktemp("tutorial")
    return environments.make(HERE, folder / "venv", "pytest", "pytest-asyncio", editable=[HERE.root / "core"])


@pytest.fixture(scope="module")
def written(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin that the tutorial's first command writes, installed as its second step says."""
    folder = tmp_path_factory.mktemp("author")
    done = environment.run("openlakes", "plugin", "new", NAME, cwd=folder)
    assert done.returncode == 0, done.stdout
    plugin = folder / f"openlakes-portal-{NAME}"
    environments.install(HERE, environment, editable=[plugin])
    return plugin


def commands() -> list[str]:
    """What the tutorial has a reader type, in order."""
    return re.findall(r"^    ((?:openlakes|cd|pip|pytest).*)$", TUTORIAL.read_text(), re.MULTILINE)


def test_the_commands_of_the_tutorial_work_in_order(written: Path, environment: Environment) -> None:
    typed = commands()
    assert typed[:2] == [f"openlakes plugin new {NAME}", f"cd {written.name}"]
    ran = [line for line in typed[2:] if line not in ELSEWHERE]
    assert ran == ["pytest", f"openlakes plugin check {NAME}"]
    for line in ran:
        done = environment.run(*line.split(), cwd=written)
        assert done.returncode == 0, done.stdout


def test_the_plugins_tests_are_run_and_pass_as_written(written: Path, environment: Environment) -> None:
    done = environment.run("pytest", "-q", cwd=written)
    assert re.search(r"^4 passed", done.stdout, re.MULTILINE), done.stdout


def test_a_broken_plugin_fails_its_tests_and_the_check(written: Path, environment: Environment) -> None:
    source = next(written.glob("src/*/plugin.py"))
    text = source.read_text()
    try:
        source.write_text(text.replace(f'"{NAME}:thing:read"', '"other:thing:read"'))
        assert environment.run("pytest", "-q", cwd=written).returncode == 1
        check = environment.run("openlakes", "plugin", "check", NAME, cwd=written)
        assert check.returncode == 1
        assert "other:thing:read" in check.stdout
    finally:
        source.write_text(text)


def test_the_plugin_is_short(written: Path) -> None:
    source = next(written.glob("src/*/plugin.py")).read_text()
    assert len(lines_of_code(source)) <= MOST_LINES


def lines_of_code(source: str) -> set[int]:
    """Numbers of the lines that hold more than blanks and comments."""
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {line for t in tokens if t.type not in nothing for line in range(t.start[0], t.end[0] + 1)}


def test_the_plugin_shows_up_and_leaves_no_trace_in_core(written: Path, environment: Environment) -> None:
    done = environment.run("openlakes", "plugin", "list", cwd=written)
    assert re.search(rf"^{NAME} +0\.1\.0 +active$", done.stdout, re.MULTILINE), done.stdout

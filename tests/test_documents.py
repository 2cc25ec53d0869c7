"""What the documents of the root say is so: commands exist, links lead somewhere, changes are announced."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bootstrap.paths import ROOT
from bootstrap.targets import TARGETS

DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("changelog.d/README.md"),
        *ROOT.glob("charts/*/README.md"),
        *ROOT.glob("plugins/*/README.md"),
    ]
)
# Written so that this file passes its own test.
MACHINE = "|".join(rf"(?<![\w.])/{folder}/\S+" for folder in ("work", "root"))
REGISTRIES = "|".join(
    rf"\b{name}[.]{domain}\b" for name, domain in (("pypi", "org"), ("npmjs", "org"), ("pythonhosted", "org"))
)
FORBIDDEN = re.compile(f"{MACHINE}|{REGISTRIES}")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_make_target_that_a_document_names_exists(document: Path) -> None:
    code = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", document.read_text(), re.DOTALL)
    named = set(re.findall(r"(?:^|[`\s])make ([a-z][a-z-]*)", "\n".join(map("\n".join, code)), re.MULTILINE))
    assert named <= set(TARGETS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    named = set(re.findall(r"(?:^|`)openlakes ([a-z]+)", document.read_text(), re.MULTILINE))
    if named:
        command = Path(sys.executable).with_name("openlakes")
        offered = subprocess.check_output([command, "--help"], text=True)
        assert named <= set(re.findall(r"^  ([a-z]+)  ", offered, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=relative)
def test_every_link_within_the_repository_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    inside = [link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in inside if not (document.parent / link).exists()] == []


def test_the_readme_shows_the_two_commands_and_what_they_need() -> None:
    text = (ROOT / "README.md").read_text()
    assert "```sh\nmake demo\n```" in text
    assert "```sh\nmake test\n```" in text
    assert "Python 3.11" in text


def test_there_is_a_changelog_fragment_that_towncrier_can_read() -> None:
    towncrier = str(Path(sys.executable).with_name("towncrier"))
    command = [towncrier, "build", "--draft", "--version", "0.0.0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "No significant changes" not in done.stdout
    assert re.search(r"^- \w", done.stdout, re.MULTILINE)


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout, so nobody knows which files belong to it")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_path_of_a_machine_or_the_host_of_a_registry() -> None:
    found = []
    for path in tracked_files():
        if path.suffix in (".png", ".svg", ".woff2", ".ico", ".parquet"):
            continue
        found += [f"{relative(path)}: {match}" for match in FORBIDDEN.findall(path.read_text(errors="replace"))]
    assert found == []


def test_no_python_file_is_longer_than_500_lines() -> None:
    sources = [path for path in tracked_files() if path.suffix in (".py", ".ts", ".tsx")]
    assert [relative(path) for path in sources if len(path.read_text().splitlines()) > 500] == []

"""The reference under docs/reference is what the code says, and a difference is seen."""

import shutil
from pathlib import Path

import pytest

import api_report
import generate_docs
from bootstrap.paths import ROOT


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference as the code would have it now."""
    folder = tmp_path_factory.mktemp("reference")
    generate_docs.write(folder)
    return folder


def test_the_reference_is_what_the_code_says(fresh: Path) -> None:
    assert generate_docs.differences(generate_docs.REFERENCE, fresh) == [], "run `make docs` and commit what it writes"


@pytest.mark.parametrize("name", generate_docs.PAGES)
def test_a_planted_difference_is_found(name: str, fresh: Path, tmp_path: Path) -> None:
    planted = shutil.copytree(fresh, tmp_path / "planted")
    text = (planted / name).read_text()
    (planted / name).write_text(text.replace("a", "b", 1))
    assert generate_docs.differences(planted, fresh) == [name]


def test_nothing_else_lies_among_the_generated_pages() -> None:
    assert {file.name for file in generate_docs.REFERENCE.iterdir()} == set(generate_docs.PAGES)


def test_the_report_holds_every_public_name_with_a_word_on_it() -> None:
    text = api_report.report()
    for name in ("openlakes_portal.spi.Route", "openlakes_portal.testing.check_plugin", "fixture portal"):
        assert f"\n{name}\n" in text
    assert "access: Access" in text


def test_the_icons_of_the_page_are_those_that_plugins_use() -> None:
    used = {
        line.split('icon="')[1].split('"')[0]
        for source in [*ROOT.glob("plugins/*/src/**/plugin.py"), *ROOT.glob("core/src/openlakes_portal/_builtin/*.py")]
        for line in source.read_text().splitlines()
        if 'icon="' in line
    }
    assert used <= set(generate_docs.icons())

"""The rules between packages hold, and each of them bites: a planted violation is found."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import copies
from bootstrap import boundaries, locking
from bootstrap.paths import ROOT, Checkout

CORE = "core/src/openlakes_portal"
GUEST = "plugins/guest/src/openlakes_portal_guest"
GUEST_PYPROJECT = """\
[project]
name = "openlakes-portal-guest"
[project.entry-points."openlakes_portal.plugins"]
guest = "openlakes_portal_guest.plugin"
"""

PLANTED = [
    ("spi-stands-alone", f"{CORE}/spi/planted.py", "import openlakes_portal._store"),
    ("spi-stands-alone", f"{CORE}/spi/planted.py", "from openlakes_portal import _store"),
    ("spi-stands-alone", f"{CORE}/spi/planted.py", "from .. import _store"),
    ("spi-stands-alone", f"{CORE}/spi/planted.py", "from .._store import database"),
    ("spi-stands-alone", f"{CORE}/spi/planted.py", "__import__('openlakes_portal._store')"),
    ("one-door", f"{GUEST}/planted.py", "from openlakes_portal._http import app"),
    ("one-door", f"{GUEST}/planted.py", "from openlakes_portal import _http"),
    ("one-door", f"{GUEST}/planted.py", "def late():\n    import openlakes_portal.cli"),
    ("one-door", f"{GUEST}/planted.py", "import importlib\nimportlib.import_module('openlakes_portal._http')"),
    ("one-door", f"{GUEST}/planted.py", "from openlakes_portal.testing import fakes"),
    ("one-door", "plugins/guest/tests/test_planted.py", "from openlakes_portal._http import app"),
    ("plugins-are-strangers", f"{GUEST}/planted.py", "import openlakes_portal_other.client"),
    ("plugins-are-strangers", f"{GUEST}/planted.py", "import openlakes_portal_stack"),
    ("plugins-are-strangers", f"{GUEST}/planted.py", "NAME = 'openlakes_portal_other.client'"),
    ("core-names-no-plugin", f"{CORE}/_planted.py", "import openlakes_portal_guest"),
    ("core-names-no-plugin", f"{CORE}/_planted.py", "DISTRIBUTION = 'openlakes-portal-guest'"),
    ("core-names-no-plugin", f"{CORE}/_planted.py", "if name == 'guest':\n    pass"),
    ("core-names-no-plugin", f"{CORE}/_planted.py", "TEXT = f'/api/plugins/guest/{1}'"),
    ("core-names-no-plugin", f"{CORE}/_planted.py", "def guest_card(): ..."),
    ("core-names-no-plugin", "core/ui/src/planted.tsx", "const special = plugin.id === 'guest';"),
    ("web-framework-stays-in-core", f"{CORE}/spi/planted.py", "from starlette.requests import Request"),
    ("web-framework-stays-in-core", f"{GUEST}/planted.py", "import starlette.responses"),
    ("web-framework-stays-in-core", f"{GUEST}/planted.py", "WEB = 'starlette'"),
    ("no-hidden-imports", f"{GUEST}/planted.py", "import importlib\nimportlib.import_module('open' + 'lakes')"),
]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the sources with one more plugin, `guest`, that keeps every rule."""
    checkout = copies.sources(tmp_path_factory.mktemp("checkout"))
    copies.plant(checkout.root / "plugins/guest/pyproject.toml", GUEST_PYPROJECT)
    copies.plant(checkout.root / GUEST / "__init__.py", "from openlakes_portal.spi import hookimpl")
    copies.plant(
        checkout.root / "plugins/guest/tests/test_guest.py", "from openlakes_portal.testing import pytest_plugin"
    )
    return checkout


def test_every_rule_holds_here() -> None:
    assert [str(finding) for finding in boundaries.check(Checkout(ROOT))] == []


def test_every_rule_has_a_planted_violation() -> None:
    documented = {line.split("`")[1] for line in (boundaries.__doc__ or "").splitlines() if line.startswith("- `")}
    assert documented == {rule for rule, _, _ in PLANTED}


@pytest.mark.parametrize(("rule", "file", "text"), PLANTED)
def test_a_planted_violation_is_found(clean: Checkout, rule: str, file: str, text: str) -> None:
    planted = clean.root / file
    copies.plant(planted, text)
    try:
        new = [finding for finding in boundaries.check(clean) if finding.place.startswith(file)]
    finally:
        planted.unlink()
    assert {finding.rule for finding in new} == {rule}
    assert [finding for finding in boundaries.check(clean) if finding.place.startswith(file)] == []


def test_a_word_inside_another_word_is_no_name_of_a_plugin(clean: Checkout) -> None:
    planted = clean.root / CORE / "_planted.py"
    copies.plant(planted, "WORDS = ('guesthouse', 'biguest')\n# guest in a comment is a reason, not knowledge")
    try:
        found = [finding for finding in boundaries.check(clean) if "_planted" in finding.place]
    finally:
        planted.unlink()
    assert found == []


BREAKING = [
    ("web-framework-stays-in-core", f"{GUEST}/planted.py", "import starlette"),
    ("core-knows-no-plugin", f"{CORE}/_planted.py", "import openlakes_portal_guest"),
    ("one-door", f"{GUEST}/planted.py", "import openlakes_portal._store"),
    ("plugins-are-strangers", f"{GUEST}/planted.py", "import openlakes_portal_stack"),
]


@pytest.mark.slow
def test_import_linter_keeps_its_contracts_and_breaks_each_when_told_to(clean: Checkout) -> None:
    locking.regenerate(clean)
    assert _broken_contracts(clean) == set()
    for contract, file, text in BREAKING:
        planted = clean.root / file
        copies.plant(planted, text)
        try:
            assert contract in _broken_contracts(clean), f"import-linter let pass: {text}"
        finally:
            planted.unlink()


def _broken_contracts(checkout: Checkout) -> set[str]:
    """Ids of the contracts of a checkout's pyproject that its sources break."""
    paths = [str(folder / "src") for folder in checkout.distributions]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    broken = set()
    for contract, _, _ in BREAKING:
        command: list[str | Path] = [
            Path(sys.executable).with_name("lint-imports"),
            "--no-cache",
            "--no-logo",
            "--contract",
            contract,
        ]
        done = subprocess.run(command, cwd=checkout.root, env=env, capture_output=True, text=True)
        assert "Contracts:" in done.stdout, done.stdout + done.stderr
        if done.returncode:
            broken.add(contract)
    return broken

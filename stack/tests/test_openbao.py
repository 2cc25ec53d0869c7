"""OpenBao's key and its data belong together: what only a lost key opens is not thrown away unasked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openlakes_portal_stack.components.openbao import COMPONENT, MARK
from openlakes_portal_stack.runner.component import StackError


@pytest.fixture
def site(tmp_path: Path) -> Any:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vault.db").write_text("somebody's secrets")
    return SimpleNamespace(folder=tmp_path, ports={"http": 1, "cluster": 2}, address="http://127.0.0.1:1")


def test_a_key_that_was_kept_and_is_gone_stops_it_and_its_data_stay(site: Any) -> None:
    (site.folder / MARK).touch()
    with pytest.raises(StackError, match=r"keys\.json, and only it opens what is kept there.*stack reset"):
        COMPONENT.prepare(site)
    assert (site.folder / "data" / "vault.db").read_text() == "somebody's secrets"
    (site.folder / "keys.json").write_text("{}")
    COMPONENT.prepare(site)
    assert (site.folder / "data" / "vault.db").exists()


def test_a_start_whose_key_never_arrived_begins_anew(site: Any) -> None:
    COMPONENT.prepare(site)
    assert list((site.folder / "data").iterdir()) == []


def test_a_key_that_an_older_version_kept_is_known_as_kept(site: Any) -> None:
    (site.folder / "keys.json").write_text("{}")
    COMPONENT.prepare(site)
    (site.folder / "keys.json").unlink()
    with pytest.raises(StackError, match="only it opens what is kept there"):
        COMPONENT.prepare(site)
    assert (site.folder / "data" / "vault.db").read_text() == "somebody's secrets"

"""The folder of the supervisor's socket where the stack's own path is too long: nobody else's to lead elsewhere."""

import tempfile
from pathlib import Path

import pytest

from openlakes_portal_stack.runner.component import StackError
from openlakes_portal_stack.runner.layout import Layout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """One whose socket lies in the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = Layout(tmp_path / ("long" * 30))
    assert made.socket.parent.parent == tmp_path
    return made


def test_it_is_made_for_this_account_alone(layout: Layout) -> None:
    layout.make()
    assert layout.socket.parent.stat().st_mode & 0o777 == 0o700
    layout.make()


def test_a_link_in_its_place_is_refused_wherever_it_leads(layout: Layout, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o700)
    layout.socket.parent.symlink_to(tmp_path / "mine")
    with pytest.raises(StackError, match="must belong to this account"):
        layout.make()


def test_a_folder_that_lets_others_in_is_refused(layout: Layout) -> None:
    layout.socket.parent.mkdir()
    layout.socket.parent.chmod(0o755)
    with pytest.raises(StackError, match="let nobody else in"):
        layout.make()

"""A stack in a folder whose name is not a word."""

from pathlib import Path

import pytest

from openlakes_portal_stack.runner.work import Interruption
from small_component import component, stack, steps

pytestmark = pytest.mark.slow  # each starts a supervisor


def test_it_starts_and_ends_in_a_folder_whose_name_has_spaces(tmp_path: Path) -> None:
    made = stack(tmp_path / "my stack", component("one"))
    try:
        made.plan(["one"])
        assert dict(made.up(steps()[1], Interruption())) == {"one": "ready"}
    finally:
        made.down()
    assert not made.supervisor.is_running()

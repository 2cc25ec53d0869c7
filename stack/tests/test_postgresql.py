"""What fills a database of the stack's PostgreSQL is done once in the life of a cluster."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal_stack.components import postgresql
from openlakes_portal_stack.runner.component import StackError


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The number of the cluster that answers now."""
    number = ["7380"]
    monkeypatch.setattr(postgresql, "_sql", lambda site, sql: number[0])
    return number


def test_it_is_done_once_and_anew_where_the_cluster_is_another(cluster: list[str], tmp_path: Path) -> None:
    site: Any = object()
    done: list[str] = []
    for number in ("7380", "7380", "7381", "7381", "7380"):
        cluster[0] = number
        postgresql.once(site, tmp_path / "mark", partial(done.append, number))
    assert done == ["7380", "7381", "7380"]


def test_what_fails_is_done_again(cluster: list[str], tmp_path: Path) -> None:
    site: Any = object()
    done: list[str] = []

    def fails() -> None:
        done.append("failed")
        raise StackError("the disk is full")

    with pytest.raises(StackError):
        postgresql.once(site, tmp_path / "mark", fails)
    postgresql.once(site, tmp_path / "mark", lambda: done.append("done"))
    assert done == ["failed", "done"]

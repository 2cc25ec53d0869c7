"""For every test of the repository: what is fast runs first; real servers start once a run, when a test asks."""

import pytest

pytest_plugins = ["real_servers.fixtures"]

SLOW_MARKERS = ("slow", "server", "browser")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_slowness)


def _slowness(item: pytest.Item) -> int:
    return max((rank for rank, name in enumerate(SLOW_MARKERS, 1) if item.get_closest_marker(name)), default=0)

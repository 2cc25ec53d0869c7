"""Fixtures over the real servers: each server starts once a run, when the first test asks for it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import watched
from openlakes_portal_stack.components import all_components
from openlakes_portal_stack.runner.component import LeftOut
from real_servers import airflow, postgres, seaweedfs, superset, trino


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A running PostgreSQL 18."""
    # Not pytest's own folder: another account must be able to enter it.
    with tempfile.TemporaryDirectory(prefix="openlakes-postgres-") as folder, postgres.running(Path(folder)) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """Address of an empty PostgreSQL database that only this test sees."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def trino_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[trino.TrinoServer]:
    """A running Trino 476 with the catalogs `tpch` and `memory`; skipped only where it cannot be fetched."""
    try:
        with trino.running(tmp_path_factory.mktemp("trino")) as server:
            yield server
    except LeftOut as reason:
        pytest.skip(f"no real Trino here: {reason}")


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[seaweedfs.S3Server]:
    """A running SeaweedFS, for everything that speaks S3."""
    with seaweedfs.running(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def watched_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[watched.Watched]:
    """A portal that the real Prometheus watches; skipped only where that cannot be fetched."""
    try:
        with watched.watched(tmp_path_factory.mktemp("watched")) as running:
            yield running
    except LeftOut as reason:
        pytest.skip(f"no real Prometheus here: {reason}")


@pytest.fixture(scope="session")
def airflow_server() -> Iterator[airflow.AirflowServer]:
    """A running Airflow 3.3 with the DAG `lines`, and a portal in front of it."""
    with tempfile.TemporaryDirectory(prefix="openlakes-airflow-") as folder, airflow.running(Path(folder)) as server:
        yield server


@pytest.fixture(scope="session")
def superset_server() -> Iterator[superset.SupersetServer]:
    """A running Superset 6.1 with the dashboard of the flights, and a portal in front of it."""
    with tempfile.TemporaryDirectory(prefix="openlakes-superset-") as folder, superset.running(Path(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def superset_on_trino() -> Iterator[superset.SupersetServer]:
    """A running Superset over the lakehouse in a running Trino; skipped only where Trino cannot be had."""
    if reason := all_components()["trino"].unavailable():
        pytest.skip(f"no real Trino here: {reason}")
    with (
        tempfile.TemporaryDirectory(prefix="openlakes-superset-") as folder,
        superset.running(Path(folder), "trino", "seaweedfs") as server,
    ):
        yield server

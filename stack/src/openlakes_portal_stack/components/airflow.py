"""Airflow 3.3 on the stack's PostgreSQL: API server, scheduler, DAG processor and triggerer, all on loopback.

People come in by the portal's tokens alone: the auth manager of the portal's plugin, which needs nothing that Airflow
does not bring, is copied beside it. Tasks run in the scheduler's own processes, two at a time; their tokens are signed
with a key that nobody else has. No worker serves logs: the API server reads their files.

The DAG `openlakes_flights_check` is no person's: it asks Trino with the service account `airflow`, or, where there is
no Trino, reads the Iceberg tables with the store's own key.
"""

import base64
import configparser
import hashlib
import importlib.util
import io
import json
import shutil
import sys
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openlakes_portal_stack.components import postgresql, seaweedfs, trino
from openlakes_portal_stack.runner.component import Component, Program, Site, StackError
from openlakes_portal_stack.runner.fetch import python_environment
from openlakes_portal_stack.runner.layout import write_whole
from openlakes_portal_stack.runner.loopback import ask

VERSION = "3.3.2"
APP = "airflow"
PLUGIN = "openlakes_portal_airflow_dbt"
"""The package of the portal's plugin, of which only `upstream` is used here."""
FLIGHTS_CHECK = "openlakes_flights_check"
PROGRAMS = (
    ("api-server", ()),
    ("scheduler", ("--skip-serve-logs",)),
    ("dag-processor", ()),
    ("triggerer", ("--skip-serve-logs",)),
)
NEVER_WITHOUT = ("scheduler", "dag_processor", "triggerer")


def command(site: Site) -> Path:
    """The program `airflow`."""
    return python_environment(site, "airflow") / "bin" / "airflow"


def environment(site: Site) -> dict[str, str]:
    """What each of its programs is given; the rest stands in airflow.cfg."""
    return {
        "PATH": f"{command(site).parent}:/usr/local/bin:/usr/bin:/bin",
        "AIRFLOW_HOME": str(site.folder),
        "PYTHONPATH": str(site.folder / "upstream"),
        "OPENLAKES_FLIGHTS_CHECK": str(_told(site)),
    }


def _unavailable() -> str | None:
    if importlib.util.find_spec(PLUGIN) is None:
        return "Its sign-in comes with the portal's plugin: pip install openlakes-portal-airflow-dbt, and start again."
    return None


def _install(site: Site) -> None:
    command(site)


def _prepare(site: Site) -> None:
    _copy_upstream(site)
    address = postgresql.database(site.of("postgresql"), "airflow", site.secret("database"))
    write_whole(site.folder / "airflow.cfg", _configuration(site, address))
    (site.folder / "dags").mkdir(exist_ok=True)

    def migrate() -> None:
        site.say("migrating its database")
        site.run([command(site), "db", "migrate"], environment(site))

    postgresql.once(site.of("postgresql"), site.folder / f"migrated-{VERSION}", migrate)


def _copy_upstream(site: Site) -> None:
    """The part of the plugin that runs in Airflow, alone: nothing else of the portal's environment is importable
    there."""
    found = importlib.util.find_spec(PLUGIN)
    if found is None or found.origin is None:
        raise StackError(_unavailable() or f"{PLUGIN} is no package.")
    source, target = Path(found.origin).parent, site.folder / "upstream" / PLUGIN
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source / "upstream", target / "upstream", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / "__init__.py", target)


def _configuration(site: Site, database: str) -> str:
    signing = hashlib.sha512(site.secret("tasks").encode()).hexdigest()
    sealing = base64.urlsafe_b64encode(hashlib.sha256(site.secret("sealing").encode()).digest()).decode()
    here = f"http://127.0.0.1:{site.ports['http']}"
    sections: Mapping[str, Mapping[str, object]] = {
        "core": {
            "auth_manager": f"{PLUGIN}.upstream.auth_manager.PortalAuthManager",
            "dags_folder": site.folder / "dags",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 2,
            "fernet_key": sealing,
            "execution_api_server_url": f"{here}/execution/",
        },
        "database": {"sql_alchemy_conn": database.replace("postgresql://", "postgresql+psycopg2://", 1)},
        "api": {
            "host": "127.0.0.1",
            "port": site.ports["http"],
            "workers": 1,
            "base_url": _public(site),
            "secret_key": site.secret("sessions"),
            "expose_config": False,
            "instance_name": "OpenLakes",
        },
        # The scheduler starts together with the API server, and may have given out a task before that answers.
        "workers": {"execution_api_retries": 40, "execution_api_retry_wait_max": 5, "execution_api_timeout": 15},
        "api_auth": {"jwt_secret": signing, "jwt_issuer": "airflow-of-the-stack"},
        "openlakes_portal": {"issuer": site.portal_issuer, "jwks_url": f"{site.portal}/.well-known/jwks.json"},
        "dag_processor": {"parsing_processes": 1, "refresh_interval": 5, "min_file_process_interval": 30},
        "logging": {"base_log_folder": site.folder / "logs", "color_log": False},
        "usage_data_collection": {"enabled": False},
    }
    written = configparser.ConfigParser(interpolation=None)
    written.read_dict({name: {key: str(value) for key, value in keys.items()} for name, keys in sections.items()})
    text = io.StringIO()
    written.write(text)
    return text.getvalue()


def _public(site: Site) -> str:
    """Where its own pages stand for a browser: the portal's app of its name."""
    parts = urlsplit(site.portal_issuer)
    return f"{parts.scheme}://{APP}.{parts.netloc}/"


def _told(site: Site) -> Path:
    return site.folder / "flights-check.json"


def _write_flights_check(site: Site) -> None:
    """The DAG, and how it reaches the tables, which are there by now; none where the stack has no tables."""
    target = site.folder / "dags" / f"{FLIGHTS_CHECK}.py"
    reached = _reached(site)
    if reached is None:
        target.unlink(missing_ok=True)
        return
    write_whole(_told(site), json.dumps({"python": sys.executable, "environment": reached}))
    write_whole(target, files("openlakes_portal_stack").joinpath("dags", f"{FLIGHTS_CHECK}.py").read_text())


def _reached(site: Site) -> dict[str, str] | None:
    if site.has("trino") and not site.of("trino").is_external:
        engine = site.of("trino")
        user, password = trino.service(engine, "airflow")
        certificate = str(trino.certificate(engine))
        told = {"address": engine.address, "certificate": certificate, "user": user, "password": password}
        return {"OPENLAKES_TRINO": json.dumps(told)}
    if site.has("seaweedfs") and not site.of("seaweedfs").is_external:
        return {"OPENLAKES_CATALOG": json.dumps(seaweedfs.catalog_properties(site.of("seaweedfs")))}
    return None


def _programs(site: Site) -> list[Program]:
    return [
        Program(
            f"airflow-{name}",
            [command(site), name, *words],
            environment(site),
            cwd=site.folder,
            stop_seconds=30,
            ports=("http",) if name == "api-server" else (),
        )
        for name, words in PROGRAMS
    ]


def _ready(site: Site) -> bool:
    """All of its processes have reported to it."""
    try:
        with ask(f"{site.address}/api/v2/monitor/health", 5) as answer:
            told: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError):
        return False
    return all((told.get(name) or {}).get("status") == "healthy" for name in NEVER_WITHOUT)


def _settings(site: Site) -> Mapping[str, Any]:
    # A machine on which everything starts at once is slow.
    return {"plugins": {"airflow_dbt": {"address": site.address, "timeout": 30.0}}}


COMPONENT = Component(
    id="airflow",
    title="Airflow",
    version=VERSION,
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    finish=_write_flights_check,
    address=lambda site: f"http://127.0.0.1:{site.ports['http']}",
    settings=_settings,
    unavailable=_unavailable,
    requires=("postgresql",),
    wants=("trino", "seaweedfs"),
    checked_by="airflow_dbt",
    secrets=("database", "tasks", "sealing", "sessions"),
    memory=750,
    disk=350,
    ready_within=240,
)

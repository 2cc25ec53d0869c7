"""A chart rendered by the real Helm, and what the strictest pod security asks of it."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bootstrap.paths import ROOT
from real_servers import helm

CHART = ROOT / "charts" / "openlakes-portal"


class Refused(Exception):
    """Helm would not render these values; the text is Helm's."""


@dataclass(frozen=True)
class Rendered:
    """All manifests of a release called `lake`."""

    manifests: tuple[dict[str, Any], ...]

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.manifests if each["kind"] == kind]

    def one(self, kind: str) -> dict[str, Any]:
        found = self.all(kind)
        assert len(found) == 1, f"{len(found)} manifests of kind {kind}"
        return found[0]

    @property
    def pod(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def settings(self) -> dict[str, Any]:
        parsed: dict[str, Any] = yaml.safe_load(self.one("ConfigMap")["data"]["settings.yaml"])
        return parsed


def render(values: Mapping[str, Any]) -> Rendered:
    """`helm template lake` with these values."""
    done = _helm("template", values, "lake")
    if done.returncode:
        raise Refused(done.stderr)
    return Rendered(tuple(each for each in yaml.safe_load_all(done.stdout) if each))


def lint(values: Mapping[str, Any]) -> str:
    """What `helm lint --strict` says; raises when it is not content."""
    done = _helm("lint", values, "--strict")
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return str(done.stdout)


def _helm(command: str, values: Mapping[str, Any], *words: str) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        return helm.run(command, *words, CHART, "--values", Path(file.name))


def not_restricted(pod: Mapping[str, Any]) -> Iterator[str]:
    """What keeps a pod from "restricted" (Kubernetes, Pod Security Standards), and from our own stricter rules."""
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name):
            yield f"{name} is on"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the service account's token is mounted"
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret", "image", "csi"}
    for volume in pod["volumes"]:
        if not set(volume) - {"name"} <= allowed:
            yield f"volume {volume['name']} is of a forbidden kind"
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        for text in _not_restricted(container.get("securityContext", {}), pod.get("securityContext", {})):
            yield f"container {container['name']}: {text}"


def _not_restricted(own: Mapping[str, Any], shared: Mapping[str, Any]) -> Iterator[str]:
    both = {**shared, **own}
    if own.get("allowPrivilegeEscalation") is not False:
        yield "privilege escalation is allowed"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "the root file system can be written"
    if own.get("privileged"):
        yield "privileged"
    if own.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities are not all dropped"
    if both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0:
        yield "may run as root"
    if both.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccomp is not RuntimeDefault"

"""The chart, rendered by the real Helm: security posture, settings, wiring, and clear refusals."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bootstrap.paths import ROOT
from rendered import CHART, Refused, Rendered, lint, not_restricted, render

SECRET = {"secretRef": {"name": "lake-secrets", "key": "key"}}
VALUES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "one replica with everything": {
        "auth": {
            "oidc": {
                "issuer": "https://login.example.com",
                "client_id": "portal",
                "client_secret": {"secretRef": {"name": "login", "key": "secret"}},
            }
        },
        "settings": {
            "server": {"title": "Acme", "environment": "test"},
            "limits": {"body": 16_777_216},
            "rbac": {"role_bindings": [{"role": "viewer", "group": "everyone"}]},
        },
        "plugins": {
            "acme-cost": {
                "package": "https://wheels.example.com/acme_cost-1.0-py3-none-any.whl",
                "sha256": "a" * 64,
                "config": {"address": "http://billing", "token": {"secretRef": {"name": "billing", "key": "token"}}},
            },
            "old": {"enabled": False, "package": "old==1"},
        },
        "packages": {"offline": True, "wheels": {"persistentVolumeClaim": {"claimName": "wheels"}}},
        "networkPolicy": {
            "allowIngressFrom": [{"namespace": "edge", "podLabels": {"app": "proxy"}}],
            "allowEgressTo": [
                {"cidr": "10.1.0.0/16", "ports": [443]},
                {"namespace": "trino", "podLabels": {"app": "trino"}, "ports": [8443]},
            ],
        },
        "extraEnv": [{"name": "SSL_CERT_FILE", "value": "/ca/ca.crt"}],
        "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    },
    "three replicas behind Traefik": {
        "replicas": 3,
        "database": {"url": {"secretRef": {"name": "database", "key": "url"}}},
        "security": {"key": SECRET},
        "persistence": {"enabled": False},
        "ingress": {"kind": "IngressRoute", "host": "lake.example.com", "tls": {"secretName": "lake-tls"}},
    },
    "no ingress": {
        "ingress": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "settings": {"server": {"public_url": "https://lake.example.com"}},
    },
}
EVERYTHING = VALUES["one replica with everything"]


@pytest.fixture(scope="module")
def rendered() -> Callable[[str], Rendered]:
    done: dict[str, Rendered] = {}
    return lambda name: done.setdefault(name, render(VALUES[name]))


@pytest.mark.parametrize("name", VALUES)
def test_helm_finds_nothing_to_complain_about(name: str) -> None:
    assert "0 chart(s) failed" in lint(VALUES[name])


@pytest.mark.parametrize("name", VALUES)
def test_every_container_keeps_to_restricted_pod_security(rendered: Callable[[str], Rendered], name: str) -> None:
    assert list(not_restricted(rendered(name).pod)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pod: pod.pop("automountServiceAccountToken"),
        lambda pod: pod.update(hostNetwork=True),
        lambda pod: pod["securityContext"].update(runAsUser=0),
        lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
        lambda pod: pod["containers"][0].pop("securityContext"),
        lambda pod: pod["initContainers"][0]["securityContext"].update(readOnlyRootFilesystem=False),
        lambda pod: pod["initContainers"][0]["securityContext"]["capabilities"].update(add=["NET_ADMIN"]),
    ],
)
def test_a_pod_that_is_not_restricted_is_found(
    rendered: Callable[[str], Rendered], spoil: Callable[[dict[str, Any]], object]
) -> None:
    pod = copy.deepcopy(rendered("one replica with everything").pod)
    spoil(pod)
    assert list(not_restricted(pod))


def test_every_writable_path_is_a_volume(rendered: Callable[[str], Rendered]) -> None:
    pod = rendered("one replica with everything").pod
    writable = {m["mountPath"] for m in pod["containers"][0]["volumeMounts"] if not m.get("readOnly")}
    assert {"/var/lib/openlakes", "/tmp"} <= writable
    assert "/plugins" not in writable


def test_settings_hold_what_the_values_say_and_secrets_only_as_files(rendered: Callable[[str], Rendered]) -> None:
    release = rendered("one replica with everything")
    settings = release.settings
    assert settings["server"]["public_url"] == "https://openlakes.example.com"
    assert settings["server"]["title"] == "Acme"
    assert settings["server"]["port"] == 8600
    assert settings["limits"]["body"] == 16_777_216
    assert settings["auth"]["oidc"]["client_secret"] == {"file": "/run/openlakes/secrets/login/secret"}
    assert settings["plugins"]["old"] == {"enabled": False}
    assert settings["plugins"]["acme-cost"] == {
        "enabled": True,
        "address": "http://billing",
        "token": {"file": "/run/openlakes/secrets/billing/token"},
    }
    assert "secretRef" not in release.one("ConfigMap")["data"]["settings.yaml"]


def test_every_secret_file_that_settings_name_is_mounted(rendered: Callable[[str], Rendered]) -> None:
    for name in VALUES:
        pod = rendered(name).pod
        named = set(re.findall(r"/run/openlakes/secrets/[^\"']+", json.dumps(rendered(name).settings)))
        volumes = [volume["projected"]["sources"] for volume in pod["volumes"] if "projected" in volume]
        mounted = {
            f"/run/openlakes/secrets/{item['path']}"
            for sources in volumes
            for source in sources
            for item in source["secret"]["items"]
        }
        assert mounted == named
        if named:
            mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
            assert mounts["secrets"] == "/run/openlakes/secrets"


def test_a_change_of_settings_starts_new_pods(rendered: Callable[[str], Rendered]) -> None:
    def mark(values: dict[str, Any]) -> str:
        template = render(values).one("Deployment")["spec"]["template"]
        return str(template["metadata"]["annotations"]["openlakes.io/settings"])

    assert mark({}) != mark({"settings": {"server": {"title": "Other"}}})


def test_packages_of_plugins_are_installed_before_the_portal_starts(rendered: Callable[[str], Rendered]) -> None:
    release = rendered("one replica with everything")
    lines = release.one("ConfigMap")["data"]["packages.txt"].split()
    assert lines == [f"https://wheels.example.com/acme_cost-1.0-py3-none-any.whl#sha256={'a' * 64}"]
    (container,) = release.pod["initContainers"]
    assert {"--no-index", "--find-links=/wheels", "--constraint=/opt/openlakes/constraints.txt"} <= set(
        container["args"]
    )
    assert {"name": "PYTHONUSERBASE", "value": "/plugins"} in release.pod["containers"][0]["env"]
    assert "initContainers" not in rendered("defaults").pod
    assert "packages.txt" not in rendered("defaults").one("ConfigMap")["data"]


def test_the_network_policy_names_both_directions_and_allows_only_what_is_listed(
    rendered: Callable[[str], Rendered],
) -> None:
    spec = rendered("one replica with everything").one("NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    namespace = "kubernetes.io/metadata.name"
    assert spec["ingress"] == [
        {
            "from": [
                {
                    "namespaceSelector": {"matchLabels": {namespace: "edge"}},
                    "podSelector": {"matchLabels": {"app": "proxy"}},
                }
            ],
            "ports": [{"port": "http", "protocol": "TCP"}],
        }
    ]
    dns, *others = spec["egress"]
    assert {port["port"] for port in dns["ports"]} == {53}
    assert [(rule["to"][0].get("ipBlock"), rule["ports"][0]["port"]) for rule in others] == [
        ({"cidr": "10.1.0.0/16"}, 443),
        (None, 8443),
    ]
    assert rendered("no ingress").all("NetworkPolicy") == []
    closed = render({"networkPolicy": {"allowIngressFrom": []}}).one("NetworkPolicy")["spec"]
    assert closed["ingress"] == []


def test_the_policy_the_service_and_the_budget_select_the_pods(rendered: Callable[[str], Rendered]) -> None:
    release = rendered("three replicas behind Traefik")
    labels = release.one("Deployment")["spec"]["template"]["metadata"]["labels"].items()
    selectors = [
        release.one("Service")["spec"]["selector"],
        release.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        release.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        release.one("Deployment")["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels for selector in selectors)
    assert rendered("defaults").all("PodDisruptionBudget") == []


def test_probes_ask_the_contracts_paths_by_a_host_that_is_always_answered(rendered: Callable[[str], Rendered]) -> None:
    container = rendered("defaults").pod["containers"][0]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/api/live", "liveness": "/api/live", "readiness": "/api/ready"}
    for kind in paths:
        assert container[f"{kind}Probe"]["httpGet"]["httpHeaders"] == [{"name": "Host", "value": "localhost"}]


def test_console_and_apps_are_routed_by_either_kind_of_ingress(rendered: Callable[[str], Rendered]) -> None:
    rules = rendered("defaults").one("Ingress")["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["openlakes.example.com", "*.openlakes.example.com"]
    route = rendered("three replicas behind Traefik").one("IngressRoute")["spec"]
    match = route["routes"][0]["match"]
    assert match.startswith("Host(`lake.example.com`) || HostRegexp(`")
    pattern = match.split("`")[3]
    assert re.match(pattern, "airflow.lake.example.com")
    assert not re.match(pattern, "airflow.lakexexample.com")
    assert route["tls"] == {"secretName": "lake-tls"}
    assert [rule["host"] for rule in render({"ingress": {"apps": False}}).one("Ingress")["spec"]["rules"]] == [
        "openlakes.example.com"
    ]


def test_state_on_a_volume_is_kept_and_used_by_one_pod_at_a_time(rendered: Callable[[str], Rendered]) -> None:
    release = rendered("defaults")
    claim = release.one("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert release.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert rendered("three replicas behind Traefik").one("Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"replicas": 2}, "set database.url"),
    ({"replicas": 2, "database": {"url": SECRET}}, "set security.key"),
    ({"replicas": 2, "database": {"url": SECRET}, "security": {"key": SECRET}}, "persistence.accessMode"),
    ({"replicas": 0}, "minimum"),
    ({"auth": {"mode": "demo"}}, "loopback only"),
    ({"ingress": {"enabled": False}}, "settings.server.public_url"),
    ({"database": {"url": "postgresql://user:password@host/db"}}, "database"),
    ({"plugins": {"Bad_Id": {}}}, "Bad_Id"),
    ({"plugins": {"acme": {"package": "acme==1", "sha256": "b" * 64}}}, "address of a wheel"),
    ({"plugins": {"acme": {"package": "acme\n--index-url=http://evil"}}}, "package"),
    ({"plugins": {"acme": {"package": "--index-url=http://evil"}}}, "package"),
    ({"plugins": {"acme": {"configuration": {}}}}, "configuration"),
    ({"imgae": {}}, "imgae"),
    ({"ingress": {"host": "UPPER.example.com"}}, "host"),
]


@pytest.mark.parametrize(("values", "words"), REFUSED)
def test_values_that_cannot_work_are_refused_in_words(values: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=re.escape(words)):
        render(values)


def test_every_value_is_described_in_the_schema_and_commented_defaults_are_valid() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    text = (CHART / "values.yaml").read_text()
    assert set(re.findall(r"^(\w+):", text, re.MULTILINE)) == set(schema["properties"]) - {"global"}
    commented = "\n".join(line.removeprefix("#") for line in text.splitlines() if re.match(r"^#  ", line))
    assert "acme-cost" in commented


def test_the_chart_speaks_of_the_version_of_core() -> None:
    version = re.search(r'^version = "(.+)"$', (ROOT / "core" / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert f'appVersion: "{version.group(1)}"' in (CHART / "Chart.yaml").read_text()


def test_the_image_takes_its_base_by_digest_and_runs_without_root() -> None:
    lines = Path(CHART / "Containerfile").read_text().splitlines()
    assert any(line.startswith("ARG BASE=") for line in lines)
    assert {line for line in lines if line.startswith("FROM ")} == {"FROM ${BASE} AS wheels", "FROM ${BASE}"}
    assert "USER 10001:10001" in lines

"""Prometheus and Alertmanager, from Debian's packages: they watch the portal, and what of the stack has metrics.

Debian's programs look for their web pages and templates below `/usr/share/prometheus`, where nothing is when a package
is only unpacked. The path is a constant of the program; it is replaced by one of the same length that is relative to
the folder in which they run. Alerts go to Alertmanager and from there to nobody: on one machine the console shows them.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openlakes_portal_stack.components import trino
from openlakes_portal_stack.runner.component import Component, Program, Site
from openlakes_portal_stack.runner.fetch import debian_packages, no_debian, once
from openlakes_portal_stack.runner.layout import write_whole
from openlakes_portal_stack.runner.loopback import answers

VERSION = "Debian's"
JOB = "openlakes-portal"
"""As `plugins.observability.metrics_job` of the portal has it by default."""
PROGRAMS = ("prometheus", "prometheus-alertmanager")
SCRIPTS = (
    "fonts-glyphicons-halflings",
    "libjs-bootstrap4",
    "libjs-d3",
    "libjs-eonasdan-bootstrap-datetimepicker",
    "libjs-jquery",
    "libjs-jquery-hotkeys",
    "libjs-moment",
    "libjs-moment-timezone",
    "libjs-mustache",
    "libjs-popper.js",
    "libjs-rickshaw",
)
"""What Prometheus' own web page is drawn with."""
ABSOLUTE, RELATIVE = b"/usr/share/prometheus/", b"usr/share/prometheus//"
EVERY = "5s"

RULES = {
    "groups": [
        {
            "name": "openlakes",
            "rules": [
                {
                    "alert": "TargetDown",
                    "expr": "up == 0",
                    "for": "30s",
                    "labels": {"severity": "critical"},
                    "annotations": {"summary": "{{ $labels.job }} at {{ $labels.instance }} cannot be scraped"},
                },
                {
                    "alert": "ComponentUnhealthy",
                    "expr": "openlakes_component_healthy == 0",
                    "for": "2m",
                    "labels": {"severity": "warning"},
                    "annotations": {"summary": "The portal finds {{ $labels.component }} not healthy"},
                },
                {
                    "alert": "PortalAnswersWithErrors",
                    "expr": (
                        'sum(rate(openlakes_http_requests_total{status=~"5.."}[5m])) '
                        "/ sum(rate(openlakes_http_requests_total[5m])) > 0.05"
                    ),
                    "for": "2m",
                    "labels": {"severity": "warning"},
                    "annotations": {"summary": "{{ $value | humanizePercentage }} of the portal's answers are errors"},
                },
            ],
        }
    ]
}


def alertmanager_address(site: Site) -> str:
    """Where Alertmanager answers."""
    return f"http://127.0.0.1:{site.ports['alertmanager']}"


def _install(site: Site) -> None:
    _home(site)


def _home(site: Site) -> Path:
    """A folder in which both programs find what they look for."""
    name = f"prometheus-{_distribution()}"
    unpacked = debian_packages(site, f"{name}-packages", (*PROGRAMS, *SCRIPTS))

    def relocate(draft: Path) -> None:
        (draft / "usr").symlink_to(unpacked / "usr")
        for program in PROGRAMS:
            found = (unpacked / "usr" / "bin" / program).read_bytes()
            moved = draft / program
            moved.write_bytes(found.replace(ABSOLUTE, RELATIVE))
            shutil.copymode(unpacked / "usr" / "bin" / program, moved)

    return once(site, name, relocate)


def _distribution() -> str:
    """Debian's release and the machine's kind: what apt-get brings depends on both."""
    import platform

    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return f"{release.get('VERSION_CODENAME', 'unknown')}-{platform.machine()}"


def _prepare(site: Site) -> None:
    for folder in ("metrics", "alerts"):
        (site.folder / folder).mkdir(exist_ok=True)
    write_whole(site.folder / "rules.json", json.dumps(RULES, indent=2))
    # What is JSON is YAML.
    write_whole(site.folder / "prometheus.json", json.dumps(_configuration(site), indent=2))
    route = {"receiver": "nobody", "group_by": ["alertname"], "group_wait": "5s", "group_interval": "30s"}
    told = {"route": route, "receivers": [{"name": "nobody"}]}
    write_whole(site.folder / "alertmanager.json", json.dumps(told, indent=2))


def _configuration(site: Site) -> dict[str, Any]:
    jobs = [
        _job(JOB, urlsplit(site.portal).netloc),
        _job("prometheus", f"127.0.0.1:{site.ports['http']}"),
        _job("alertmanager", f"127.0.0.1:{site.ports['alertmanager']}"),
    ]
    if site.has("trino") and not site.of("trino").is_external:
        jobs.append(_trino(site, site.of("trino")))
    if site.has("openbao") and not site.of("openbao").is_external:
        bao = urlsplit(site.of("openbao").address).netloc
        jobs.append(_job("openbao", bao, metrics_path="/v1/sys/metrics", params={"format": ["prometheus"]}))
    return {
        "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{site.ports['alertmanager']}"]}]}]},
        "rule_files": [str(site.folder / "rules.json")],
        "scrape_configs": jobs,
    }


def _job(name: str, target: str, **more: object) -> dict[str, Any]:
    return {"job_name": name, "static_configs": [{"targets": [target]}], **more}


def _trino(site: Site, server: Site) -> dict[str, Any]:
    """As the account that only asks whether Trino works."""
    user, password = trino.service(server, trino.PROBE)
    file = site.folder / "trino-password"
    write_whole(file, password)
    return _job(
        "trino",
        urlsplit(server.address).netloc,
        scheme="https",
        basic_auth={"username": user, "password_file": str(file)},
        tls_config={"ca_file": str(trino.certificate(server))},
    )


def _programs(site: Site) -> list[Program]:
    home, folder = _home(site), site.folder
    prometheus: list[str | Path] = [
        home / PROGRAMS[0],
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'metrics'}",
        "--storage.tsdb.retention.time=15d",
        "--storage.tsdb.retention.size=1GB",
        f"--web.listen-address=127.0.0.1:{site.ports['http']}",
        f"--web.external-url={_public(site, 'prometheus')}",
        # No page of another origin reads what is measured here.
        "--web.cors.origin=http://nobody[.]invalid",
        # An alert that fires before Alertmanager is known is sent again soon.
        "--rules.alert.resend-delay=10s",
    ]
    alertmanager: list[str | Path] = [
        home / PROGRAMS[1],
        f"--config.file={folder / 'alertmanager.json'}",
        f"--storage.path={folder / 'alerts'}",
        f"--web.listen-address=127.0.0.1:{site.ports['alertmanager']}",
        f"--web.external-url={_public(site, 'alertmanager')}",
        "--cluster.listen-address=",
    ]
    return [
        Program("prometheus", prometheus, cwd=home, ports=("http",)),
        Program("prometheus-alertmanager", alertmanager, cwd=home, ports=("alertmanager",)),
    ]


def _public(site: Site, app: str) -> str:
    """Where a browser finds it: as an app of the portal, on a host of its own."""
    parts = urlsplit(site.portal_issuer)
    return f"{parts.scheme}://{app}.{parts.netloc}/"


def _ready(site: Site) -> bool:
    return all(answers(f"{address}/-/ready") for address in (site.address, alertmanager_address(site)))


def _settings(site: Site) -> Mapping[str, Any]:
    told: dict[str, Any] = {"prometheus": {"address": site.address}}
    if not site.is_external:
        told["alertmanager"] = {"address": alertmanager_address(site)}
    return {"plugins": {"observability": told}}


COMPONENT = Component(
    id="prometheus",
    title="Prometheus and Alertmanager",
    version=VERSION,
    install=_install,
    prepare=_prepare,
    programs=_programs,
    ready=_ready,
    address=lambda site: f"http://127.0.0.1:{site.ports['http']}",
    settings=_settings,
    unavailable=no_debian,
    wants=("trino", "openbao"),
    checked_by="observability",
    ports=("http", "alertmanager"),
    memory=150,
    disk=350,
    ready_within=60,
)

"""The real Prometheus and Alertmanager, started as the stack starts them: from the same component."""

import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from openlakes_portal_stack.components.prometheus import COMPONENT, alertmanager_address
from openlakes_portal_stack.runner.component import Site
from real_servers.raised import Raised, planned
from real_servers.raised import running as running_component


@dataclass(frozen=True)
class PrometheusServer:
    """Both servers; their files lie in the site's folder."""

    site: Site
    prometheus: str
    alertmanager: str
    settings: Mapping[str, Any]
    server: Raised

    @contextmanager
    def watching(self, job: str, target: str) -> Iterator[None]:
        """One more target meanwhile: others look at the same servers afterwards."""
        scraped = {"job_name": job, "static_configs": [{"targets": [target]}]}
        self._change("prometheus.json", lambda told: told["scrape_configs"].append(scraped))
        try:
            yield
        finally:
            self._change("prometheus.json", lambda told: told["scrape_configs"].remove(scraped))

    @contextmanager
    def alerting(self, name: str, expression: str, severity: str = "warning") -> Iterator[None]:
        """One more alert meanwhile. Others look at the same servers afterwards, so its rule is taken away again."""
        rule = {"alert": name, "expr": expression, "labels": {"severity": severity}, "annotations": {"summary": name}}
        self._change("rules.json", lambda told: told["groups"][0]["rules"].append(rule))
        try:
            yield
        finally:
            self._change("rules.json", lambda told: told["groups"][0]["rules"].remove(rule))

    def silence(self, name: str, comment: str) -> None:
        """Keep an alert from people."""
        now = datetime.now(UTC)
        told = {
            "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
            "createdBy": "a test",
            "comment": comment,
        }
        request = urllib.request.Request(
            f"{self.alertmanager}/api/v2/silences",
            data=json.dumps(told).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    def _change(self, name: str, change: Callable[[Any], None]) -> None:
        file = self.site.folder / name
        told = json.loads(file.read_text())
        change(told)
        file.write_text(json.dumps(told))
        os.kill(self.server.pid, signal.SIGHUP)


@contextmanager
def running(folder: Path, portal: str, issuer: str) -> Iterator[PrometheusServer]:
    """Both, set up for a portal at an address that need not answer yet. Raises `LeftOut` where they cannot be had."""
    made = planned(folder, COMPONENT, portal=portal, issuer=issuer)
    site = made.site
    with running_component(made):
        yield PrometheusServer(site, site.address, alertmanager_address(site), COMPONENT.settings(site), made)

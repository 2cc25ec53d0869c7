"""A portal of its own process, watched by the real Prometheus, and told where that is."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import served
from real_servers import child, prometheus


@dataclass(frozen=True)
class Watched:
    """Both. `address` is the portal's public one."""

    portal: served.Served
    address: str
    server: prometheus.PrometheusServer


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Started, and scraped once. Raises `LeftOut` where there is no Prometheus."""
    port = child.free_port()
    address = f"http://openlakes.localhost:{port}"
    with prometheus.running(folder / "stack", f"http://127.0.0.1:{port}", address) as server:
        settings: dict[str, Any] = {
            "auth": {"mode": "demo"},
            "server": {"public_url": address, "port": port, "data_dir": str(folder / "data")},
            **server.settings,
        }
        (folder / "settings.json").write_text(json.dumps(settings))
        command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(folder / "settings.json")]
        process = child.start(command, folder / "portal.log", cwd=folder)
        portal = served.Served(f"http://127.0.0.1:{port}", process)
        try:
            process.wait_until(portal.is_ready, 60)
            yield Watched(portal, address, server)
        finally:
            process.stop()

"""`openlakes serve`: the console."""

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from openlakes_portal._auth.exchange.rules import check_exchange
from openlakes_portal._auth.oidc.rules import check_oidc
from openlakes_portal._auth.personas import check_demo
from openlakes_portal._cli.common import load_or_explain
from openlakes_portal._settings.model import Settings


def main(arguments: Sequence[str]) -> int:
    """Serve until stopped."""
    parser = argparse.ArgumentParser("openlakes serve", description="The console; migrates its database first.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (default: $OPENLAKES_CONFIG)")
    parser.add_argument("--host", metavar="H", help="address to listen on (server.host)")
    parser.add_argument("--port", type=int, metavar="P", help="port to listen on (server.port)")
    parser.add_argument("--workers", type=int, metavar="N", help="worker processes (server.workers)")
    options = parser.parse_args(arguments)
    server = {k: v for k, v in vars(options).items() if k in ("host", "port", "workers") and v is not None}
    return run(options.config, {}, {"server": server} if server else {})


def run(config: Path | None, overlay: dict[str, Any], overrides: dict[str, Any]) -> int:
    """Check the settings, hand them to the workers, serve."""
    loaded = load_or_explain(config, overlay, overrides)
    if loaded is None:
        return 1
    problem = check(loaded.settings)
    problem = problem or check_address(loaded.settings)
    if problem:
        print(f"openlakes: {problem}", file=sys.stderr)
        return 1
    if config is not None:
        os.environ["OPENLAKES_CONFIG"] = str(config)
    from openlakes_portal._http.app import BOOT

    os.environ[BOOT] = json.dumps({"overlay": overlay, "overrides": overrides}, default=str)
    from openlakes_portal._http.server import serve

    return serve(loaded.settings)


def check(settings: Settings) -> str | None:
    """Why the portal may not start with these settings, or None."""
    problem = check_demo(settings)
    if problem:
        return problem
    if settings.auth.mode == "oidc" and settings.auth.oidc is None:
        return (
            "auth.mode is oidc and auth.oidc is not set: name the identity provider, or use auth.mode demo on loopback"
        )
    if settings.auth.mode == "oidc" and settings.auth.oidc is not None:
        problem = check_oidc(settings.auth.oidc, settings.server.public_url)
        if problem:
            return problem
    if settings.auth.token_exchange.rules:
        problem = check_exchange(settings)
        if problem:
            return problem
    if settings.server.workers > 1 and settings.database.url is None:
        return "server.workers is above 1 and database.url is not set: more than one worker needs PostgreSQL"
    return None


def check_address(settings: Settings) -> str | None:
    """Why the address cannot be listened on, or None. Asked without SO_REUSEPORT, which workers share a port by: with
    it a second portal would take half of the first one's requests."""
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"cannot listen on {host} port {port}: {error.strerror}; end what uses it, or choose another --port"
    return None

"""Peers of the gateway, each in front of the same application: nginx, configurable-http-proxy, mod_auth_openidc, and
Traefik, Caddy and Envoy as they ask the portal (forward-auth)."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from core.tests.gateway.ingress_page import block
from core.tests.gateway.real import RealHouse
from core.tests.identity import oidc_provider

from bench import exchange
from bootstrap import console
from bootstrap.machine import install_debian_package
from bootstrap.paths import ROOT, Checkout, cache_dir
from bootstrap.process import must
from bootstrap.stamps import only_one
from real_servers import child, ingress

PROXY = "configurable-http-proxy"
PROXY_VERSION = "5.3.0"
SMALL, LARGE = 2048, 10 * 1024 * 1024
READY_WITHIN = 30
APACHE = Path("/usr/sbin/apache2")


@dataclass(frozen=True)
class Way:
    """One way to the same answers: a port, and what stands in the head of each request."""

    port: int
    host: str
    cookie: str = ""

    def request(self, path: str) -> bytes:
        """A GET as bytes."""
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\n{cookie}\r\n".encode()

    def small(self, connections: int) -> exchange.Load:
        """Load by answers of 2 kB."""
        return exchange.load(self.port, self.request("/small"), connections)

    def large(self, connections: int) -> exchange.Load:
        """Load by answers of 10 MB."""
        return exchange.load(self.port, self.request("/large"), connections)


@contextmanager
def application(folder: Path, port: int) -> Iterator[Way]:
    """What stands behind all of them: an nginx with two files."""
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "small").write_bytes(b"x" * SMALL)
    (folder / "files" / "large").write_bytes(b"x" * LARGE)
    served = f"root {folder / 'files'}; keepalive_requests 100000000; sendfile on; tcp_nopush on;"
    with _nginx(folder, f"server {{ listen 127.0.0.1:{port} backlog=1024; {served} }}\n"):
        yield Way(port, "127.0.0.1")


@contextmanager
def nginx(folder: Path, house: RealHouse, gateway: Way) -> Iterator[dict[str, Way]]:
    """`nginx`, which checks nobody, and `auth_request`, which asks the portal for each request."""
    plain, asking = child.free_port(), child.free_port()
    onward = """
        proxy_pass http://application;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffers 16 64k;
        proxy_busy_buffers_size 128k;
    """
    text = f"""
    upstream application {{ server 127.0.0.1:{house.target_port}; keepalive 64; keepalive_requests 100000000; }}
    upstream portal {{ server 127.0.0.1:{house.replica.port}; keepalive 64; keepalive_requests 100000000; }}
    server {{
      listen 127.0.0.1:{plain};
      keepalive_requests 100000000;
      location / {{ {onward} }}
    }}
    server {{
      listen 127.0.0.1:{asking};
      keepalive_requests 100000000;
      location = /authorize {{
        internal;
        proxy_pass http://portal/api/gateway/authorize;
        proxy_http_version 1.1;
        proxy_pass_request_body off;
        proxy_set_header Connection "";
        proxy_set_header Content-Length "";
        proxy_set_header Host 127.0.0.1:{house.replica.port};
        proxy_set_header X-Original-Method $request_method;
        proxy_set_header X-Original-Host $http_host;
        proxy_set_header X-Original-Uri $request_uri;
        proxy_set_header X-Forwarded-For $remote_addr;
      }}
      location / {{
        auth_request /authorize;
        auth_request_set $who $upstream_http_x_remote_user;
        proxy_set_header X-Remote-User $who;
        {onward}
      }}
    }}
    """
    with _nginx(folder, text):
        yield {"nginx": Way(plain, "127.0.0.1"), "auth_request": Way(asking, gateway.host, gateway.cookie)}


@contextmanager
def forward_auth(folder: Path, house: RealHouse, gateway: Way) -> Iterator[dict[str, Way]]:
    """Traefik, Caddy and Envoy, which ask the portal for each request, configured as the operators' page says."""
    with ExitStack() as stack:
        found: dict[str, Way] = {}
        for kind in ("traefik", "caddy", "envoy"):
            place, port = folder / kind, child.free_port()
            place.mkdir(parents=True)
            text = block(kind, house.replica.port, house.target_port, gateway.host, port)
            stack.enter_context(ingress.running(kind, place, text, port, gateway.host))
            found[kind] = Way(port, gateway.host, gateway.cookie)
        yield found


@contextmanager
def proxy(folder: Path, target: int) -> Iterator[Way]:
    """JupyterHub's proxy (npm), which checks nobody."""
    npm = console.find_npm(Checkout(ROOT))
    node = npm.command[0] if len(npm.command) > 1 else shutil.which("node") or "node"
    home = cache_dir() / f"{PROXY}-{PROXY_VERSION}"
    with only_one(cache_dir() / f"{PROXY}.lock"):
        if not home.is_dir():
            draft = home.with_name(f"{home.name}.part")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            words = ["install", "--no-audit", "--no-fund", "--silent", f"{PROXY}@{PROXY_VERSION}"]
            must([*npm.command, *words], f"{PROXY} could not be installed.", draft, npm.env)
            draft.rename(home)
    port, control = child.free_port(), child.free_port()
    program = home / "node_modules" / PROXY / "bin" / PROXY
    options = ["--ip=127.0.0.1", f"--port={port}", "--api-ip=127.0.0.1", f"--api-port={control}", "--log-level=error"]
    command: list[str | Path] = [node, program, *options, f"--default-target=http://127.0.0.1:{target}"]
    folder.mkdir(parents=True, exist_ok=True)
    process = child.start(command, folder / "proxy.log", env={**os.environ, "CONFIGPROXY_AUTH_TOKEN": "bench"})
    try:
        process.wait_until(lambda: child.accepts(port), READY_WITHIN)
        yield Way(port, "127.0.0.1")
    finally:
        process.stop()


@contextmanager
def mod_auth_openidc(folder: Path, target: int) -> Iterator[Way | None]:
    """Apache with Debian's mod_auth_openidc as a reverse proxy, signed in at a real provider; None where it cannot be
    installed."""
    module = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")
    if not module.is_file() and not install_debian_package("libapache2-mod-auth-openidc"):
        yield None
        return
    with tempfile.TemporaryDirectory(dir=folder) as name, oidc_provider.running(Path(name)) as provider:
        port = child.free_port()
        configuration = folder / "apache.conf"
        configuration.write_text(_apache(folder, port, target, provider))
        command: list[str | Path] = [APACHE, "-f", configuration, "-D", "FOREGROUND"]
        process = child.start(command, folder / "apache.log", cwd=folder)
        try:
            process.wait_until(lambda: child.accepts(port), READY_WITHIN)
            yield Way(port, f"127.0.0.1:{port}", asyncio.run(_session(port, provider)))
        finally:
            process.stop()


async def _session(port: int, provider: oidc_provider.NodeProvider) -> str:
    """Sign in through it; its session's cookie."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as client:
        away = await client.get("/small")
        callback = await provider.sign_in(away.headers["location"], "alice")
        await client.get(callback)
        found = {name: value for name, value in client.cookies.items() if name.startswith("mod_auth_openidc_session")}
    return "; ".join(f"{name}={value}" for name, value in found.items())


def _apache(folder: Path, port: int, target: int, provider: oidc_provider.NodeProvider) -> str:
    names = ("mpm_event", "authn_core", "authz_core", "authz_user", "headers", "proxy", "proxy_http", "auth_openidc")
    modules = "".join(f"LoadModule {name}_module modules/mod_{name}.so\n" for name in names)
    return f"""ServerRoot /usr/lib/apache2
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.err
LogLevel error
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
{modules}User nobody
Group nogroup
StartServers 2
ThreadsPerChild 32
MaxRequestWorkers 64
KeepAlive On
MaxKeepAliveRequests 0
OIDCProviderMetadataURL {provider.issuer}/.well-known/openid-configuration
OIDCClientID {provider.client_id}
OIDCClientSecret {provider.client_secret}
OIDCRedirectURI http://127.0.0.1:{port}/oidc/callback
OIDCCryptoPassphrase {os.urandom(16).hex()}
OIDCPKCEMethod S256
OIDCScope "openid profile email"
OIDCRemoteUserClaim preferred_username
OIDCPassClaimsAs headers
OIDCSessionType server-cache
OIDCCacheType shm
<Location />
  AuthType openid-connect
  Require valid-user
  ProxyPass http://127.0.0.1:{target}/ keepalive=On max=64
</Location>
<Location /oidc>
  AuthType openid-connect
  Require valid-user
  ProxyPass !
</Location>
"""


@contextmanager
def _nginx(folder: Path, configuration: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    command = ingress.nginx(folder, configuration, ("user root;\n" if os.geteuid() == 0 else ""))
    process = child.start(command, folder / "nginx.log", cwd=folder)
    port = int(configuration.partition("listen 127.0.0.1:")[2].split(";")[0].split()[0])
    try:
        process.wait_until(lambda: child.accepts(port), READY_WITHIN)
        yield
    finally:
        process.stop()


__all__ = ["PROXY", "Way", "application", "mod_auth_openidc", "nginx", "proxy"]

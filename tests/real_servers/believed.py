"""A portal that a system believes, with a key of the test's own: so a test can also say what the portal never would."""

import json
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from joserfc import jwt
from joserfc.jwk import OKPKey

import served
from openlakes_portal_stack.runner.site import StackSite
from real_servers import child


@dataclass(frozen=True)
class Claimed:
    """Where a portal will be, before it is there: what is set up for it needs that first."""

    port: int = field(default_factory=child.free_port)
    key: OKPKey = field(default_factory=lambda: OKPKey.generate_key("Ed25519", {"use": "sig", "alg": "EdDSA"}))

    @property
    def local(self) -> str:
        """Its address on loopback."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def issuer(self) -> str:
        """Its public address."""
        return f"http://openlakes.localhost:{self.port}"

    @contextmanager
    def started(self, folder: Path, settings: Mapping[str, Any]) -> Iterator[served.Served]:
        """The portal, in demo mode, signing with the key; not waited for."""
        folder.mkdir()
        pem = folder / "issuer.pem"
        pem.write_bytes(self.key.as_pem(private=True))
        fixed = {
            "auth": {"mode": "demo", "issuer": {"keys": [{"file": str(pem)}]}},
            "server": {"public_url": self.issuer, "port": self.port, "data_dir": str(folder / "data")},
        }
        file = folder / "settings.json"
        file.write_text(json.dumps({**fixed, **settings}))
        command: list[str | Path] = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", file]
        process = child.start(command, folder / "portal.log", cwd=folder)
        try:
            yield served.Served(self.local, process)
        finally:
            process.stop()

    def published_key(self, portal: served.Served, plugin: str) -> OKPKey:
        """The key as the portal publishes it, once all components of the plugin are healthy there."""
        portal.process.wait_until(portal.is_ready, 60)
        signed_in = portal.sign_in("platform-admin")

        def is_well() -> bool:
            items = portal.ask("/api/components", headers=signed_in).json()["items"]
            return {one["state"] for one in items if one["plugin"] == plugin} == {"healthy"}

        portal.process.wait_until(is_well, 60)
        own = self.key.as_dict(private=True)
        published = portal.ask("/.well-known/jwks.json").json()["keys"]
        (kid,) = (one["kid"] for one in published if one.get("x") == own["x"])
        return OKPKey.import_key({**own, "kid": kid})


@dataclass(frozen=True)
class Believing:
    """A system at `address` that believes the portal at `portal`, and the key that both go by, under the name that the
    portal publishes it by."""

    audience: ClassVar[str]
    address: str
    portal: served.Served
    issuer: str
    key: OKPKey
    site: StackSite

    def token(self, user: str, *roles: str, key: Any = None, **changed: Any) -> str:
        """A token as the portal makes them; keywords change claims, None takes one away, `alg` and `kid` the header."""
        now = int(time.time()) - 5
        claims = {"iss": self.issuer, "sub": user, "aud": self.audience, "iat": now, "nbf": now, "exp": now + 300}
        header = {"alg": changed.pop("alg", "EdDSA"), "kid": changed.pop("kid", self.key.kid), "typ": "JWT"}
        said = {k: v for k, v in {**claims, "roles": list(roles), **changed}.items() if v is not None}
        with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
            return jwt.encode(header, said, key or self.key, algorithms=[header["alg"]])


def answering(address: str) -> Callable[[], bool]:
    """Whether an address answers, for who waits until it does."""

    def answers() -> bool:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            return False
        return True

    return answers

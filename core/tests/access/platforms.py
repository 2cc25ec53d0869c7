"""Platforms whose jobs have tokens of their own, in the shapes that their documentation gives: GitHub Actions ("OpenID
Connect reference", example token) and Kubernetes ("Managing Service Accounts", bound tokens, v1.32)."""

import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import yaml

from openlakes_portal.testing._identity.wire import json_reply
from openlakes_portal.testing.identity_provider import SigningKey
from openlakes_portal.testing.loopback import LoopbackServer, Reply
from openlakes_portal.testing.upstream import ReceivedRequest

GUIDE = Path(__file__).parents[3] / "docs" / "operators" / "service-accounts.md"
AUDIENCE = "https://lake.example"
Claims = dict[str, Any]


def documented(name: str) -> dict[str, Any]:
    """The settings of a block of the operators' guide."""
    (block,) = re.findall(rf"```yaml {name}\n(.*?)```", GUIDE.read_text(), re.S)
    found: dict[str, Any] = yaml.safe_load(block)
    return found


class Platform:
    """An issuer of tokens over http on loopback: its discovery, its keys, and how often it was asked. `answer` changes
    what a path answers."""

    def __init__(self) -> None:
        self.key = SigningKey.generate("RS256")
        self.keys = [self.key]
        self.asked: list[str] = []
        self.answer: Callable[[str], Reply | None] = lambda path: None
        self._server = LoopbackServer(self._reply)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.port}"

    @property
    def jwks_uri(self) -> str:
        return f"{self.issuer}/keys"

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.public() for key in self.keys]}

    async def _reply(self, request: ReceivedRequest) -> Reply:
        self.asked.append(request.path)
        given = self.answer(request.path)
        if given is not None:
            return given
        if request.path == "/keys":
            # As Kubernetes 1.37.2 does: 406 to who does not accept a key set.
            accepted = "application/jwk-set+json" in request.headers.get("accept", "")
            return json_reply(self.jwks) if accepted else json_reply({}, 406)
        if request.path == "/.well-known/openid-configuration":
            return json_reply({"issuer": self.issuer, "jwks_uri": self.jwks_uri})
        return json_reply({}, 404)

    def sign(self, claims: Claims, **header: Any) -> str:
        """A token as GitHub heads it."""
        return self.key.sign({"typ": "JWT", "alg": self.key.algorithm, "kid": self.key.kid, **header}, claims)

    def sign_bare(self, claims: Claims) -> str:
        """A token as Kubernetes heads it: no type."""
        return self.key.sign({"alg": self.key.algorithm, "kid": self.key.kid}, claims)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


def github(**changed: Any) -> Claims:
    """A job on the main branch of octo-org/octo-repo that deploys to `prod`; None takes a claim away."""
    moment = int(time.time())
    claims: Claims = {
        "jti": str(uuid.uuid4()),
        "sub": "repo:octo-org/octo-repo:environment:prod",
        "environment": "prod",
        "aud": AUDIENCE,
        "ref": "refs/heads/main",
        "sha": "2f1c9a0d7be1a6ae0de1d4a1f3c8ea2cc3d1a5b7",
        "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org",
        "actor_id": "12",
        "repository_visibility": "private",
        "repository_id": "74",
        "repository_owner_id": "65",
        "run_id": "1029384756",
        "run_number": "10",
        "run_attempt": "2",
        "runner_environment": "github-hosted",
        "actor": "octocat",
        "workflow": "deploy",
        "head_ref": "",
        "base_ref": "",
        "event_name": "workflow_dispatch",
        "ref_type": "branch",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
        "iss": "https://token.actions.githubusercontent.com",
        "nbf": moment - 600,
        "exp": moment + 300,
        "iat": moment,
    }
    return _changed(claims, changed)


def pull_request(**changed: Any) -> Claims:
    """A job of the same repository for a pull request that comes from a fork."""
    of_a_fork = {
        "sub": "repo:octo-org/octo-repo:pull_request",
        "environment": None,
        "ref": "refs/pull/5/merge",
        "ref_type": "branch",
        "head_ref": "patch-1",
        "base_ref": "main",
        "event_name": "pull_request",
        "actor": "mallory",
        "actor_id": "666",
        "job_workflow_ref": "octo-org/octo-repo/.github/workflows/ci.yml@refs/pull/5/merge",
    }
    return github(**{**of_a_fork, **changed})


def kubernetes(**changed: Any) -> Claims:
    """A pod's projected token of the service account `loader` in `ingest`."""
    moment = int(time.time())
    claims: Claims = {
        "aud": [AUDIENCE],
        "exp": moment + 3600,
        "iat": moment,
        "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": str(uuid.uuid4()),
        "kubernetes.io": {
            "namespace": "ingest",
            "node": {"name": "node-1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1"},
            "pod": {"name": "loader-0", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
            "serviceaccount": {"name": "loader", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
        },
        "nbf": moment,
        "sub": "system:serviceaccount:ingest:loader",
    }
    return _changed(claims, changed)


def _changed(claims: Claims, changed: dict[str, Any]) -> Claims:
    return {name: value for name, value in {**claims, **changed}.items() if value is not None}

"""Keys for some minutes from SeaweedFS' STS, by a person's token: for whoever's role allows, and for nothing more."""

import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pyarrow.fs as pafs
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from openlakes_portal_stack.components.seaweedfs import AUDIENCE, COMPONENT, access
from real_servers.jwks import serving
from real_servers.raised import Raised, raised

pytestmark = pytest.mark.server


class Lake:
    """A SeaweedFS that believes a key, and a bucket with one object in it."""

    def __init__(self, server: Raised, issuer: str, key: ECKey) -> None:
        self._issuer, self._key = issuer, key
        self._account = access(server.site)
        self.endpoint = self._account["endpoint"]
        whole = self.files(self._account["access_key"], self._account["secret_key"])
        for bucket in ("lakehouse", "other"):
            whole.create_dir(bucket)
            with whole.open_output_stream(f"{bucket}/object") as output:
                output.write(b"hello")

    def files(self, key: str, secret: str, token: str | None = None) -> pafs.S3FileSystem:
        return pafs.S3FileSystem(
            access_key=key,
            secret_key=secret,
            session_token=token,
            region="us-east-1",
            scheme="http",
            endpoint_override=self.endpoint.partition("://")[2],
            allow_bucket_creation=token is None,
        )

    def token(self, *roles: str, key: ECKey | None = None, **changed: Any) -> str:
        now = int(time.time()) - 5
        claims = {"iss": self._issuer, "sub": "alice", "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300}
        header = {"alg": "ES256", "kid": self._key.kid, "typ": "JWT"}
        return jwt.encode(header, {**claims, "roles": list(roles), **changed}, key or self._key, algorithms=["ES256"])

    def assume(self, role: str, token: str) -> tuple[int, str]:
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": f"arn:aws:iam::role/{role}",
            "RoleSessionName": "alice",
            "WebIdentityToken": token,
            "DurationSeconds": "900",
        }
        try:
            with urllib.request.urlopen(f"{self.endpoint}/", urllib.parse.urlencode(form).encode(), 20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def as_person(self, role: str, token: str) -> pafs.S3FileSystem:
        status, text = self.assume(role, token)
        assert status == 200, text
        keys = [
            re.findall(f"<{name}>(.*?)</{name}>", text)[0]
            for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
        ]
        return self.files(*keys)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    key = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "a-key"})
    alone = replace(COMPONENT, finish=lambda site: None)
    with (
        serving({"keys": [key.as_dict(private=False)]}) as issuer,
        raised(tmp_path_factory.mktemp("sts") / "stack", alone, portal=issuer) as server,
    ):
        yield Lake(server, issuer, key)


def test_a_reader_reads_the_lakehouse_and_nothing_else(lake: Lake) -> None:
    files = lake.as_person("lakehouse-reader", lake.token("analytics-engineer"))
    assert files.open_input_stream("lakehouse/object").read() == b"hello"
    with pytest.raises(OSError, match=r"ACCESS_DENIED|403"):
        files.open_input_stream("other/object").read()
    with pytest.raises(OSError, match=r"ACCESS_DENIED|403"), files.open_output_stream("lakehouse/new") as output:
        output.write(b"x")


def test_a_writer_writes_there(lake: Lake) -> None:
    files = lake.as_person("lakehouse-writer", lake.token("data-engineer"))
    with files.open_output_stream("lakehouse/written") as output:
        output.write(b"by alice")
    assert files.open_input_stream("lakehouse/written").read() == b"by alice"


@pytest.mark.parametrize(
    ("role", "roles", "changed"),
    [
        ("lakehouse-writer", ("analytics-engineer",), {}),
        ("lakehouse-reader", ("bi-analyst",), {}),
        ("lakehouse-reader", (), {}),
        ("lakehouse-reader", ("data-engineer",), {"aud": "trino"}),
        ("lakehouse-reader", ("data-engineer",), {"iss": "http://evil.example"}),
        ("lakehouse-reader", ("data-engineer",), {"exp": 1}),
        ("no-such-role", ("platform-admin",), {}),
    ],
)
def test_whoever_may_not_gets_no_keys(lake: Lake, role: str, roles: tuple[str, ...], changed: dict[str, Any]) -> None:
    status, text = lake.assume(role, lake.token(*roles, **changed))
    assert 400 <= status < 500, text
    assert "SecretAccessKey" not in text


def test_a_token_that_the_portal_did_not_sign_gets_no_keys(lake: Lake) -> None:
    stranger = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256", "kid": "a-key"})
    status, text = lake.assume("lakehouse-reader", lake.token("data-engineer", key=stranger))
    assert 400 <= status < 500, text
    assert "SecretAccessKey" not in text

"""What the tests of the token exchange share: a platform, a portal that trusts it, and how both are asked."""

from typing import Any

import httpx

from openlakes_portal.testing import PortalUnderTest

from .conftest import bind
from .platforms import AUDIENCE, Claims, Platform, github

PATH = "/api/tokens/exchange"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT, ID_TOKEN = "urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
HEALTH, AUDIT, SETTINGS = "core:health:read", "core:audit:read", "core:setting:read"
TABLE, ACME = "acme:table:read", "/api/plugins/acme"
SAID = "The subject token is not taken. The audit log says why, under this request id."


def job(platform: Platform, **changed: Any) -> Claims:
    """Claims of a job of the platform of this test."""
    return github(**{"iss": platform.issuer, **changed})


def rule(platform: Platform, **changed: Any) -> dict[str, Any]:
    """A rule for its jobs, by discovery."""
    given = {
        "name": "main",
        "issuer": platform.issuer,
        "audience": AUDIENCE,
        "claims": {"repository_id": "74", "ref": "refs/heads/main"},
        "service_account": "ci",
        "single_use": True,
    }
    return {**given, **changed}


def exchanging(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"auth": {"token_exchange": {"rules": [*rules]}}}


async def ready(house: PortalUnderTest, *held: str, name: str = "ci") -> PortalUnderTest:
    """The service account of the rules, which holds these."""
    admin = house.signed_in("platform-admin")
    answer = await admin.post("/api/service-accounts", json={"name": name, "description": "CI"})
    assert answer.status_code == 201, answer.text
    for permission in held:
        await bind(admin, permission, subject=f"service:{name}")
    return house


async def send(house: PortalUnderTest, token: str | None, **fields: str | None) -> httpx.Response:
    form = {"grant_type": GRANT, "subject_token_type": JWT, "subject_token": token, **fields}
    return await house.anonymous.post(PATH, data={name: value for name, value in form.items() if value is not None})


async def given(house: PortalUnderTest, token: str, **fields: str) -> dict[str, Any]:
    answer = await send(house, token, **fields)
    assert answer.status_code == 200, (answer.text, (await refusals(house))[:1])
    found: dict[str, Any] = answer.json()
    return found


async def refused(house: PortalUnderTest, token: str, **fields: str | None) -> str:
    """Send a token that is not taken; what the audit log says of it. Who asked is told nothing."""
    answer = await send(house, token, **fields)
    told = answer.json()
    assert (answer.status_code, told.pop("request_id")) == (400, answer.headers["x-request-id"])
    assert told == {"error": "invalid_request", "error_description": SAID}
    record = (await refusals(house))[0]
    assert record["request_id"] == answer.headers["x-request-id"]
    why: str = record["details"]["why"]
    return why


async def refusals(house: PortalUnderTest) -> list[dict[str, Any]]:
    admin = house.signed_in("platform-admin")
    answer = await admin.get("/api/audit", params={"action": "core.token.exchange-refused"})
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def ask(house: PortalUnderTest, token: str, path: str) -> int:
    return (await house.anonymous.get(path, headers={"authorization": f"Bearer {token}"})).status_code

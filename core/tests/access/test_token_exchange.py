"""A job's token of its own platform for a short one of a service account (RFC 8693), on both databases."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text, update
from structlog.testing import capture_logs

from openlakes_portal._auth.exchange.issuers import Issuers
from openlakes_portal._auth.oidc.jws import NotBelieved
from openlakes_portal._auth.token_text import is_token
from openlakes_portal._host.portal import BootFailed
from openlakes_portal._settings.token_exchange import TokenExchangeSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import api_tokens
from openlakes_portal.testing import PortalUnderTest
from openlakes_portal.testing.identity_provider import SigningKey

from .conftest import OpenHouse, bind
from .exchanges import (
    ACCESS_TOKEN,
    ACME,
    AUDIT,
    GRANT,
    HEALTH,
    JWT,
    PATH,
    SETTINGS,
    TABLE,
    ask,
    exchanging,
    given,
    job,
    ready,
    refusals,
    refused,
    rule,
    send,
)
from .platforms import Platform, documented, github, kubernetes, pull_request


@pytest.fixture
async def house(open_house: OpenHouse, platform: Platform) -> PortalUnderTest:
    """A portal that trusts the platform's main branch, and a service account that holds two permissions."""
    return await ready(await open_house(**exchanging(rule(platform))), AUDIT, HEALTH)


# What is given


async def test_a_job_of_github_gets_a_short_token_by_the_guides_rule(open_house: OpenHouse, platform: Platform) -> None:
    block = documented("github")
    block["auth"]["token_exchange"]["rules"][0]["jwks_uri"] = platform.jwks_uri  # GitHub's, were it here
    house = await ready(await open_house(**block), name="deploy")
    answer = await send(house, platform.sign(github()))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    token = told.pop("access_token")
    assert is_token(token)
    assert told == {"issued_token_type": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 900, "scope": HEALTH}
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")
    assert "set-cookie" not in answer.headers
    assert await ask(house, token, "/api/components") == 200
    assert await ask(house, token, "/api/audit") == 403
    assert "environment" in await refused(house, platform.sign(github(environment="staging")))
    assert "ref is 'refs/pull/5/merge'" in await refused(house, platform.sign(pull_request(environment="prod")))


async def test_a_pod_gets_a_token_by_the_guides_rule_again_and_again(
    open_house: OpenHouse, platform: Platform, tmp_path: Path
) -> None:
    platform.key = SigningKey.generate("ES256")
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [platform.key.public()]}))
    block = documented("kubernetes")
    block["auth"]["token_exchange"]["rules"][0]["jwks_file"] = str(tmp_path / "jwks.json")
    house = await ready(await open_house(**block), name="loader")
    token = platform.sign_bare(kubernetes())
    first, second = await given(house, token), await given(house, token)
    assert first["access_token"] != second["access_token"]
    for made in (first, second):
        assert await ask(house, made["access_token"], "/api/components") == 200
    assert platform.asked == []
    other = {"serviceaccount": {"name": "loader", "uid": "made again"}}
    assert "uid" in await refused(house, platform.sign_bare(kubernetes(**{"kubernetes.io": other})))


async def test_keys_of_a_file_that_is_brought_up_to_date(
    open_house: OpenHouse, platform: Platform, tmp_path: Path
) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(platform.jwks))
    house = await ready(await open_house(**exchanging(rule(platform, jwks_file=str(file)))), AUDIT)
    await given(house, platform.sign(job(platform)))
    platform.key = SigningKey.generate("ES256")
    file.write_text(json.dumps({"keys": [platform.key.public()]}))
    await given(house, platform.sign(job(platform)))
    assert platform.asked == []


async def test_each_signature_that_is_believed(platform: Platform) -> None:
    settings = TokenExchangeSettings.model_validate({"rules": [rule(platform)]})
    for algorithm in ("RS256", "PS256", "ES256", "ES384", "EdDSA", "ES512"):
        platform.key = SigningKey.generate(algorithm)
        platform.keys = [platform.key]
        issuers = Issuers(settings)
        (signer,) = issuers.of(platform.issuer)
        token = platform.sign(job(platform))
        if algorithm == "ES512":
            with pytest.raises(NotBelieved, match="not believed here"):
                await signer.claims_of(token)
        else:
            assert (await signer.claims_of(token))["ref"] == "refs/heads/main"
        await issuers.close()


async def test_an_exchanged_token_ends_by_itself_and_is_not_listed(open_house: OpenHouse, platform: Platform) -> None:
    house = await ready(await open_house(**exchanging(rule(platform, lifetime=60))), AUDIT)
    made = await given(house, platform.sign(job(platform)))
    assert made["expires_in"] == 60
    assert await ask(house, made["access_token"], "/api/audit") == 200
    admin = house.signed_in("platform-admin")
    assert (await admin.get("/api/service-accounts/ci/tokens")).json()["items"] == []
    assert (await admin.get("/api/tokens?all=true")).json()["items"] == []
    portal = house.app.portal
    for ago, swept in ((timedelta(seconds=1), 0), (timedelta(days=1, seconds=1), 1)):
        async with portal.database.write() as connection:
            await connection.execute(update(api_tokens).values(expires_at=now() - ago))
        portal.api_tokens._cache.clear()
        assert await ask(house, made["access_token"], "/api/audit") == 401
        assert await portal.api_tokens.sweep() == swept


async def test_it_may_no_more_than_the_account_holds_then(house: PortalUnderTest, platform: Platform) -> None:
    made = await given(house, platform.sign(job(platform)))
    assert made["scope"] == f"{AUDIT} {HEALTH}"
    admin = house.signed_in("platform-admin")
    (binding,) = (await admin.get("/api/role-bindings", params={"role": AUDIT})).json()["items"]
    assert await ask(house, made["access_token"], "/api/audit") == 200
    gone = await admin.delete(f"/api/role-bindings/{binding['id']}", headers={"if-match": str(binding["version"])})
    assert gone.status_code == 200
    async with asyncio.timeout(1):
        while await ask(house, made["access_token"], "/api/audit") != 403:
            await asyncio.sleep(0.02)
    assert await ask(house, made["access_token"], "/api/components") == 200


async def test_a_scope_narrows_and_never_widens(house: PortalUnderTest, platform: Platform) -> None:
    made = await given(house, platform.sign(job(platform)), scope=HEALTH)
    assert made["scope"] == HEALTH
    assert await ask(house, made["access_token"], "/api/components") == 200
    assert await ask(house, made["access_token"], "/api/audit") == 403
    token = platform.sign(job(platform))
    for wide in (SETTINGS, f"{HEALTH} {SETTINGS}", "no:such:thing", "*", f" {HEALTH}", f"{HEALTH}  {AUDIT}"):
        answer = await send(house, token, scope=wide)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope"), wide
    await given(house, token, scope=f"{AUDIT} {HEALTH} {AUDIT}")  # a refused scope did not use the token up


async def test_a_rule_narrows_what_its_jobs_get(open_house: OpenHouse, platform: Platform) -> None:
    narrow = rule(platform, permissions=[HEALTH, SETTINGS, "gone:thing:read"])
    house = await ready(await open_house(**exchanging(narrow)), AUDIT, HEALTH)
    assert (await given(house, platform.sign(job(platform))))["scope"] == HEALTH
    answer = await send(house, platform.sign(job(platform)), scope=AUDIT)
    assert answer.json()["error"] == "invalid_scope"
    assert (await refusals(house))[0]["details"]["why"] == f"beyond account and rule: {AUDIT}"


async def test_an_account_without_rights_gets_no_token(open_house: OpenHouse, platform: Platform) -> None:
    house = await ready(await open_house(**exchanging(rule(platform))))
    answer = await send(house, platform.sign(job(platform)))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")


async def test_rights_for_some_resources_come_along(open_house: OpenHouse, platform: Platform) -> None:
    house = await ready(await open_house(**exchanging(rule(platform))))
    where = "catalog=lakehouse/schema=nyc_*"
    await bind(house.signed_in("platform-admin"), TABLE, subject="service:ci", resource=where)
    made = await given(house, platform.sign(job(platform)))
    assert made["scope"] == TABLE
    assert await ask(house, made["access_token"], f"{ACME}/tables/nyc_taxi") == 200
    assert await ask(house, made["access_token"], f"{ACME}/tables/payroll") == 403


async def test_the_first_rule_that_fits_counts(open_house: OpenHouse, platform: Platform) -> None:
    release = rule(platform, name="release", claims={"ref": "refs/tags/v*"}, service_account="release")
    rules = exchanging(release, rule(platform), rule(platform, name="late", permissions=[HEALTH]))
    house = await ready(await ready(await open_house(**rules), AUDIT), SETTINGS, name="release")
    assert (await given(house, platform.sign(job(platform))))["scope"] == AUDIT
    assert (await given(house, platform.sign(job(platform, ref="refs/tags/v1.2"))))["scope"] == SETTINGS
    why = await refused(house, platform.sign(job(platform, ref="refs/tags/x1")))
    assert [part.split(":")[0] for part in why.split("; ")] == ["release", "main", "late"]


# The account


async def test_a_disabled_or_deleted_account_gets_no_token_and_its_tokens_end(
    open_house: OpenHouse, platform: Platform
) -> None:
    house = await ready(await open_house(**exchanging(rule(platform))), AUDIT)
    other = await open_house(**exchanging(rule(platform)))
    admin = house.signed_in("platform-admin")

    async def until(token: str, status: int, seconds: float = 1) -> None:
        async with asyncio.timeout(seconds):
            while await ask(other, token, "/api/audit") != status:
                await asyncio.sleep(0.02)

    made = (await given(house, platform.sign(job(platform))))["access_token"]
    await until(made, 200, 3)
    assert (await admin.patch("/api/service-accounts/ci", json={"disabled": True})).status_code == 200
    assert await ask(house, made, "/api/audit") == 401
    await until(made, 401)
    token = platform.sign(job(platform))
    assert await refused(house, token) == "the service account ci is disabled"
    assert (await refusals(house))[0]["object"] == "main"
    await admin.patch("/api/service-accounts/ci", json={"disabled": False})
    again = (await given(house, token))["access_token"]
    assert await ask(house, made, "/api/audit") == 401, "exchanged tokens of before are over for good"
    await until(again, 200, 3)
    assert (await admin.delete("/api/service-accounts/ci")).status_code == 200
    assert await ask(house, again, "/api/audit") == 401
    await until(again, 401)
    assert await refused(house, platform.sign(job(platform))) == "the service account ci does not exist"


# The request


REFUSED: list[tuple[dict[str, str | None], str]] = [
    ({"grant_type": None}, "unsupported_grant_type"),
    ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ({"token": None}, "invalid_request"),
    ({"token": ""}, "invalid_request"),
    ({"subject_token_type": None}, "invalid_request"),
    ({"subject_token_type": ACCESS_TOKEN}, "invalid_request"),
    ({"requested_token_type": JWT}, "invalid_request"),
    ({"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, "invalid_request"),
    ({"actor_token": "x"}, "invalid_request"),
    ({"actor_token_type": JWT}, "invalid_request"),
    ({"audience": "https://other.example"}, "invalid_target"),
    ({"audience": "openlakes"}, "invalid_target"),
    ({"resource": "https://other.example/api"}, "invalid_target"),
    ({"scope": " "}, "invalid_scope"),
]


async def test_requests_that_are_refused(house: PortalUnderTest, platform: Platform) -> None:
    own = "http://openlakes.localhost:8600"
    good = {
        "requested_token_type": ACCESS_TOKEN,
        "audience": own,
        "resource": f"{own}/",
        "actor_token": "",
        "more": "x",
    }
    for fields, error in REFUSED:
        token = platform.sign(job(platform))
        answer = await send(house, **{"token": token, **fields})
        assert (answer.status_code, answer.json()["error"]) == (400, error), fields
        assert set(answer.json()) == {"error", "error_description", "request_id"}
        assert answer.headers["cache-control"] == "no-store"
        await given(house, token, **good)


async def test_a_parameter_stands_once(house: PortalUnderTest, platform: Platform) -> None:
    fields = {"grant_type": GRANT, "subject_token_type": JWT, "subject_token": platform.sign(job(platform))}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for name in ("subject_token", "grant_type", "scope", "subject_token_type"):
        body = httpx.QueryParams([*fields.items(), (name, "x"), (name, "x")])
        answer = await house.anonymous.post(PATH, content=str(body), headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), name


BODIES = [
    (b"{}", "application/json"),
    (b"", "application/x-www-form-urlencoded"),
    (b"grant_type=\xff", "application/x-www-form-urlencoded"),
    (b"&".join(b"a%d=1" % n for n in range(30)), "application/x-www-form-urlencoded"),
    (b"subject_token=" + b"x" * 40_000, "application/x-www-form-urlencoded"),
]


async def test_bodies_that_are_no_form_and_methods_that_are_none(house: PortalUnderTest) -> None:
    for body, kind in BODIES:
        answer = await house.anonymous.post(PATH, content=body, headers={"content-type": kind})
        assert answer.status_code == 400
        assert answer.json()["error"] in ("invalid_request", "unsupported_grant_type")
    for method in ("GET", "PUT", "PATCH"):
        answer = await house.anonymous.request(method, PATH)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST"), method


async def test_no_session_no_csrf_token_and_no_foreign_page(house: PortalUnderTest, platform: Platform) -> None:
    form = {"grant_type": GRANT, "subject_token_type": JWT, "subject_token": platform.sign(job(platform))}
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
        assert (await house.anonymous.post(PATH, data=form, headers=headers)).status_code == 403
    admin = house.signed_in("platform-admin")
    await admin.get("/api/session")
    answer = await admin.post(PATH, data=form, headers={"x-csrf-token": None})
    assert answer.status_code == 200, "whoever is signed in: the subject token is what counts"
    told = await house.anonymous.get(
        "/api/session", headers={"authorization": f"Bearer {answer.json()['access_token']}"}
    )
    assert told.json()["username"] == "service:ci"


async def test_without_rules_there_is_no_such_address(open_house: OpenHouse) -> None:
    answer = await send(await open_house(), "x")
    assert answer.status_code == 404


async def test_exchanges_of_one_address_are_limited(open_house: OpenHouse, platform: Platform) -> None:
    house = await ready(await open_house(**exchanging(rule(platform)), limits={"sign_in": 5}), AUDIT)
    answers = [await send(house, "x") for _ in range(8)]
    assert [a.status_code for a in answers[:5]] == [400] * 5
    assert 429 in [a.status_code for a in answers[5:]]
    assert int(next(a for a in answers if a.status_code == 429).headers["retry-after"]) >= 1


async def test_the_portal_does_not_start_with_a_rule_that_it_must_not(
    open_house: OpenHouse, platform: Platform
) -> None:
    with pytest.raises(BootFailed, match="who is on the network could sign tokens"):
        await open_house(**exchanging(rule(platform, issuer="http://ci.example")))


# What is on record


async def test_each_exchange_is_on_record_and_no_token_is(house: PortalUnderTest, platform: Platform) -> None:
    claims = job(platform)
    good, bad = platform.sign(claims), platform.sign(job(platform, ref="refs/heads/x\u202e\n"))
    with capture_logs() as logs:
        made = await given(house, good)
        await refused(house, bad)
        await refused(house, good)
        await send(house, bad, grant_type="x")
    admin = house.signed_in("platform-admin")
    (record,) = (await admin.get("/api/audit", params={"action": "core.token.exchanged"})).json()["items"]
    session = await house.app.portal.api_tokens.session(made["access_token"], None)
    assert session is not None
    assert (record["actor_name"], record["phase"], record["result"]) == ("service:ci", "event", "ok")
    assert (record["session"], record["object"]) == (session.public_id, session.public_id)
    named = {"issuer": platform.issuer, "subject": claims["sub"], "jti": claims["jti"]}
    assert record["details"] == {"rule": "main", **named, "token": session.public_id}
    found = await refusals(house)
    assert [(r["details"]["error"], r["details"].get("verified")) for r in found] == [
        ("unsupported_grant_type", None),
        ("invalid_request", "yes"),
        ("invalid_request", "yes"),
    ]
    assert found[2]["details"]["why"] == "main: ref is 'refs/heads/x\\u202e\\n'"
    assert [entry["event"] for entry in logs if entry["event"] == "token exchange refused"] == [
        "token exchange refused"
    ] * 3
    async with house.app.portal.database.read() as connection:
        rows = [
            row
            for table in ("audit_records", "api_tokens", "used_once")
            for row in [*(await connection.execute(text(f"SELECT * FROM {table}")))]
        ]
    everything = repr(rows) + repr(logs)
    for secret in (good, bad, made["access_token"], good.split(".")[2], bad.split(".")[1]):
        assert secret not in everything


async def test_claims_that_nobody_signed_are_marked_and_cleaned(house: PortalUnderTest) -> None:
    with Platform() as stranger:
        await refused(house, stranger.sign(github(iss="https://evil.example", sub="a\n\u202eb" + "x" * 2000)))
    record = (await refusals(house))[0]
    assert (record["details"]["verified"], record["details"]["issuer"]) == ("no", "https://evil.example")
    assert record["details"]["subject"].startswith("a\\u000a\\u202eb")
    assert len(record["details"]["subject"]) <= 500
    assert record["actor"] == "anonymous"

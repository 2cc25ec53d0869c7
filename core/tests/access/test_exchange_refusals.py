"""Which tokens of other platforms are not taken, and whom the portal asks for keys (cases of B), on both databases."""

import asyncio
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from openlakes_portal._auth.exchange.issuers import Issuers
from openlakes_portal._auth.oidc.errors import ProviderMisconfigured, ProviderUnavailable
from openlakes_portal._auth.oidc.jws import NotBelieved
from openlakes_portal._auth.oidc.keys import BELIEVED_FOR, KeySet
from openlakes_portal._settings.token_exchange import TokenExchangeSettings
from openlakes_portal._store.identity_tables import used_once
from openlakes_portal.testing import PortalUnderTest
from openlakes_portal.testing.identity_provider import SigningKey, signed_with_secret, strange_keys, unsigned
from openlakes_portal.testing.loopback import Reply

from .conftest import OpenHouse
from .exchanges import (
    AUDIT,
    HEALTH,
    exchanging,
    given,
    job,
    ready,
    refusals,
    refused,
    rule,
    send,
)
from .platforms import Claims, Platform, github, kubernetes, pull_request


@pytest.fixture
async def house(open_house: OpenHouse, platform: Platform) -> PortalUnderTest:
    """A portal that trusts the platform's main branch, and a service account that holds two permissions."""
    return await ready(await open_house(**exchanging(rule(platform))), AUDIT, HEALTH)


def wrong(moment: int) -> list[tuple[Claims, str]]:
    """Changes of a job's claims, each of which is enough, and what the audit log says of it."""
    return [
        ({"aud": "https://github.com/octo-org"}, "aud is 'https://github.com/octo-org'"),
        ({"aud": ["https://lake.example.evil"]}, "aud is"),
        ({"aud": None}, "aud is missing"),
        ({"repository_id": "75"}, "repository_id is '75'"),
        ({"repository_id": 74}, "repository_id is 74"),
        ({"ref": "refs/heads/main2"}, "ref is 'refs/heads/main2'"),
        ({"ref": None}, "ref is missing"),
        ({"exp": moment - 120}, "it ended"),
        ({"exp": None}, "it has no exp"),
        ({"exp": "tomorrow"}, "it has no exp"),
        ({"exp": moment + 90_000}, "it lives longer than 24 h"),
        ({"iat": moment + 200}, "in the future"),
        ({"iat": None}, "it has no iat"),
        ({"nbf": moment + 200}, "not valid yet"),
        ({"jti": None}, "it has no jti"),
        ({"jti": 5}, "it has no jti"),
        ({"jti": "\ud800"}, "it has no jti"),
        ({"jti": "x" * 256}, "it has no jti"),
        ({"sub": "x" * 16_000}, "it is longer than 16384 bytes"),
    ]


async def test_each_claim_counts(house: PortalUnderTest, platform: Platform) -> None:
    for changed, why in wrong(int(time.time())):
        assert why in await refused(house, platform.sign(job(platform, **changed))), changed
        await given(house, platform.sign(job(platform)))


async def test_clocks_may_differ_by_a_minute(house: PortalUnderTest, platform: Platform) -> None:
    moment = int(time.time())
    late = job(platform, iat=moment - 350, nbf=moment - 350, exp=moment - 50)
    early = job(platform, iat=moment + 50, nbf=moment + 50, exp=moment + 350)
    for claims in (late, early):
        await given(house, platform.sign(claims))


async def test_a_pull_request_from_a_fork_is_refused(house: PortalUnderTest, platform: Platform) -> None:
    assert "ref is 'refs/pull/5/merge'" in await refused(house, platform.sign(pull_request(iss=platform.issuer)))


async def test_a_token_counts_once_on_every_replica(open_house: OpenHouse, platform: Platform) -> None:
    house = await ready(await open_house(**exchanging(rule(platform))), AUDIT)
    other = await open_house(**exchanging(rule(platform)))
    token = platform.sign(job(platform))
    await given(house, token)
    assert await refused(house, token) == "it was used before"
    assert await refused(other, token) == "it was used before"
    again = platform.sign(job(platform))
    answers = await asyncio.gather(*(send(portal, again) for portal in (house, other) * 4))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


async def test_what_was_used_is_remembered_until_it_has_ended(house: PortalUnderTest, platform: Platform) -> None:
    claims = job(platform)
    await given(house, platform.sign(claims))
    async with house.app.portal.database.read() as connection:
        (row,) = [*(await connection.execute(select(used_once)))]
    assert claims["exp"] + 60 < row.expires_at.timestamp() < claims["exp"] + 300
    assert claims["jti"] not in row.value_hash


Forge = Callable[[Platform], str]


def _head(platform: Platform, **more: Any) -> dict[str, Any]:
    return {"typ": "JWT", "alg": "RS256", "kid": platform.key.kid, **more}


def _cut(platform: Platform) -> str:
    return platform.sign(job(platform)).rpartition(".")[0] + "."


def _edited(platform: Platform) -> str:
    head, _, signature = platform.sign(job(platform, ref="refs/heads/x")).split(".")
    return f"{head}.{platform.sign(job(platform)).split('.')[1]}.{signature}"


FORGED: dict[str, Forge] = {
    "alg none": lambda p: unsigned(_head(p), job(p)),
    "HS256 with the public key": lambda p: signed_with_secret(p.key.key.as_pem(private=False))(_head(p), job(p)),
    "another key under the same kid": lambda p: SigningKey.generate("RS256", p.key.kid).sign(_head(p), job(p)),
    "another key that it brings along": lambda p: (other := SigningKey.generate("RS256")).sign(
        _head(p, kid=other.kid, jwk=other.public(), jku="http://127.0.0.1:9/"), job(p)
    ),
    "no signature": _cut,
    "changed claims": _edited,
    "another algorithm's name": lambda p: p.key.sign(_head(p, alg="ES256"), job(p)),
    "a critical extension": lambda p: p.sign(job(p), crit=["b64"], b64=False),
    "a kid that is no text": lambda p: p.sign(job(p), kid=["x"]),
    "three dots": lambda p: p.sign(job(p)) + ".x",
    "no token": lambda p: "x",
    "an API token": lambda p: "olp_" + "x" * 38,
    "no JSON": lambda p: "YWJj.YWJj.YWJj",
    "deep JSON": lambda p: "W10." + "W1tb" * 3000 + ".x",
}


async def test_forged_tokens_are_refused(house: PortalUnderTest, platform: Platform) -> None:
    for how, forge in FORGED.items():
        await refused(house, forge(platform))
        assert (await refusals(house))[0]["details"].get("verified") != "yes", how
        await given(house, platform.sign(job(platform)))


async def test_keys_that_cannot_be_used_beside_the_right_one(house: PortalUnderTest, platform: Platform) -> None:
    strange = [*strange_keys(platform.key.kid), *platform.jwks["keys"]]
    platform.answer = lambda path: _json({"keys": strange}) if path == "/keys" else None
    await given(house, platform.sign(job(platform)))
    public = platform.key.key.as_pem(private=False)
    await refused(house, signed_with_secret(public)(_head(platform), job(platform)))


async def test_an_issuer_that_no_rule_names_is_never_called(
    house: PortalUnderTest, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects: list[Any] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        connects.append(address)
        real(self, address)

    with Platform() as stranger:
        loop = asyncio.get_running_loop()
        tell = loop.sock_connect

        async def sock_connect(sock: socket.socket, address: Any) -> None:
            connects.append(address)
            await tell(sock, address)

        monkeypatch.setattr(socket.socket, "connect", connect)
        monkeypatch.setattr(loop, "sock_connect", sock_connect)
        issuers = (stranger.issuer, platform.issuer + "/", "http://169.254.169.254", "file:///etc/passwd", "", 5, None)
        for issuer in issuers:
            token = stranger.sign(github(iss=issuer), jku=stranger.jwks_uri, x5u=stranger.jwks_uri)
            answer = await send(house, token)
            assert answer.status_code == 400
        assert [c for c in connects if c[1] in (stranger._server.port, platform._server.port, 80)] == []
        assert (stranger.asked, platform.asked) == ([], [])
        await given(house, platform.sign(job(platform)))
        port = platform._server.port
        assert platform.asked == ["/.well-known/openid-configuration", "/keys"], "control: a trusted one is called"
        assert [c[1] for c in connects if c[1] == port], "control: connects are seen"


async def test_a_thousand_forged_keys_cost_at_most_two_fetches_a_minute(platform: Platform) -> None:
    moment = 0.0
    settings = TokenExchangeSettings.model_validate({"rules": [rule(platform)]})
    issuers = Issuers(settings, clock=lambda: moment)
    (signer,) = issuers.of(platform.issuer)
    await signer.claims_of(platform.sign(job(platform)))
    before = len(platform.asked)
    forged = platform.sign(job(platform)).split(".", 1)[1]
    for number in range(1000):
        moment = number * 0.06  # a minute in all
        head = platform.sign({}, kid=f"forged-{number}").split(".")[0]
        with pytest.raises(NotBelieved, match="unknown"):
            await signer.claims_of(f"{head}.{forged}")
    await issuers.close()
    assert 1 <= len(platform.asked) - before <= 2


async def test_a_forged_key_keeps_nobody_else_waiting_for_a_slow_issuer(platform: Platform) -> None:
    asked, answer = 0, asyncio.Event()

    async def load() -> list[Any]:
        nonlocal asked
        asked += 1
        if asked > 1:
            await answer.wait()
        return [platform.key.public()]

    keys = KeySet(load)
    (known,) = await keys.find(platform.key.kid)
    forged = asyncio.create_task(keys.find("forged"))
    while asked < 2:
        await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert await keys.find(platform.key.kid) == (known,)
        assert await keys.find(None) == (known,)
    assert not forged.done(), "control: the issuer is still being asked"
    answer.set()
    assert await forged == ()
    assert asked == 2


async def test_a_forged_key_takes_no_known_one_from_an_issuer_that_is_away(platform: Platform) -> None:
    asked, moment = 0, 0.0

    async def load() -> list[Any]:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise ProviderUnavailable("It is away.")
        return [platform.key.public()]

    keys = KeySet(load, lambda: moment)
    (known,) = await keys.find(platform.key.kid)
    assert await keys.find("forged") == ()
    for later in (3.0, 6.0, 29.0):
        moment = later
        assert await keys.find(platform.key.kid) == (known,)
    assert asked == 2, "nobody waits for it again before the keys are old"
    moment = 301.0
    assert await keys.find(platform.key.kid) == (known,)
    assert asked == 3, "control: old keys are asked for"
    moment = BELIEVED_FOR
    assert await keys.find(platform.key.kid) == (known,)
    moment = BELIEVED_FOR + 5
    with pytest.raises(ProviderUnavailable):
        await keys.find(platform.key.kid)


async def test_a_rotated_key_is_found(house: PortalUnderTest, platform: Platform) -> None:
    await given(house, platform.sign(job(platform)))
    platform.key = SigningKey.generate("ES256")
    platform.keys.append(platform.key)
    await given(house, platform.sign(job(platform)))
    assert platform.asked.count("/keys") == 2


async def test_clusters_with_one_name_are_told_apart_by_their_keys(open_house: OpenHouse, platform: Platform) -> None:
    issuer, subject = "https://kubernetes.default.svc.cluster.local", "system:serviceaccount:ingest:loader"
    with Platform() as second:
        rules = [
            rule(platform, name=name, issuer=issuer, claims={}, subject=subject, service_account=name, jwks=p.jwks)
            for name, p in (("first", platform), ("second", second))
        ]
        house = await ready(
            await ready(await open_house(**exchanging(*rules)), AUDIT, name="first"), HEALTH, name="second"
        )
        assert (await given(house, platform.sign_bare(kubernetes())))["scope"] == AUDIT
        assert (await given(house, second.sign_bare(kubernetes())))["scope"] == HEALTH
        stranger = SigningKey.generate("RS256", platform.key.kid)
        await refused(house, stranger.sign({"alg": "RS256", "kid": stranger.kid}, kubernetes()))


def _json(value: Any, status: int = 200, *headers: tuple[str, str]) -> Reply:
    return Reply(status, json.dumps(value).encode(), (("content-type", "application/json"), *headers))


NO_KEYS = [
    Reply(500),
    Reply(200, b"<html>"),
    Reply(200, b"[]"),
    _json({"issuer": "https://other.example", "jwks_uri": "http://127.0.0.1:9/keys"}),
    _json({}),
    Reply(302, headers=(("location", "http://169.254.169.254/latest"),)),
    Reply(200, b"x" * 100, cut_after=10),
    Reply(200, b"x" * 100, cut_after=0),
]


async def test_an_issuer_that_cannot_be_asked_is_no_verdict(platform: Platform) -> None:
    moment = 0.0
    issuers = Issuers(TokenExchangeSettings.model_validate({"rules": [rule(platform)]}), clock=lambda: moment)
    (signer,) = issuers.of(platform.issuer)
    token = platform.sign(job(platform))
    for answer in NO_KEYS:
        platform.answer = lambda path, answer=answer: answer  # type: ignore[misc]
        with pytest.raises((ProviderUnavailable, ProviderMisconfigured)):
            await signer.claims_of(token)
        before = len(platform.asked)
        with pytest.raises((ProviderUnavailable, ProviderMisconfigured)):
            await signer.claims_of(token)
        assert len(platform.asked) == before, "a failure is the answer to everybody for two seconds"
        moment += 2.1
    platform.answer = lambda path: None
    assert (await signer.claims_of(token))["repository_id"] == "74"
    platform.answer = lambda path: Reply(500)
    moment += 301
    assert await signer.claims_of(token), "keys that were had serve as long as new ones are not to be had"
    await issuers.close()


async def test_who_asks_while_the_issuer_is_away_is_told_to_come_again(
    house: PortalUnderTest, platform: Platform
) -> None:
    platform.answer = lambda path: Reply(500)
    token = platform.sign(job(platform))
    with capture_logs() as logs:
        told = await send(house, token)
    assert (told.status_code, told.json()["error"]) == (503, "temporarily_unavailable")
    assert [entry["log_level"] for entry in logs if entry["event"] == "a subject token cannot be verified"] == ["error"]
    assert token not in repr(logs)


async def test_keys_at_an_address_that_an_issuer_must_not_name(platform: Platform) -> None:
    issuers = Issuers(TokenExchangeSettings.model_validate({"rules": [rule(platform)]}))
    (signer,) = issuers.of(platform.issuer)
    for url in ("http://169.254.169.254/keys", "file:///etc/passwd", "ftp://x/", 5, None):
        platform.answer = lambda path, url=url: _json({"issuer": platform.issuer, "jwks_uri": url})  # type: ignore[misc]
        with pytest.raises(ProviderMisconfigured, match="usable jwks_uri"):
            await signer._discover()
    await issuers.close()

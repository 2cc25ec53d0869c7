"""The fake is wrong in the ways that it promises, and raises what a test's own change raises."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, RSAKey

from openlakes_portal.testing.identity_provider import (
    FakeIdentityProvider,
    SignInFailed,
    SigningKey,
    signed_with_secret,
    strange_keys,
    unsigned,
)

from .contract import browser
from .relying_party import RelyingParty, query_of, relying_party


@pytest.fixture
async def client(fake_provider: FakeIdentityProvider) -> AsyncIterator[RelyingParty]:
    async with relying_party(fake_provider) as party:
        yield party


def _header(token: str) -> dict[str, Any]:
    return _part(token, 0)


def _claims(token: str) -> dict[str, Any]:
    return _part(token, 1)


def _part(token: str, number: int) -> dict[str, Any]:
    part = token.split(".")[number]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


# People and sign-ins.


async def test_who_signs_in_is_named_by_the_request_or_by_the_test(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.next_person = "dave"
    begun = await client.begin()
    async with browser() as http:
        plain = await http.get(begun.url)
        hinted = await http.get(f"{(await client.begin()).url}&login_hint=bob")
    for callback, name in ((plain.headers["location"], "dave"), (hinted.headers["location"], "bob")):
        sid = fake_provider.sessions(name)[0].sid
        assert fake_provider._codes[query_of(callback)["code"]].session.sid == sid


async def test_a_person_who_changes_is_seen_at_the_next_refresh(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    tokens = await client.sign_in("dave")
    person = fake_provider.people["dave"]
    person.groups.append("/data/analysts")
    person.claims["department"] = "7"
    assert (await client.userinfo(tokens["access_token"])).json()["groups"] == ["/data/analysts"]
    renewed = _claims((await client.refresh(tokens["refresh_token"])).json()["id_token"])
    assert (renewed["groups"], renewed["department"]) == (["/data/analysts"], "7")
    assert "nonce" not in renewed


async def test_an_unknown_person_and_a_disabled_one_get_a_page(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    with pytest.raises(SignInFailed, match="no such account"):
        await fake_provider.sign_in((await client.begin()).url, "mallory")
    fake_provider.people["bob"].disabled = True
    with pytest.raises(SignInFailed, match="disabled"):
        await fake_provider.sign_in((await client.begin()).url, "bob")


async def test_a_session_that_is_too_old_for_max_age_is_asked_again(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    async with browser() as session:
        await client.sign_in("alice", session)
        fake_provider.clock = lambda: time.time() + 100
        silent = await client.begin(prompt="none", max_age="50")
        assert query_of(await fake_provider.sign_in(silent.url, "alice", session=session))["error"] == "login_required"
        begun = await client.begin(max_age="50")
        callback = await fake_provider.sign_in(begun.url, "alice", session=session)
    answer = (await client.redeem(callback, begun)).json()
    assert _claims(answer["id_token"])["auth_time"] >= time.time() + 90


async def test_a_code_is_good_for_a_minute_one_redirect_uri_and_our_client(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    begun = await client.begin()
    code = query_of(await fake_provider.sign_in(begun.url, "alice"))["code"]
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": begun.verifier}
    refused = await client.token(**form, redirect_uri=client.home)
    assert refused.json()["error_description"] == "incorrect redirect_uri"
    late = query_of(await fake_provider.sign_in((await client.begin()).url, "alice"))["code"]
    fake_provider.clock = lambda: time.time() + 61
    assert (await client.token(**{**form, "code": late}, redirect_uri=client.redirect_uri)).json() == {
        "error": "invalid_grant",
        "error_description": "code not valid",
    }
    with pytest.raises(SignInFailed, match="unknown client"):
        await fake_provider.sign_in((await client.begin(client_id="other")).url, "alice")
    fake_provider.redirect_uris = ("http://127.0.0.1:1/callback",)
    with pytest.raises(SignInFailed, match="redirect_uri"):
        await fake_provider.sign_in((await client.begin()).url, "alice")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "profile"}, "invalid_scope"),
    ],
)
async def test_a_request_that_is_wrong_is_sent_back_with_its_error(
    client: RelyingParty, fake_provider: FakeIdentityProvider, fields: dict[str, str], error: str
) -> None:
    begun = await client.begin(**fields)
    query = query_of(await fake_provider.sign_in(begun.url, "alice"))
    assert (query["error"], query["state"], query["iss"]) == (error, begun.state, fake_provider.issuer)


async def test_client_authentication_is_read_in_both_forms_and_only_once(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.client_secret = "s: %+é"
    url = (await client.metadata())["token_endpoint"]
    form = {"grant_type": "refresh_token", "refresh_token": "unknown"}
    basic = httpx.BasicAuth(*map(_quoted, (fake_provider.client_id, fake_provider.client_secret)))
    posted = {"client_id": fake_provider.client_id, "client_secret": fake_provider.client_secret}
    for answer in (
        await client.http.post(url, data=form, auth=basic),
        await client.http.post(url, data={**form, **posted}),
    ):
        assert answer.json()["error"] == "invalid_grant", "the client was known"
    nobody = await client.http.post(url, data=form)
    assert (nobody.status_code, nobody.json()["error"]) == (401, "invalid_client")
    twice = urlencode([*form.items(), ("refresh_token", "again")])
    answer = await client.http.post(
        url, content=twice, headers={"content-type": "application/x-www-form-urlencoded"}, auth=basic
    )
    assert answer.json()["error"] == "invalid_request"


def _quoted(text: str) -> str:
    return urlencode({"": text})[1:]


# Signatures and keys.


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA"])
async def test_every_algorithm_verifies_and_so_does_its_at_hash(algorithm: Any) -> None:
    with FakeIdentityProvider(algorithm=algorithm) as provider:
        async with relying_party(provider) as client:
            tokens = await client.sign_in()
            header = _header(tokens["id_token"])
            assert header == {"alg": algorithm, "kid": provider.signing_key.kid, "typ": "JWT"}
            key = JWKRegistry.import_key(provider.signing_key.public())
            assert jws.JWSRegistry.algorithms[algorithm].verify(*_signed(tokens["id_token"]), key)
            size = 64 if algorithm == "EdDSA" else int(algorithm[-3:]) // 8
            digest = hashlib.new(f"sha{size * 8}", tokens["access_token"].encode()).digest()[: size // 2]
            stated = _claims(tokens["id_token"])["at_hash"]
            assert stated == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _signed(token: str) -> tuple[bytes, bytes]:
    signed, _, signature = token.rpartition(".")
    return signed.encode(), base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))


async def test_a_rotated_key_signs_and_the_old_one_verifies_until_it_is_withdrawn(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    before = await client.sign_in()
    old = fake_provider.signing_key
    new = fake_provider.rotate("ES256")
    after = await client.sign_in()
    assert _header(after["id_token"])["kid"] == new.kid
    await client.verified(before["id_token"])
    fake_provider.keys.remove(old)
    await client.verified(after["id_token"])
    with pytest.raises(JoseError):
        await client.verified(before["id_token"])
    query = urlencode({"id_token_hint": before["id_token"], "post_logout_redirect_uri": client.home})
    with pytest.raises(SignInFailed, match="id_token_hint"):
        await fake_provider.sign_out(f"{(await client.metadata())['end_session_endpoint']}?{query}")


async def test_strange_keys_stand_before_the_real_one(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.extra_keys = strange_keys(fake_provider.signing_key.kid)
    published = (await client.http.get((await client.metadata())["jwks_uri"])).json()["keys"]
    assert {key["kid"] for key in published} == {fake_provider.signing_key.kid}
    assert published[-1] == fake_provider.signing_key.public()
    assert {"oct", "LWE", "AKP", "RSA", "EC", 5} == {key["kty"] for key in published}


async def test_claims_and_headers_are_changed_before_they_are_signed(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.change_claims(lambda claims: {**claims, "aud": ["other"], "exp": 5})
    fake_provider.change_header(lambda header: header.update(jku="http://evil.example/jwks", crit=["b64"]))
    fake_provider.change_claims(lambda claims: claims.update(sub="else"), "access_token")
    tokens = await client.sign_in()
    assert (_claims(tokens["id_token"])["aud"], _claims(tokens["id_token"])["exp"]) == (["other"], 5)
    assert _header(tokens["id_token"])["jku"] == "http://evil.example/jwks"
    assert _claims(tokens["access_token"])["sub"] == "else"
    key = JWKRegistry.import_key(fake_provider.signing_key.public())
    assert jws.JWSRegistry.algorithms["RS256"].verify(*_signed(tokens["id_token"]), key)
    fake_provider.change_claims(None)
    fake_provider.change_header(None)
    await client.verified((await client.sign_in())["id_token"])


async def test_tokens_are_signed_by_nobody_by_a_stranger_or_by_a_secret(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.signer = unsigned
    token = (await client.sign_in())["id_token"]
    assert _header(token)["alg"] == "none"
    assert token.endswith(".")
    stranger = SigningKey.generate("RS256", kid=fake_provider.signing_key.kid)
    fake_provider.signer = stranger.sign
    token = (await client.sign_in())["id_token"]
    assert stranger.key.thumbprint() != fake_provider.signing_key.key.thumbprint()
    with pytest.raises(JoseError):
        await client.verified(token)
    assert isinstance(fake_provider.signing_key.key, RSAKey)
    published = fake_provider.signing_key.key.as_pem(private=False)
    fake_provider.signer = signed_with_secret(published)
    signed, signature = _signed((await client.sign_in())["id_token"])
    assert hmac.digest(published, signed, "sha256") == signature


# Answers.


async def test_the_issuer_of_a_callback_is_absent_wrong_or_only_advertised(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.callback_issuer = None
    assert "iss" not in query_of(await fake_provider.sign_in((await client.begin()).url, "alice"))
    assert (await client.metadata())["authorization_response_iss_parameter_supported"] is True
    fake_provider.callback_issuer = "https://other.example"
    callback = query_of(await fake_provider.sign_in((await client.begin()).url, "alice"))
    assert callback["iss"] == "https://other.example"
    fake_provider.change_callback(lambda query: {"error": "access_denied", "state": query["state"]})
    begun = await client.begin()
    callback = query_of(await fake_provider.sign_in(begun.url, "alice"))
    assert callback == {"error": "access_denied", "state": begun.state}


async def test_a_lost_answer_has_done_its_work(client: RelyingParty, fake_provider: FakeIdentityProvider) -> None:
    tokens = await client.sign_in()
    fake_provider.on("refresh").loses_the_answer().once()
    with pytest.raises(httpx.RemoteProtocolError):
        await client.refresh(tokens["refresh_token"])
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert fake_provider.calls["refresh"] == 2
    assert not fake_provider.sessions("alice")


async def test_a_reset_has_done_nothing(client: RelyingParty, fake_provider: FakeIdentityProvider) -> None:
    tokens = await client.sign_in()
    fake_provider.on("refresh").resets().once()
    with pytest.raises(httpx.RemoteProtocolError):
        await client.refresh(tokens["refresh_token"])
    assert (await client.refresh(tokens["refresh_token"])).status_code == 200


async def test_answers_fail_refuse_redirect_wait_and_recover(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    refresh = fake_provider.on("refresh")
    tokens = await client.sign_in()
    token: str = tokens["refresh_token"]
    refresh.fails(503)
    assert (await client.refresh(token)).status_code == 503
    refresh.refuses("invalid_grant")
    assert (await client.refresh(token)).json()["error"] == "invalid_grant"
    refresh.redirects("http://127.0.0.1:1/")
    assert (await client.refresh(token)).headers["location"] == "http://127.0.0.1:1/"
    refresh.answers_raw(b"<html>", "text/html")
    assert (await client.refresh(token)).text == "<html>"
    refresh.recovers()
    refresh.waits(0.2)
    began = time.monotonic()
    answer = await client.refresh(token)
    assert answer.status_code == 200
    assert time.monotonic() - began >= 0.2
    refresh.hangs()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.refresh(answer.json()["refresh_token"])


async def test_bodies_are_huge_cut_short_or_something_else(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    metadata = await client.metadata()
    fake_provider.on("jwks").pads(3_000_000)
    answer = await client.http.get(metadata["jwks_uri"])
    assert (len(answer.content), answer.json()["keys"][0]["kid"]) == (3_000_000, fake_provider.signing_key.kid)
    fake_provider.on("jwks").breaks_off(10)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.http.get(metadata["jwks_uri"])
    url = f"{fake_provider.issuer}/.well-known/openid-configuration"
    fake_provider.change_answer("discovery", lambda stated: stated.update(issuer="https://other.example"))
    assert (await client.http.get(url)).json()["issuer"] == "https://other.example"
    fake_provider.on("discovery").answers([1, 2])
    assert (await client.http.get(url)).json() == [1, 2]


async def test_every_call_is_counted_and_remembered(client: RelyingParty, fake_provider: FakeIdentityProvider) -> None:
    tokens = await client.sign_in()
    await client.refresh(tokens["refresh_token"])
    assert {name: fake_provider.calls[name] for name in ("discovery", "authorize", "code", "refresh", "token")} == {
        "discovery": 1,
        "authorize": 1,
        "code": 1,
        "refresh": 1,
        "token": 2,
    }
    assert fake_provider.last_form("refresh")["refresh_token"] == tokens["refresh_token"]
    assert fake_provider.last("token").headers["authorization"].startswith("Basic ")
    with pytest.raises(AssertionError, match="no call 'tokens'"):
        fake_provider.last("tokens")


# Refresh and lifetimes.


async def test_of_refreshes_at_the_same_time_one_wins_and_the_sign_in_is_over(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    """As Keycloak does with reuse 0."""
    tokens = await client.sign_in()
    answers = await asyncio.gather(*(client.refresh(tokens["refresh_token"]) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert not fake_provider.sessions("alice")


async def test_without_rotation_a_refresh_token_lasts_and_without_any_there_is_none(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    fake_provider.rotates_refresh_tokens = False
    tokens = await client.sign_in()
    fake_provider.renews_id_tokens = False
    for _ in range(2):
        answer = await client.refresh(tokens["refresh_token"])
        assert answer.status_code == 200
        assert "id_token" not in answer.json()
    fake_provider.gives_refresh_tokens = False
    assert "refresh_token" not in await client.sign_in()


async def test_an_access_token_ends_with_its_time(client: RelyingParty, fake_provider: FakeIdentityProvider) -> None:
    fake_provider.access_token_lifetime = 30
    tokens = await client.sign_in()
    assert tokens["expires_in"] == 30
    fake_provider.clock = lambda: time.time() + 31
    assert (await client.userinfo(tokens["access_token"])).status_code == 401
    assert (await client.exchange(tokens["access_token"], "reports")).status_code == 400


async def test_a_subject_of_an_exchange_is_an_access_token_and_so_is_what_is_asked_for(client: RelyingParty) -> None:
    tokens = await client.sign_in()
    kind = "urn:ietf:params:oauth:token-type:"
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": "reports"}
    for fields in (
        {"subject_token": tokens["id_token"], "subject_token_type": f"{kind}id_token"},
        {
            "subject_token": tokens["access_token"],
            "subject_token_type": f"{kind}access_token",
            "requested_token_type": f"{kind}saml2",
        },
    ):
        assert (await client.token(**form, **fields)).json()["error"] == "invalid_request"
    assert (await client.token(grant_type="password")).json()["error"] == "unsupported_grant_type"


# Logout.


async def test_a_logout_token_is_made_by_hand_in_any_shape(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    session = fake_provider.open_session("bob")
    header, claims = await client.verified(fake_provider.logout_token(session))
    assert (header["typ"], claims["sub"], claims["sid"]) == ("logout+jwt", "subject-of-bob", session.sid)
    assert _claims(fake_provider.logout_token(session, nonce="n", events={}))["nonce"] == "n"
    fake_provider.change_header(lambda header: header.update(typ="JWT"), "logout_token")
    assert _header(fake_provider.logout_token(session))["typ"] == "JWT"
    assert _claims(fake_provider.id_token(session, nonce="n", aud=["a", "b"]))["aud"] == ["a", "b"]


async def test_a_delivery_is_noted_with_its_answer(fake_provider: FakeIdentityProvider) -> None:
    fake_provider.open_session("bob")
    fake_provider.backchannel_logout_url = "http://127.0.0.1:1/nobody"
    await fake_provider.logout("bob")
    assert fake_provider.deliveries == [None]
    assert not fake_provider.sessions("bob")


# The provider as a server.


async def test_stopped_and_started_again_it_has_its_address_and_knows_everybody(
    client: RelyingParty, fake_provider: FakeIdentityProvider
) -> None:
    tokens = await client.sign_in()
    fake_provider.stop()
    with pytest.raises(httpx.TransportError):
        await client.refresh(tokens["refresh_token"])
    fake_provider.start()
    assert (await client.refresh(tokens["refresh_token"])).status_code == 200


async def _discovered_with_a_fault(fault: Exception | None = None) -> None:
    """Ask a provider whose test made a mistake in a change; and maybe fail as a test then does."""
    with FakeIdentityProvider() as provider:
        provider.change_answer("discovery", lambda stated: stated["no such key"])
        async with browser() as http:
            answer = await http.get(f"{provider.issuer}/.well-known/openid-configuration")
        assert answer.status_code == 500
        if fault is not None:
            raise fault


async def test_what_a_change_of_the_test_raises_is_raised_at_the_end() -> None:
    with pytest.raises(KeyError, match="no such key"):
        await _discovered_with_a_fault()


async def test_the_own_fault_of_a_test_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError):
        await _discovered_with_a_fault(ZeroDivisionError())


def test_a_provider_that_never_ran_lets_its_port_go() -> None:
    provider = FakeIdentityProvider()
    provider.stop()
    with FakeIdentityProvider() as other:
        assert other.issuer.startswith("http://127.0.0.1:")

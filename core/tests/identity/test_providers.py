"""One contract, three providers: what holds for the fake holds for Keycloak and for node's oidc-provider."""

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest
from joserfc.errors import JoseError

from openlakes_portal.testing.identity_provider import SignInFailed

from .contract import Provider, browser
from .relying_party import ACCESS_TOKEN, LOGOUT_EVENT, RelyingParty, query_of, relying_party


@pytest.fixture
async def client(provider: Provider) -> AsyncIterator[RelyingParty]:
    async with relying_party(provider) as party:
        yield party


async def test_discovery_is_well_formed(client: RelyingParty) -> None:
    """OpenID Connect Discovery 1.0, 3."""
    stated = await client.metadata()
    issuer = client.provider.issuer
    assert stated["issuer"] == issuer
    for name in ("authorization", "token", "userinfo", "end_session", "revocation", "introspection"):
        assert stated[f"{name}_endpoint"].startswith(f"{issuer}/"), name
    assert stated["jwks_uri"].startswith(f"{issuer}/")
    assert "code" in stated["response_types_supported"]
    assert "S256" in stated["code_challenge_methods_supported"]
    assert "RS256" in stated["id_token_signing_alg_values_supported"]
    assert stated["subject_types_supported"]
    assert stated["backchannel_logout_supported"] is True
    assert stated["backchannel_logout_session_supported"] is True
    assert stated["authorization_response_iss_parameter_supported"] is True


async def test_a_code_gives_tokens_that_the_published_keys_verify(client: RelyingParty) -> None:
    begun = await client.begin()
    callback = await client.provider.sign_in(begun.url, "alice")
    assert callback.startswith(f"{client.redirect_uri}?")
    query = query_of(callback)
    assert query["state"] == begun.state
    assert query.get("iss") == client.provider.issuer
    answer = await client.redeem(callback, begun)
    assert answer.status_code == 200, answer.text
    assert "no-store" in answer.headers["cache-control"]
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert 0 < tokens["expires_in"] <= 300
    header, claims = await client.verified(tokens["id_token"])
    assert header["alg"] == "RS256"
    assert header["kid"]
    assert claims["iss"] == client.provider.issuer
    assert claims["aud"] == client.provider.client_id
    assert claims["nonce"] == begun.nonce
    assert claims["preferred_username"] == "alice"
    assert claims["email_verified"] is True
    assert sorted(claims["groups"]) == ["/data/engineers", "/platform/admins"]
    assert {"sub", "sid", "exp", "iat", "auth_time"} <= claims.keys()
    userinfo = (await client.userinfo(tokens["access_token"])).json()
    assert userinfo["sub"] == claims["sub"]
    assert sorted(userinfo["groups"]) == sorted(claims["groups"])


async def test_a_token_with_another_signature_does_not_verify(client: RelyingParty) -> None:
    """That `verified` can say no."""
    token: str = (await client.sign_in())["id_token"]
    signed, _, signature = token.rpartition(".")
    with pytest.raises(JoseError):
        await client.verified(f"{signed}.{signature[::-1]}")


async def test_a_code_is_refused_the_second_time_and_takes_the_sign_in_along(client: RelyingParty) -> None:
    """RFC 6749, 4.1.2."""
    begun = await client.begin()
    callback = await client.provider.sign_in(begun.url, "alice")
    first = (await client.redeem(callback, begun)).json()
    _is_error(await client.redeem(callback, begun), 400, "invalid_grant")
    _is_error(await client.refresh(first["refresh_token"]), 400, "invalid_grant")


async def test_a_code_is_refused_with_another_verifier(client: RelyingParty) -> None:
    begun = await client.begin()
    callback = await client.provider.sign_in(begun.url, "alice")
    _is_error(await client.redeem(callback, begun, verifier="x" * 64), 400, "invalid_grant")


@pytest.mark.parametrize("left_out", [{"code_challenge": "", "code_challenge_method": ""}, {"code_challenge": ""}])
async def test_a_request_without_a_challenge_is_sent_back(client: RelyingParty, left_out: dict[str, str]) -> None:
    begun = await client.begin(**left_out)
    query = query_of(await client.provider.sign_in(begun.url, "alice"))
    assert query["error"] == "invalid_request"
    assert query["state"] == begun.state
    assert "code" not in query


async def test_a_plain_challenge_is_sent_back(client: RelyingParty) -> None:
    begun = await client.begin(code_challenge="v" * 43, code_challenge_method="plain")
    assert query_of(await client.provider.sign_in(begun.url, "alice"))["error"] == "invalid_request"


async def test_a_wrong_secret_is_refused(client: RelyingParty) -> None:
    refused = await client.token(secret="another", grant_type="refresh_token", refresh_token="x")
    assert refused.status_code == 401
    assert refused.json()["error"] in ("invalid_client", "unauthorized_client")


async def test_a_foreign_redirect_gets_a_page(client: RelyingParty) -> None:
    begun = await client.begin(redirect_uri="http://evil.example/callback")
    with pytest.raises(SignInFailed):
        await client.provider.sign_in(begun.url, "alice")


async def test_without_a_session_a_silent_request_asks_for_a_login(client: RelyingParty) -> None:
    begun = await client.begin(prompt="none")
    query = query_of(await client.provider.sign_in(begun.url, ""))
    assert query["error"] == "login_required"
    assert query.get("iss") == client.provider.issuer


async def test_with_a_session_a_silent_request_gives_a_code_for_the_same_session(client: RelyingParty) -> None:
    async with browser() as session:
        tokens = await client.sign_in("alice", session)
        begun = await client.begin(prompt="none")
        callback = await client.provider.sign_in(begun.url, "alice", session=session)
        again = (await client.redeem(callback, begun)).json()
    _, before = await client.verified(tokens["id_token"])
    _, after = await client.verified(again["id_token"])
    assert after["auth_time"] == before["auth_time"]
    assert after["sid"] == before["sid"]


async def test_a_refresh_rotates_and_the_old_token_ends_the_sign_in(client: RelyingParty) -> None:
    first = await client.sign_in()
    answer = await client.refresh(first["refresh_token"])
    assert answer.status_code == 200, answer.text
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    _, before = await client.verified(first["id_token"])
    _, after = await client.verified(second["id_token"])
    assert (after["sub"], after["sid"], after["auth_time"]) == (before["sub"], before["sid"], before["auth_time"])
    assert (await client.userinfo(second["access_token"])).status_code == 200
    _is_error(await client.refresh(first["refresh_token"]), 400, "invalid_grant")
    _is_error(await client.refresh(second["refresh_token"]), 400, "invalid_grant")
    assert (await client.userinfo(second["access_token"])).status_code == 401


async def test_end_session_ends_the_sign_in_and_leads_home(client: RelyingParty) -> None:
    """RP-Initiated Logout 1.0."""
    async with browser() as session:
        tokens = await client.sign_in("alice", session)
        assert (await client.userinfo(tokens["access_token"])).status_code == 200
        query = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": client.home, "state": "s1"}
        url = f"{(await client.metadata())['end_session_endpoint']}?{urlencode(query)}"
        assert await client.provider.sign_out(url, session=session) == f"{client.home}?state=s1"
        _is_error(await client.refresh(tokens["refresh_token"]), 400, "invalid_grant")
        assert (await client.userinfo(tokens["access_token"])).status_code == 401
        begun = await client.begin(prompt="none")
        silent = await client.provider.sign_in(begun.url, "alice", session=session)
    assert query_of(silent)["error"] == "login_required"
    await _is_told(client, tokens)


async def test_a_logout_by_an_administrator_is_delivered(client: RelyingParty) -> None:
    """Back-Channel Logout 1.0."""
    tokens = await client.sign_in("carol")
    await client.provider.admin.logout("carol")
    await _is_told(client, tokens)
    _is_error(await client.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    assert (await client.userinfo(tokens["access_token"])).status_code == 401


async def test_a_disabled_person_is_refused_everywhere_and_nobody_is_told(client: RelyingParty) -> None:
    tokens = await client.sign_in("carol")
    await client.provider.admin.disable("carol")
    try:
        assert (await client.userinfo(tokens["access_token"])).status_code == 401
        _is_error(await client.exchange(tokens["access_token"], client.provider.audiences[0]), 400, "invalid_request")
        with pytest.raises(SignInFailed):
            await client.provider.sign_in((await client.begin()).url, "carol")
        assert not client.receiver.requests
        _is_error(await client.refresh(tokens["refresh_token"]), 400, "invalid_grant")
    finally:
        await client.provider.admin.enable("carol")
    await client.sign_in("carol")


async def test_an_exchange_gives_a_token_for_the_audience(client: RelyingParty) -> None:
    """RFC 8693."""
    tokens = await client.sign_in()
    for audience in client.provider.audiences:
        answer = await client.exchange(tokens["access_token"], audience)
        assert answer.status_code == 200, answer.text
        given = answer.json()
        assert given["issued_token_type"] == ACCESS_TOKEN
        assert given["token_type"] == "Bearer"
        assert 0 < given["expires_in"] <= 300
        assert "refresh_token" not in given
        _, claims = await client.verified(given["access_token"])
        assert claims["aud"] in (audience, [audience])
        assert claims["iss"] == client.provider.issuer
        _, person = await client.verified(tokens["id_token"])
        assert claims["sub"] == person["sub"]


async def test_an_exchange_is_refused_for_whom_it_is_not_allowed(client: RelyingParty) -> None:
    first, second = client.provider.audiences
    tokens = await client.sign_in("bob")
    assert (await client.exchange(tokens["access_token"], second)).status_code == 200
    for audience in (first, "nobody-knows"):
        refused = await client.exchange(tokens["access_token"], audience)
        assert refused.status_code == 400
        assert refused.json()["error"] in ("invalid_target", "invalid_request", "invalid_client")
    forged = tokens["access_token"][:-6] + "AAAAAA"
    _is_error(await client.exchange(forged, second), 400, "invalid_request")


async def test_a_revoked_refresh_token_is_dead(client: RelyingParty) -> None:
    """RFC 7009."""
    tokens = await client.sign_in()
    form = {"token": tokens["refresh_token"], "token_type_hint": "refresh_token"}
    auth = (client.provider.client_id, client.provider.client_secret)
    url = (await client.metadata())["revocation_endpoint"]
    assert (await client.http.post(url, data=form, auth=auth)).status_code == 200
    _is_error(await client.refresh(tokens["refresh_token"]), 400, "invalid_grant")


async def test_introspection_tells_the_living_from_the_dead(client: RelyingParty) -> None:
    """RFC 7662."""
    tokens = await client.sign_in("carol")
    auth = (client.provider.client_id, client.provider.client_secret)
    url = (await client.metadata())["introspection_endpoint"]

    async def ask() -> bool:
        answer = await client.http.post(url, data={"token": tokens["access_token"]}, auth=auth)
        return bool(answer.json()["active"])

    assert await ask() is True
    await client.provider.admin.logout("carol")
    assert await ask() is False


async def _is_told(client: RelyingParty, tokens: dict[str, str]) -> None:
    """Exactly one good logout token came for this sign-in."""
    _, person = await client.verified(tokens["id_token"])
    found = [await client.verified(token) for token in client.receiver.tokens]
    told = [(header, claims) for header, claims in found if claims.get("sid") == person["sid"]]
    assert len(told) == 1, found
    header, claims = told[0]
    assert header["typ"] == "logout+jwt"
    assert claims["iss"] == client.provider.issuer
    assert claims["aud"] == client.provider.client_id
    assert claims["events"] == {LOGOUT_EVENT: {}}
    assert claims["jti"]
    assert "nonce" not in claims


def _is_error(answer: httpx.Response, status: int, error: str) -> None:
    assert (answer.status_code, answer.json().get("error")) == (status, error), answer.text

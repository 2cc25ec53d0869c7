"""What only a real provider does, and the handles of the tests' administrator over it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from openlakes_portal.testing.identity_provider import SignInFailed

from .contract import Provider, browser
from .keycloak import Keycloak
from .relying_party import RelyingParty, query_of, relying_party

pytestmark = pytest.mark.server


@pytest.fixture
async def client(keycloak: Keycloak) -> AsyncIterator[RelyingParty]:
    async with relying_party(keycloak) as party:
        yield party


async def _told(client: RelyingParty, number: int) -> None:
    async with asyncio.timeout(10):
        while len(client.receiver.requests) < number:
            await asyncio.sleep(0.02)


async def test_groups_and_roles_of_a_person_change_while_they_are_signed_in(
    client: RelyingParty, keycloak: Keycloak
) -> None:
    tokens = await client.sign_in("dave")
    admin = keycloak.admin
    assert await admin.groups("dave") == ()
    await admin.join_group("dave", "/data/analysts")
    await admin.grant_role("dave", "use", "airflow")
    await admin.grant_role("dave", "lakehouse-admin")
    try:
        stated = (await client.userinfo(tokens["access_token"])).json()
        assert stated["groups"] == ["/data/analysts"]
        assert {"lakehouse-admin", "lakehouse-user"} <= set(stated["roles"])
        assert (await client.exchange(tokens["access_token"], "airflow")).status_code == 200
    finally:
        await admin.leave_group("dave", "/data/analysts")
        await admin.revoke_role("dave", "use", "airflow")
        await admin.revoke_role("dave", "lakehouse-admin")
    # A person of no group has no such claim.
    assert "groups" not in (await client.userinfo(tokens["access_token"])).json()
    assert (await client.exchange(tokens["access_token"], "airflow")).status_code == 400


async def test_a_person_is_made_given_another_password_and_deleted(client: RelyingParty, keycloak: Keycloak) -> None:
    admin = keycloak.admin
    await admin.create_user("erin", groups=("/data/engineers",))
    tokens = await client.sign_in("erin")
    assert (await client.verified(tokens["id_token"]))[1]["groups"] == ["/data/engineers"]
    await admin.set_password("erin", "another")
    begun = await client.begin()
    with pytest.raises(SignInFailed, match="Invalid username or password"):
        await keycloak.sign_in(begun.url, "erin")
    assert "code" in query_of(await keycloak.sign_in(begun.url, "erin", "another"))
    await admin.delete("erin")
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not client.receiver.requests


async def test_one_session_is_deleted_and_its_client_told(client: RelyingParty, keycloak: Keycloak) -> None:
    first, second = await client.sign_in("carol"), await client.sign_in("carol")
    sid = (await client.verified(first["id_token"]))[1]["sid"]
    assert sid in [session["id"] for session in await keycloak.admin.sessions("carol")]
    await keycloak.admin.delete_session(sid)
    await _told(client, 1)
    assert (await client.verified(client.receiver.tokens[0]))[1]["sid"] == sid
    assert (await client.refresh(first["refresh_token"])).status_code == 400
    assert (await client.refresh(second["refresh_token"])).status_code == 200


async def test_everybody_is_signed_out_and_nobody_told(client: RelyingParty, keycloak: Keycloak) -> None:
    tokens = await client.sign_in("carol")
    await keycloak.admin.logout_all()
    assert (await client.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    assert not client.receiver.requests
    # It refuses what was issued before this second; the tests that follow sign in anew.
    async with asyncio.timeout(5):
        while (await client.userinfo((await client.sign_in("carol"))["access_token"])).status_code != 200:
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
async def test_keys_are_rotated_and_removed(client: RelyingParty, keycloak: Keycloak, algorithm: str) -> None:
    async with keycloak.admin.client_settings(attributes={"id.token.signed.response.alg": algorithm}):
        before = (await client.sign_in())["id_token"]
        key = await keycloak.admin.rotate_key(algorithm)
        try:
            after = (await client.sign_in())["id_token"]
            old, new = [(await client.verified(token))[0] for token in (before, after)]
            assert old["kid"] != new["kid"]
            assert new["alg"] == algorithm
        finally:
            await keycloak.admin.remove_key(key)
        published = (await client.http.get((await client.metadata())["jwks_uri"])).json()["keys"]
        assert new["kid"] not in [key["kid"] for key in published]


async def test_settings_of_client_and_realm_last_as_long_as_their_block(
    client: RelyingParty, keycloak: Keycloak
) -> None:
    admin = keycloak.admin
    silent = {"exclude.issuer.from.auth.response": "true"}
    async with admin.client_settings(attributes=silent), admin.realm_settings(accessTokenLifespan=7):
        begun = await client.begin()
        callback = await keycloak.sign_in(begun.url, "alice")
        assert "iss" not in query_of(callback)
        assert (await client.redeem(callback, begun)).json()["expires_in"] == 7
    begun = await client.begin()
    callback = await keycloak.sign_in(begun.url, "alice")
    assert query_of(callback)["iss"] == keycloak.issuer
    assert (await client.redeem(callback, begun)).json()["expires_in"] == 300


async def test_a_service_account_gets_a_token_without_a_session(client: RelyingParty, keycloak: Keycloak) -> None:
    answer = await client.http.post(
        (await client.metadata())["token_endpoint"],
        data={"grant_type": "client_credentials", "scope": "openid"},
        auth=keycloak.service_account,
    )
    tokens = answer.json()
    claims = (await client.verified(tokens["id_token"]))[1]
    assert claims["preferred_username"] == "service-account-openlakes-bot"
    assert "sid" not in claims
    assert (await client.exchange(tokens["access_token"], "airflow")).status_code == 200


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        pytest.param("fake_provider", True),
        pytest.param("keycloak", True),
        # It looks for the browser's cookie, and asks for confirmation.
        pytest.param("node_provider", False),
    ],
)
async def test_what_a_hint_ends_without_the_browser(name: str, ends: bool, request: pytest.FixtureRequest) -> None:
    """An end-session call from server to server, and what is left for the revocation of the refresh token to end."""
    provider: Provider = request.getfixturevalue(name)
    async with relying_party(provider) as client, browser() as server:
        metadata = await client.metadata()
        auth = (provider.client_id, provider.client_secret)
        tokens = await client.sign_in()
        await server.post(metadata["end_session_endpoint"], data={"id_token_hint": tokens["id_token"]}, auth=auth)
        alive = await client.refresh(tokens["refresh_token"])
        assert (alive.status_code == 400) is ends, alive.text
        tokens = await client.sign_in()
        await server.post(metadata["revocation_endpoint"], data={"token": tokens["refresh_token"]}, auth=auth)
        assert (await client.refresh(tokens["refresh_token"])).status_code == 400
        assert (await client.userinfo(tokens["access_token"])).status_code == 401


async def test_a_wrong_password_gets_the_page_again(
    keycloak: Keycloak, request: pytest.FixtureRequest, client: RelyingParty
) -> None:
    node: Provider = request.getfixturevalue("node_provider")
    with pytest.raises(SignInFailed, match="Invalid username or password"):
        await keycloak.sign_in((await client.begin()).url, "alice", "wrong")
    async with relying_party(node) as other:
        with pytest.raises(SignInFailed, match="Invalid username or password"):
            await node.sign_in((await other.begin()).url, "alice", "wrong")

"""Providers differ in what they call a person and a group. The settings are those of the operators' guide, read from
it: Keycloak against the real one, Entra ID and Okta against a provider that states what they do."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from openlakes_portal._settings.load import merge
from openlakes_portal.testing.identity_provider import FakeIdentityProvider
from openlakes_portal.testing.loopback import LoopbackServer, Reply
from openlakes_portal.testing.upstream import ReceivedRequest

from .keycloak import Keycloak
from .portal import checked, portal_with

pytestmark = pytest.mark.slow

GUIDE = Path(__file__).parents[3] / "docs" / "operators" / "sign-in.md"
TENANT = "7f0c6b0e-2d0d-4b5f-9a3e-1f1d3c1c0a11"
ADMINS, ENGINEERS = "9a1f1c62-6a0e-4a38-9d9f-3d7a3f6e8b01", "0c3d6a52-5c39-4d0b-8a0b-7d1f0b8b6c02"


def documented(name: str, provider: Any, **oidc: Any) -> dict[str, Any]:
    """The guide's block, with the address and the client of the provider of this test."""
    (block,) = re.findall(rf"```yaml {name}\n(.*?)```", GUIDE.read_text(), re.S)
    here = {"issuer": provider.issuer, "client_id": provider.client_id, "client_secret": provider.client_secret}
    return merge(yaml.safe_load(block), {"auth": {"oidc": {**here, **oidc}}})


@pytest.fixture
async def graph() -> AsyncIterator["Graph"]:
    with Graph() as running:
        yield running


class Graph:
    """Microsoft Graph's getMemberObjects, as far as a sign-in asks it."""

    def __init__(self) -> None:
        self.groups: list[str] = []
        self.status = 200
        self.asked: list[ReceivedRequest] = []
        self._server = LoopbackServer(self._answer)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.port}/v1.0/me/getMemberObjects"

    async def _answer(self, request: ReceivedRequest) -> Reply:
        import json

        self.asked.append(request)
        body = {"@odata.context": "https://graph.example/$metadata#Collection(Edm.String)", "value": self.groups}
        return Reply(self.status, json.dumps(body).encode(), (("content-type", "application/json"),))

    def __enter__(self) -> "Graph":
        self._server.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._server.stop()


def as_entra(provider: FakeIdentityProvider, *, overage: bool = False) -> None:
    """ID tokens of Entra ID (v2.0): `oid`, `tid`, a pairwise `sub`, GUIDs; userinfo knows neither oid nor groups."""

    def claims(stated: dict[str, Any]) -> dict[str, Any]:
        name = stated.pop("preferred_username")
        stated.pop("email_verified")
        stated |= {"oid": f"oid-of-{name}", "tid": TENANT, "ver": "2.0", "preferred_username": f"{name}@corp.example"}
        if overage:
            stated.pop("groups")
            stated["_claim_names"] = {"groups": "src1"}
            stated["_claim_sources"] = {"src1": {"endpoint": "http://127.0.0.1:9/evil"}}
        return stated

    provider.change_claims(claims)
    provider.change_answer("userinfo", lambda a: {k: v for k, v in a.items() if k in ("sub", "name", "email")})


async def test_entra_id(fake_provider: FakeIdentityProvider, graph: Graph, tmp_path: Path) -> None:
    as_entra(fake_provider)
    fake_provider.people["alice"].groups = [ADMINS, "11111111-1111-1111-1111-111111111111"]
    settings = documented("entra", fake_provider, groups_overage_url=graph.url)
    async with portal_with(fake_provider, tmp_path, settings) as portal, portal.visitor() as alice:
        told = await alice.sign_in("alice")
        assert (told["subject"], told["username"]) == ("oid-of-alice", "alice@corp.example")
        assert told["roles"] == ["platform-admin"]
        assert graph.asked == []
        await checked(portal, alice)
        assert await alice.session() == told, "userinfo states no groups: a new ID token is asked for"


async def test_entra_id_with_more_groups_than_fit(
    fake_provider: FakeIdentityProvider, graph: Graph, tmp_path: Path
) -> None:
    as_entra(fake_provider, overage=True)
    graph.groups = [f"{n:08}-0000-0000-0000-000000000000" for n in range(400)] + [ENGINEERS]
    settings = documented("entra", fake_provider, groups_overage_url=graph.url)
    async with portal_with(fake_provider, tmp_path, settings) as portal, portal.visitor() as bob:
        assert (await bob.sign_in("bob"))["roles"] == ["data-engineer"]
        assert graph.asked[0].headers["authorization"].startswith("Bearer ")
        graph.groups = []
        await checked(portal, bob)
        assert (await bob.session())["roles"] == []
        graph.status = 403
        async with portal.visitor() as carol:
            answer = await carol.come_back(await carol.go("carol"))
            assert answer.status_code == 503, "not signed in with no groups"
            assert "GroupMember.Read.All" in answer.json()["remedy"]
        await checked(portal, bob)
        assert await bob.is_signed_in(), "Graph that is away ends nothing"


async def test_entra_id_with_more_groups_than_fit_and_nobody_to_ask(
    fake_provider: FakeIdentityProvider, tmp_path: Path
) -> None:
    as_entra(fake_provider, overage=True)
    settings = documented("entra", fake_provider, groups_overage_url=None)
    async with portal_with(fake_provider, tmp_path, settings) as portal, portal.visitor() as alice:
        answer = await alice.come_back(await alice.go("alice"))
        assert answer.status_code == 400
        assert "groups_overage_url" in answer.json()["remedy"]


async def test_okta(fake_provider: FakeIdentityProvider, tmp_path: Path) -> None:
    """The groups claim comes by the scope, as a list of names."""

    def claims(stated: dict[str, Any]) -> dict[str, Any]:
        if "groups" not in fake_provider.last("authorize").query["scope"].split():
            stated.pop("groups")
        return {**stated, "ver": 1, "idp": "00o1", "preferred_username": f"{stated['preferred_username']}@acme.example"}

    fake_provider.change_claims(claims)
    fake_provider.people["alice"].groups = ["Everyone", "lake-engineers"]
    settings = documented("okta", fake_provider)
    async with portal_with(fake_provider, tmp_path, settings) as portal, portal.visitor() as alice:
        assert (await alice.sign_in("alice"))["roles"] == ["data-engineer"]


@pytest.mark.server
async def test_keycloak(keycloak: Keycloak, tmp_path: Path) -> None:
    """Groups by path; a realm role gives a portal role; both taken away again."""
    async with portal_with(keycloak, tmp_path, documented("keycloak", keycloak)) as portal:
        await keycloak.admin.create_user("rosa", ("/data/engineers",))
        try:
            await keycloak.admin.grant_role("rosa", "editor", keycloak.client_id)
            async with portal.visitor() as rosa:
                assert (await rosa.sign_in("rosa"))["roles"] == ["data-engineer"]
                cookie = await portal.portal.sessions.resolve(rosa.cookie())
                assert cookie is not None
                assert {"/data/engineers", "editor"} <= set(cookie.identity.groups)
                await keycloak.admin.leave_group("rosa", "/data/engineers")
                await checked(portal, rosa)
                assert (await rosa.session())["roles"] == []
        finally:
            await keycloak.admin.delete("rosa")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"email": "a@evil@corp"}, {"email": "a@evil@corp"}),
        ({"email": "ceo@corp.example", "email_verified": False}, {"email": "ceo@corp.example"}),
    ],
)
async def test_an_address_is_nobodys_identity(
    fake_provider: FakeIdentityProvider, tmp_path: Path, first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Case A10: strange, unverified and reassigned addresses; identity is issuer + subject."""
    fake_provider.people["alice"].claims = first
    fake_provider.people["bob"].claims = second
    async with portal_with(fake_provider, tmp_path) as portal, portal.visitor() as alice, portal.visitor() as bob:
        one, two = await alice.sign_in("alice"), await bob.sign_in("bob")
        assert one["subject"] != two["subject"]
        assert "platform-admin" in one["roles"]
        assert two["roles"] == ["bi-analyst"]


async def test_a_user_name_is_never_given_to_a_second_person(
    fake_provider: FakeIdentityProvider, tmp_path: Path
) -> None:
    async with portal_with(fake_provider, tmp_path) as portal, portal.visitor() as alice, portal.visitor() as other:
        await alice.sign_in("alice")
        fake_provider.people["alice"].subject = "somebody-new"
        answer = await other.come_back(await other.go("alice"))
        assert answer.status_code == 403
        assert "belongs to another account" in answer.json()["detail"]


@pytest.mark.parametrize("groups", ["/platform/admins", {"/platform/admins": True}, [["/platform/admins"]], 5, None])
async def test_groups_that_are_no_list_of_texts_give_nothing(
    fake_provider: FakeIdentityProvider, tmp_path: Path, groups: Any
) -> None:
    """Case D31; and a group that only looks alike is another one."""
    fake_provider.change_claims(lambda claims: {**claims, "groups": groups})
    async with portal_with(fake_provider, tmp_path) as portal, portal.visitor() as alice:
        assert (await alice.sign_in("alice"))["roles"] == []
        fake_provider.change_claims(lambda claims: {**claims, "groups": ["/platform/аdmins", "/PLATFORM/ADMINS"]})
        assert (await alice.sign_in("alice"))["roles"] == []

"""Keycloak, the real server, as the stack has it."""

import html
import re
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from openlakes_portal.testing.identity_provider import SignInFailed
from openlakes_portal_stack.components.keycloak import (
    ADMIN,
    COMPONENT,
    REALM,
    VERSION,
    admin_password,
    client_secret,
)
from openlakes_portal_stack.components.signing_in import CLIENT_ID
from real_servers.raised import raised

from .contract import browser, is_callback, walk

KEY_PROVIDER = "org.keycloak.keys.KeyProvider"
GENERATORS = {
    "RS256": ("rsa-generated", {"algorithm": ["RS256"], "keySize": ["2048"]}),
    "PS256": ("rsa-generated", {"algorithm": ["PS256"], "keySize": ["2048"]}),
    "ES256": ("ecdsa-generated", {"ecdsaEllipticCurveKey": ["P-256"]}),
    "EdDSA": ("eddsa-generated", {"eddsaEllipticCurveKey": ["Ed25519"]}),
}


class KeycloakAdmin:
    """The admin REST API of the realm. What it changes stays for the tests that follow: change back, or use the context
    managers `client_settings` and `realm_settings`, which do."""

    def __init__(self, address: str, password: str) -> None:
        self._address = address
        self._password = password
        self._token = ("", 0.0)

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request below `/admin/realms/openlakes`; an error status raises."""
        async with browser() as client:
            if self._token[1] < time.monotonic():
                self._token = (await self._sign_in(client), time.monotonic() + 40)
            headers = {"authorization": f"Bearer {self._token[0]}"}
            url = f"{self._address}/admin/realms/{REALM}{path}"
            return (await client.request(method, url, headers=headers, **options)).raise_for_status()

    async def _sign_in(self, client: httpx.AsyncClient) -> str:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": self._password}
        url = f"{self._address}/realms/master/protocol/openid-connect/token"
        return str((await client.post(url, data=form)).raise_for_status().json()["access_token"])

    async def user(self, username: str) -> dict[str, Any]:
        """A person as Keycloak represents them."""
        found = (await self.call("GET", "/users", params={"username": username, "exact": "true"})).json()
        assert found, f"Keycloak knows no {username!r}"
        return dict(found[0])

    async def create_user(self, username: str, groups: tuple[str, ...] = (), **fields: Any) -> str:
        """A new person who signs in with `<username>-pw`; their id."""
        body = {
            "username": username,
            "enabled": True,
            "email": f"{username}@example.test",
            "emailVerified": True,
            "firstName": username.title(),
            "lastName": "Test",
            "credentials": [{"type": "password", "value": f"{username}-pw", "temporary": False}],
            "groups": list(groups),
            **fields,
        }
        answer = await self.call("POST", "/users", json=body)
        return str(answer.headers["location"]).rsplit("/", 1)[1]

    async def change_user(self, username: str, **fields: Any) -> None:
        """Change fields of a person (`enabled`, `email`, `attributes`, ...)."""
        person = await self.user(username)
        await self.call("PUT", f"/users/{person['id']}", json={**person, **fields})

    async def disable(self, username: str) -> None:
        """Refuse the person from now on; no client is told."""
        await self.change_user(username, enabled=False)

    async def enable(self, username: str) -> None:
        """Undo `disable`: refresh tokens from before live again."""
        await self.change_user(username, enabled=True)

    async def delete(self, username: str) -> None:
        """Delete the person; no client is told."""
        await self.call("DELETE", f"/users/{(await self.user(username))['id']}")

    async def set_password(self, username: str, password: str) -> None:
        """Set a password; sessions go on."""
        body = {"type": "password", "value": password, "temporary": False}
        await self.call("PUT", f"/users/{(await self.user(username))['id']}/reset-password", json=body)

    async def groups(self, username: str) -> tuple[str, ...]:
        """The paths of a person's groups."""
        person = await self.user(username)
        return tuple(g["path"] for g in (await self.call("GET", f"/users/{person['id']}/groups")).json())

    async def join_group(self, username: str, path: str) -> None:
        """Put a person in the group of this path."""
        await self.call("PUT", await self._membership(username, path))

    async def leave_group(self, username: str, path: str) -> None:
        """Take a person out of the group of this path."""
        await self.call("DELETE", await self._membership(username, path))

    async def _membership(self, username: str, path: str) -> str:
        group = (await self.call("GET", f"/group-by-path{path}")).json()
        return f"/users/{(await self.user(username))['id']}/groups/{group['id']}"

    async def grant_role(self, username: str, role: str, client_id: str | None = None) -> None:
        """Give a person a role of the realm, or of a client."""
        url, roles = await self._role(username, role, client_id)
        await self.call("POST", url, json=roles)

    async def revoke_role(self, username: str, role: str, client_id: str | None = None) -> None:
        """Take it away: an exchange for that client is refused at once."""
        url, roles = await self._role(username, role, client_id)
        await self.call("DELETE", url, json=roles)

    async def _role(self, username: str, role: str, client_id: str | None) -> tuple[str, list[dict[str, Any]]]:
        person = (await self.user(username))["id"]
        if client_id is None:
            found = (await self.call("GET", f"/roles/{role}")).json()
            return f"/users/{person}/role-mappings/realm", [found]
        client = (await self.client(client_id))["id"]
        found = (await self.call("GET", f"/clients/{client}/roles/{role}")).json()
        return f"/users/{person}/role-mappings/clients/{client}", [found]

    async def sessions(self, username: str) -> list[dict[str, Any]]:
        """The sessions of a person; `id` is the `sid` of their tokens."""
        person = await self.user(username)
        return list((await self.call("GET", f"/users/{person['id']}/sessions")).json())

    async def logout(self, username: str) -> None:
        """End all sessions of a person; clients are told, one after the other, before this returns."""
        await self.call("POST", f"/users/{(await self.user(username))['id']}/logout")

    async def logout_all(self) -> None:
        """End everybody's sessions; no client is told."""
        await self.call("POST", "/logout-all")

    async def delete_session(self, sid: str) -> None:
        """End one session; its clients are told."""
        await self.call("DELETE", f"/sessions/{sid}")

    async def rotate_key(self, algorithm: str = "RS256") -> str:
        """Make a key that signs from now on; the id to give to `remove_key`. The old one is still published."""
        provider, config = GENERATORS[algorithm]
        priority = str(1000 + int(time.time()) % 1_000_000)
        body = {
            "name": f"rotated-{priority}",
            "providerId": provider,
            "providerType": KEY_PROVIDER,
            "config": {**config, "priority": [priority]},
        }
        answer = await self.call("POST", "/components", json=body)
        return str(answer.headers["location"]).rsplit("/", 1)[1]

    async def remove_key(self, key_id: str) -> None:
        """Take a key away: it is not published any more, and what it signed is dead."""
        await self.call("DELETE", f"/components/{key_id}")

    async def client(self, client_id: str = CLIENT_ID) -> dict[str, Any]:
        """A client as Keycloak represents it."""
        found = (await self.call("GET", "/clients", params={"clientId": client_id})).json()
        assert found, f"Keycloak knows no client {client_id!r}"
        return dict(found[0])

    async def change_client(
        self, client_id: str = CLIENT_ID, attributes: Mapping[str, str] | None = None, **fields: Any
    ) -> None:
        """Change fields and attributes of a client."""
        client = await self.client(client_id)
        client.update(fields, attributes={**client["attributes"], **(attributes or {})})
        await self.call("PUT", f"/clients/{client['id']}", json=client)

    @asynccontextmanager
    async def client_settings(
        self, client_id: str = CLIENT_ID, attributes: Mapping[str, str] | None = None, **fields: Any
    ) -> AsyncIterator[None]:
        """`change_client`, and back to what it was at the end of the block."""
        before = await self.client(client_id)
        await self.change_client(client_id, attributes, **fields)
        try:
            yield
        finally:
            # An attribute that was absent stays where it is not said to be empty.
            emptied = {name: "" for name in attributes or {} if name not in before["attributes"]}
            restored = {**before, "attributes": {**before["attributes"], **emptied}}
            await self.call("PUT", f"/clients/{before['id']}", json=restored)

    async def change_realm(self, **fields: Any) -> None:
        """Change fields of the realm (`accessTokenLifespan`, `ssoSessionMaxLifespan`, `revokeRefreshToken`, ...)."""
        await self.call("PUT", "", json={**(await self.call("GET", "")).json(), **fields})

    @asynccontextmanager
    async def realm_settings(self, **fields: Any) -> AsyncIterator[None]:
        """`change_realm`, and back to what it was at the end of the block."""
        before = (await self.call("GET", "")).json()
        await self.change_realm(**fields)
        try:
            yield
        finally:
            await self.call("PUT", "", json=before)

    async def set_backchannel_logout(self, url: str | None) -> None:
        """Where the portal's client is told of ended sessions."""
        await self.change_client(attributes={"backchannel.logout.url": url or ""})


@dataclass(frozen=True)
class Keycloak:
    """A running Keycloak. Targets of exchange are given by client roles: bob has none in airflow."""

    address: str
    admin: KeycloakAdmin
    issuer: str = field(init=False)
    client_secret: str
    service_account: tuple[str, str]
    """Client id and secret of a machine; it may be exchanged for airflow."""
    client_id: str = CLIENT_ID
    audiences: tuple[str, ...] = ("airflow", "superset")
    scope: str = "openid profile email"

    def __post_init__(self) -> None:
        object.__setattr__(self, "issuer", f"{self.address}/realms/{REALM}")

    async def sign_in(
        self,
        authorization_url: str,
        username: str,
        password: str | None = None,
        *,
        session: httpx.AsyncClient | None = None,
    ) -> str:
        """Fill in Keycloak's login form; the password of everybody is `<username>-pw`."""
        async with browser(session) as client:
            page = await walk(client, await client.get(authorization_url), self.address)
            action = _form_action(page.text)
            if action is not None:
                form = {"username": username, "password": password or f"{username}-pw", "credentialId": ""}
                page = await walk(client, await client.post(action, data=form), self.address)
        return self._callback(page)

    async def sign_out(self, end_session_url: str, *, session: httpx.AsyncClient) -> str:
        """With an `id_token_hint` Keycloak asks nothing."""
        return self._callback(await walk(session, await session.get(end_session_url), self.address))

    def _callback(self, page: httpx.Response) -> str:
        if not page.is_redirect:
            raise SignInFailed(_text(page.text))
        return is_callback(page)


@contextmanager
def running(folder: Path) -> Iterator[Keycloak]:
    """A Keycloak on loopback whose state lies in `folder`. Raises `LeftOut` where it cannot be had here."""
    with raised(folder / "stack", COMPONENT) as made:
        address, machine = made.site.address, "openlakes-bot"
        admin = KeycloakAdmin(address, admin_password(made.site))
        yield Keycloak(address, admin, client_secret(made.site), (machine, client_secret(made.site, machine)))


def _form_action(page: str) -> str | None:
    found = re.search(r'<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"', page)
    return html.unescape(found[1]) if found else None


def _text(page: str) -> str:
    """The words of a page."""
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())[:600]


__all__ = ["VERSION", "Keycloak", "KeycloakAdmin", "running"]

"""From claims to a person: identity is issuer + subject; user name, groups and the rest are attributes.

Keycloak states groups as paths and roles inside `realm_access` and `resource_access`, Entra ID groups as GUIDs and,
when they are too many, not at all (overage: `_claim_names`), Okta groups by a claim that a scope asks for.
"""

from collections.abc import Iterable
from typing import Any

from openlakes_portal._auth.grants import Grant
from openlakes_portal._auth.oidc.client import OidcClient
from openlakes_portal._auth.oidc.errors import ProviderUnavailable, SignInRefused
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.tokens import refused
from openlakes_portal._rbac.policy import Identity
from openlakes_portal._settings.model import AuthSettings

MAX_GROUPS = 2000
MAX_GROUP = 256
MAX_TEXT = 200


def identity_from(claims: dict[str, Any], settings: AuthSettings) -> Identity:
    """The person of these claims. Raises `SignInRefused` where they do not say who it is."""
    oidc = settings.oidc
    assert oidc is not None
    subject = claims.get(oidc.subject_claim)
    if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or not subject.isprintable():
        raise refused(f"the claim {oidc.subject_claim!r} names nobody")
    username = claims.get(settings.username_claim)
    if not isinstance(username, str) or not 1 <= len(username) <= MAX_TEXT or not is_name(username):
        raise SignInRefused(
            f"The identity provider states no usable user name (claim {settings.username_claim!r}).",
            remedy="An admin maps that claim at the provider, or sets auth.username_claim to one that is there.",
        )
    groups = [
        *values_at(claims, oidc.groups_claim),
        *(v for claim in oidc.role_claims for v in values_at(claims, claim)),
    ]
    email = claims.get("email")
    return Identity(
        oidc.issuer,
        subject,
        username,
        _text(claims.get("name")) or username,
        email[:MAX_TEXT] if isinstance(email, str) and email.isprintable() else None,
        unique(groups),
    )


def is_name(text: str) -> bool:
    """Whether every downstream can carry it: printable, no space at its ends, no character that separates."""
    return text.isprintable() and text == text.strip() and not any(c in text for c in "\\/,;\"'<>#")


def values_at(claims: dict[str, Any], path: str) -> list[str]:
    """Texts of a claim, by its name or by dots into objects. A single text is no list: `groups: "admin"` gives none,
    because what a mapper writes as one text is not told apart from a list of letters or an attribute."""
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return []
    return [v for v in value if isinstance(v, str) and 1 <= len(v) <= MAX_GROUP and v.isprintable()]


def unique(groups: Iterable[str]) -> tuple[str, ...]:
    """Each once, in order. Compared as they are: nothing is folded, so a look-alike is another group."""
    found = tuple(dict.fromkeys(groups))
    if len(found) > MAX_GROUPS:
        raise SignInRefused(
            f"The identity provider states more than {MAX_GROUPS} groups.",
            remedy="An admin limits there which groups the portal is told.",
        )
    return found


def has_overage(claims: dict[str, Any], groups_claim: str) -> bool:
    """Whether the provider says that there are groups and leaves them out (Entra ID, groups overage)."""
    names = claims.get("_claim_names")
    return (isinstance(names, dict) and groups_claim in names) or claims.get("hasgroups") is True


class PersonReader:
    """Reads a person from claims, and asks the provider for what is missing in them."""

    def __init__(self, client: OidcClient, provider: Provider, settings: AuthSettings) -> None:
        self._client = client
        self._provider = provider
        self._settings = settings

    async def read(self, claims: dict[str, Any], grant: Grant) -> Identity:
        """The person of an ID token's claims, or of userinfo's."""
        if not self.states_groups(claims) and not has_overage(claims, self._provider.settings.groups_claim):
            claims = {**(await self._client.userinfo(grant) or {}), **claims}
        return identity_from(await self._with_overage(claims, grant.access_token), self._settings)

    def states_groups(self, claims: dict[str, Any]) -> bool:
        """Whether the claims tell the groups. One that is absent may mean none, or that nobody maps it there."""
        oidc = self._provider.settings
        return all(claim in claims or claim.split(".")[0] in claims for claim in (oidc.groups_claim, *oidc.role_claims))

    async def _with_overage(self, claims: dict[str, Any], access_token: str) -> dict[str, Any]:
        """The claims with the groups that did not fit, asked for where the settings say. The address in the token
        itself is not followed: it would send a token wherever a token says."""
        settings = self._provider.settings
        if not has_overage(claims, settings.groups_claim):
            return claims
        url = settings.groups_overage_url
        if url is None:
            raise SignInRefused(
                "This account has more groups than fit its token, so its roles are not known.",
                remedy="An admin sets auth.oidc.groups_overage_url, or limits at the provider which groups are stated.",
            )
        answer = await self._provider.fetch.post_json(url, {"securityEnabledOnly": False}, bearer=access_token)
        values = answer.data.get("value")
        if answer.status != 200 or not isinstance(values, list):
            raise ProviderUnavailable(
                f"The groups of this account could not be asked for ({answer.status}).",
                remedy="An admin checks that the portal may read them there (Entra ID: GroupMember.Read.All).",
            )
        return {**claims, settings.groups_claim: [v for v in values if isinstance(v, str)]}


def _text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return "".join(c for c in value if c.isprintable())[:MAX_TEXT].strip() or None

"""The auth manager: who asks Airflow, and what they may, by the portal's word alone.

    [core]
    auth_manager = openlakes_portal_airflow_dbt.upstream.auth_manager.PortalAuthManager

    [openlakes_portal]
    issuer = https://lake.example
    jwks_url = https://lake.example/.well-known/jwks.json

Airflow keeps no users and no passwords then: a token of the portal says who it is (`sub`) and which roles they have
(`roles`), in `Authorization` or in Airflow's own cookie. The keys with which Airflow signs and verifies the tokens of
its tasks (`[api_auth]`) are not touched, and nothing signed with them counts here, as nothing of the portal's counts
there: a person cannot pass for a task, nor a task for a person.

https://airflow.apache.org/docs/apache-airflow/stable/core-concepts/auth-manager/index.html
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
from airflow.api_fastapi.auth.managers.base_auth_manager import BaseAuthManager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.common.types import MenuItem
from airflow.configuration import conf
from fastapi import HTTPException

from openlakes_portal_airflow_dbt.upstream.levels import Level, configured, level_of
from openlakes_portal_airflow_dbt.upstream.tokens import KeysUnavailable, PortalTokens, Trust

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.resource_details import (
        AccessView,
        AssetAliasDetails,
        AssetDetails,
        ConfigurationDetails,
        ConnectionDetails,
        DagAccessEntity,
        DagDetails,
        PoolDetails,
        VariableDetails,
    )

SECTION = "openlakes_portal"
FOR_OPERATORS = frozenset({MenuItem.CONFIG, MenuItem.CONNECTIONS, MenuItem.VARIABLES, MenuItem.PLUGINS})

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PortalUser(BaseUser):  # type: ignore[misc]
    """A person, by the one name that every system knows them by: it stands in Airflow's records."""

    username: str
    level: Level

    def get_id(self) -> str:
        """The name: the portal gives it to nobody else."""
        return self.username

    def get_name(self) -> str:
        """The name."""
        return self.username


class PortalAuthManager(BaseAuthManager[PortalUser]):  # type: ignore[misc]
    """Believes the portal's tokens. Airflow makes one of it in each of its API servers."""

    def init(self) -> None:
        """Read the configuration. Raises `ValueError` in words: without it nobody could come in."""
        super().init()
        issuer, jwks_url = _configured("issuer"), _configured("jwks_url")
        if not issuer or not jwks_url:
            raise ValueError(
                "[openlakes_portal] issuer and jwks_url are needed: the portal's public address, and where its keys are"
            )
        audience = _configured("audience") or "airflow"
        leeway = conf.getfloat(SECTION, "leeway", fallback=10.0)
        self._tokens = PortalTokens(Trust(issuer, audience, jwks_url, _configured("ca_file"), leeway))
        self._levels = configured(_configured("roles"))
        self._portal = issuer.rstrip("/")

    async def get_user_from_token(self, token: str) -> PortalUser:
        """Who it is. Airflow answers 401 for a token that is over, 403 for one that is none of the portal's; here it
        is 403 too for a person without a level, and 503 while the keys cannot be had."""
        try:
            claims = await self._tokens.verified(token)
        except KeysUnavailable as error:
            log.error("no token can be verified: %s", error)
            raise HTTPException(
                503,
                "The portal's keys cannot be had: Airflow's log says why. Start the portal, or correct "
                "[openlakes_portal] jwks_url.",
            ) from error
        except jwt.InvalidTokenError as error:
            log.warning("a token is refused: %s", error)
            raise
        return self.deserialize_user(claims)

    def deserialize_user(self, token: dict[str, Any]) -> PortalUser:
        """A person from verified claims. Raises `HTTPException` (403) for somebody who may nothing here."""
        roles = token.get("roles")
        username = token.get("sub")
        if not isinstance(username, str) or not username:
            raise jwt.InvalidTokenError("The token does not say who it is")
        named = [role for role in roles if isinstance(role, str)] if isinstance(roles, list) else []
        level = level_of(named, self._levels)
        if level is None:
            log.warning("%s has no role that brings a level in Airflow: %s", username, named)
            raise HTTPException(403, f"No role of {username} opens Airflow. Ask an admin of the portal for one.")
        return PortalUser(username, level)

    def serialize_user(self, user: PortalUser) -> dict[str, Any]:
        """Only for `generate_jwt`."""
        raise NotImplementedError("Tokens of people are signed by the portal.")

    def generate_jwt(self, user: PortalUser, *, expiration_time_in_seconds: int = 0) -> str:
        """Airflow's own pages offer to make a token. It would be signed with the key of tasks, and is not made."""
        raise HTTPException(
            403, "Airflow makes no tokens of its own here. Make an API token in the portal (My account)."
        )

    def revoke_token(self, token: str) -> None:
        """Nothing: a token lives for minutes, and the portal's sign-in, which ends by signing out there, for hours."""

    def get_url_login(self, **kwargs: Any) -> str:
        """The portal's sign-in."""
        return _configured("login_url") or f"{self._portal}/signin"

    def get_url_logout(self) -> str | None:
        """The portal's way out: whoever leaves Airflow leaves all of it."""
        return _configured("logout_url") or f"{self._portal}/signout"

    def is_authorized_configuration(
        self, *, method: str, user: PortalUser, details: "ConfigurationDetails | None" = None
    ) -> bool:
        """Operators."""
        return user.level >= Level.OP

    def is_authorized_connection(
        self, *, method: str, user: PortalUser, details: "ConnectionDetails | None" = None
    ) -> bool:
        """Operators."""
        return user.level >= Level.OP

    def is_authorized_dag(
        self,
        *,
        method: str,
        user: PortalUser,
        access_entity: "DagAccessEntity | None" = None,
        details: "DagDetails | None" = None,
    ) -> bool:
        """Viewers read; users start, stop and pause; to delete what happened (a DAG, a run, a task's tries) takes an
        operator."""
        if method == "DELETE":
            return user.level >= Level.OP
        return user.level >= (Level.VIEWER if method == "GET" else Level.USER)

    def is_authorized_asset(self, *, method: str, user: PortalUser, details: "AssetDetails | None" = None) -> bool:
        """Viewers read, operators change."""
        return _reads_or_operates(method, user)

    def is_authorized_asset_alias(
        self, *, method: str, user: PortalUser, details: "AssetAliasDetails | None" = None
    ) -> bool:
        """Viewers read, operators change."""
        return _reads_or_operates(method, user)

    def is_authorized_pool(self, *, method: str, user: PortalUser, details: "PoolDetails | None" = None) -> bool:
        """Viewers read, operators change."""
        return _reads_or_operates(method, user)

    def is_authorized_variable(
        self, *, method: str, user: PortalUser, details: "VariableDetails | None" = None
    ) -> bool:
        """Operators."""
        return user.level >= Level.OP

    def is_authorized_view(self, *, access_view: "AccessView", user: PortalUser) -> bool:
        """Viewers."""
        return user.level >= Level.VIEWER

    def is_authorized_custom_view(self, *, method: str, resource_name: str, user: PortalUser) -> bool:
        """Viewers read, operators change: nobody knows what views of Airflow's own plugins do."""
        return _reads_or_operates(method, user)

    def filter_authorized_menu_items(self, menu_items: list[MenuItem], *, user: PortalUser) -> list[MenuItem]:
        """The menu without what would be refused."""
        return [item for item in menu_items if user.level >= Level.OP or item not in FOR_OPERATORS]


def _reads_or_operates(method: str, user: PortalUser) -> bool:
    return user.level >= (Level.VIEWER if method == "GET" else Level.OP)


def _configured(key: str) -> str | None:
    value: str | None = conf.get(SECTION, key, fallback=None)
    return value or None

"""Exchanging a token: is it signed, is it in time, which rule takes it, and what may the service account's token do.

Who asks is told nothing of the rules; the audit log and the log are, without the token.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._audit.record import clean
from openlakes_portal._auth.api_tokens import ApiToken, ApiTokens, NewToken
from openlakes_portal._auth.exchange.issuers import Issuers, Signer
from openlakes_portal._auth.exchange.trust import mismatch
from openlakes_portal._auth.oidc.jws import NotBelieved, time_fault, unverified_claims
from openlakes_portal._rbac.accounts import service_identity, standing
from openlakes_portal._rbac.book import PolicyBook
from openlakes_portal._rbac.policy import Identity, holds_somewhere
from openlakes_portal._settings.token_exchange import TokenExchangeSettings, TrustRule
from openlakes_portal._store.clock import Clock, now
from openlakes_portal._store.database import Database
from openlakes_portal._store.once import first_use
from openlakes_portal.spi import PortalError, Principal

MAX_TOKEN = 16 * 1024
"""Bytes of a subject token; GitHub's and Kubernetes' have one to two thousand."""
LONGEST = 86_400
"""Seconds from `iat` to `exp`: what lives longer is no job's token."""
NOT_TAKEN = "The subject token is not taken. The audit log says why, under this request id."


@dataclass(frozen=True)
class Asked:
    """What a request asks for: a token for this one, with these permissions, None for all that the rule gives."""

    subject_token: str
    scope: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Issued:
    """A token that was given, and to whom."""

    text: str
    token: ApiToken
    owner: Identity
    rule: str
    claims: dict[str, Any] = field(repr=False)


class ExchangeRefused(Exception):
    """No token is given. `error` (RFC 6749, 5.2; RFC 8693, 2.2.2) and `words` are for who asked, the rest is not:
    `why`, the rule that took the token where one did, and the claims, which are `verified` or may be anybody's."""

    def __init__(
        self,
        error: str,
        words: str,
        why: str,
        *,
        rule: str = "",
        claims: dict[str, Any] | None = None,
        verified: bool = False,
    ) -> None:
        super().__init__(why)
        self.error = error
        self.words = words
        self.why = why
        self.rule = rule
        self.claims = claims or {}
        self.verified = verified


def not_taken(why: str, *, rule: str = "", claims: dict[str, Any] | None = None, verified: bool = False) -> Exception:
    """The one answer to every token that is not taken: RFC 8693, 2.2.2 names its code, `invalid_request`."""
    return ExchangeRefused("invalid_request", NOT_TAKEN, why, rule=rule, claims=claims, verified=verified)


class TokenExchange:
    """Exchanges tokens by the rules of the settings."""

    def __init__(
        self,
        database: Database,
        book: PolicyBook,
        api_tokens: ApiTokens,
        settings: TokenExchangeSettings,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._book = book
        self._api_tokens = api_tokens
        self._settings = settings
        self._clock = clock
        self._issuers = Issuers(settings)

    async def exchange(self, asked: Asked) -> Issued:
        """A token of a service account for the subject token. Raises `ExchangeRefused`, and `ProviderUnavailable` or
        `ProviderMisconfigured` where nobody can say whether the token is good."""
        claims, signer = await self._verified(asked.subject_token)
        fault = time_fault(claims, self._clock().timestamp(), self._settings.clock_skew)
        if fault is None and claims["exp"] - claims["iat"] > LONGEST:
            fault = f"it lives longer than {LONGEST // 3600} h"
        if fault is not None:
            raise not_taken(fault, claims=claims, verified=True)
        rule = self._rule(signer, claims)
        owner = service_identity(rule.service_account)
        async with self._database.write() as connection:
            await self._check_account(connection, rule, claims)
            permissions = self._granted(rule, owner, asked.scope, claims)
            if rule.single_use:
                await self._use(connection, rule, claims)
            new = NewToken(
                owner=owner,
                name=rule.name,
                permissions=permissions,
                expires_at=self._clock() + timedelta(seconds=rule.lifetime),
                created_by=clean(f"{signer.issuer}#{claims.get('sub', '')}"),
                exchanged=True,
            )
            text, token = await self._api_tokens.add(connection, new)
        return Issued(text, token, owner, rule.name, claims)

    def principal(self, issued: Issued) -> Principal:
        """The service account of a token, for the audit log."""
        return self._book.current.principal(issued.owner, self._clock(), issued.token.id)

    async def _verified(self, token: str) -> tuple[dict[str, Any], Signer]:
        """Its claims, and who has signed it. An issuer that no rule names costs no call."""
        if len(token) > MAX_TOKEN:
            raise not_taken(f"it is longer than {MAX_TOKEN} bytes")
        try:
            stated = unverified_claims(token, "subject token")
        except NotBelieved as error:
            raise not_taken(str(error)) from None
        signers = self._issuers.of(stated.get("iss"))
        if not signers:
            raise not_taken("no rule names its issuer", claims=stated)
        reasons: list[str] = []
        unavailable: PortalError | None = None
        for signer in signers:
            try:
                return await signer.claims_of(token), signer
            except NotBelieved as error:
                reasons.append(str(error))
            except PortalError as error:
                unavailable = error
        if unavailable is not None:
            raise unavailable
        raise not_taken("; ".join(dict.fromkeys(reasons)), claims=stated)

    def _rule(self, signer: Signer, claims: dict[str, Any]) -> TrustRule:
        reasons = []
        for rule in signer.rules:
            fault = mismatch(rule, claims)
            if fault is None:
                return rule
            reasons.append(f"{rule.name}: {fault}")
        raise not_taken("; ".join(reasons), claims=claims, verified=True)

    async def _check_account(self, connection: AsyncConnection, rule: TrustRule, claims: dict[str, Any]) -> None:
        row = (await connection.execute(standing(rule.service_account))).first()
        if row is None or row.disabled_at is not None:
            state = "does not exist" if row is None else "is disabled"
            why = f"the service account {rule.service_account} {state}"
            raise not_taken(why, rule=rule.name, claims=claims, verified=True)

    def _granted(
        self, rule: TrustRule, owner: Identity, scope: tuple[str, ...] | None, claims: dict[str, Any]
    ) -> list[str]:
        """What the token may: what was asked for, all of which the account must hold and the rule must give."""
        policy = self._book.current
        principal = policy.principal(owner, self._clock())
        held = {p.name for p in policy.permissions.values() if holds_somewhere(principal, p)}
        if rule.permissions is not None:
            held &= set(rule.permissions)
        wide = [name for name in scope or () if name not in held]
        if wide or not held:
            words = (
                "The token cannot be given this scope." if wide else "There is nothing that the token could be given."
            )
            why = (
                f"beyond account and rule: {' '.join(wide)}"
                if wide
                else "account and rule have no permission in common"
            )
            raise ExchangeRefused("invalid_scope", words, why, rule=rule.name, claims=claims, verified=True)
        return sorted(held if scope is None else scope)

    async def _use(self, connection: AsyncConnection, rule: TrustRule, claims: dict[str, Any]) -> None:
        number = claims.get("jti")
        if not isinstance(number, str) or not 1 <= len(number) <= 255 or not number.isprintable():
            why = "it has no jti, which single_use counts by"
            raise not_taken(why, rule=rule.name, claims=claims, verified=True)
        until = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=self._settings.clock_skew + 60)
        if not await first_use(connection, f"exchange {claims['iss']} {number}", until):
            raise not_taken("it was used before", rule=rule.name, claims=claims, verified=True)

    async def close(self) -> None:
        """Let the connections go."""
        await self._issuers.close()

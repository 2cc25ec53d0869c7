"""The identity provider's part of a running portal, put together."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from openlakes_portal._auth.oidc.claims import PersonReader
from openlakes_portal._auth.oidc.client import OidcClient
from openlakes_portal._auth.oidc.errors import ProviderMisconfigured
from openlakes_portal._auth.oidc.exchange import ProviderExchange
from openlakes_portal._auth.oidc.fetch import Fetcher
from openlakes_portal._auth.oidc.provider import Provider
from openlakes_portal._auth.oidc.renewal import Ended, Renewals
from openlakes_portal._auth.oidc.sign_in import SignedIn, SignIns
from openlakes_portal._auth.oidc.tokens import TokenVerifier, refused
from openlakes_portal._auth.sessions import Session, Sessions
from openlakes_portal._settings.model import AuthSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database
from openlakes_portal._store.keyring import Keyring
from openlakes_portal._store.once import first_use
from openlakes_portal._store.tables import sessions as table
from openlakes_portal.spi import PortalError

CALLBACK = "/auth/callback"


class Oidc:
    """Sign-in, renewal and sign-out with the configured provider."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        keyring: Keyring,
        settings: AuthSettings,
        public_url: str,
        ended: Ended,
    ) -> None:
        assert settings.oidc is not None
        self._database = database
        self._sessions = sessions
        self._home = public_url + "/"
        self._fetch = Fetcher(settings.oidc)
        self.provider = Provider(settings.oidc, self._fetch)
        self.client = OidcClient(self.provider, public_url + CALLBACK)
        self.verifier = TokenVerifier(self.provider)
        reader = PersonReader(self.client, self.provider, settings)
        self.sign_ins = SignIns(database, keyring, self.provider, self.client, self.verifier, reader)
        self.renewals = Renewals(database, sessions, self.provider, self.client, self.verifier, reader, settings, ended)
        self.exchange = ProviderExchange(self.provider, self.client, sessions, self.renewals)

    async def check(self) -> None:
        """Raises `ProviderMisconfigured` for a provider that must not be trusted as configured (wrong issuer, bad
        certificate). One that is away is no reason not to start: who is signed in stays so."""
        try:
            await self.provider.metadata()
        except ProviderMisconfigured:
            raise
        except PortalError:
            return

    async def finish(self, query: Mapping[str, str], browser: str | None) -> SignedIn:
        """See `SignIns.finish`."""
        return await self.sign_ins.finish(query, browser)

    async def sign_out(self, session: Session) -> str | None:
        """End the sign-in at the provider; where the browser goes to end its own session there, None for nowhere."""
        if not self.provider.settings.logout:
            return None
        grant = await self._sessions.grant(session)
        try:
            if grant is not None:
                await self.client.end(grant)
            return await self.client.after_logout(self._home)
        except PortalError:
            return None

    async def back_channel_logout(self, token: str) -> list[Session]:
        """End the sessions that a logout token names; returns them. Raises `SignInRefused` for a token that is none."""
        claims = await self.verifier.logout_token(token)
        await self._use_once(f"logout {claims['iss']} {claims['jti']}", claims["exp"])
        issuer, sid, subject = claims["iss"], claims.get("sid"), claims.get("sub")
        here = table.c.issuer == issuer
        if sid is not None:
            return await self._sessions.end_where(here & (table.c.provider_session == sid))
        if self.provider.settings.subject_claim != "sub":
            raise refused("the logout token names no session (sid), and `sub` is not what identifies a person here")
        return await self._sessions.end_where(here & (table.c.subject == subject))

    async def _use_once(self, value: str, until: float) -> None:
        """Raises `SignInRefused` for what was used before."""
        skew = timedelta(seconds=self.provider.settings.clock_skew + 60)
        ends = min(datetime.fromtimestamp(until, UTC), now() + timedelta(days=1)) + skew
        async with self._database.write() as connection:
            if not await first_use(connection, value, ends):
                raise refused("the logout token was used before")

    async def close(self) -> None:
        """Let renewals end and connections go."""
        await self.renewals.stop()
        await self._fetch.close()

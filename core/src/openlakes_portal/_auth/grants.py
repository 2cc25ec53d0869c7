"""What the identity provider gave for a session, sealed in the session's row. It never leaves the server."""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime

from openlakes_portal._store.keyring import Keyring

PURPOSE = "session tokens"


@dataclass(frozen=True)
class Grant:
    """Tokens of one sign-in. `expires_at` is the access token's end, `subject` the person's `sub` at the provider,
    `scope` what the access token is good for."""

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)
    id_token: str | None = field(default=None, repr=False)
    subject: str = ""
    scope: str = ""

    def seal(self, keyring: Keyring, session: str) -> bytes:
        """As it is stored, bound to the session with this public id."""
        values = {**asdict(self), "expires_at": self.expires_at.isoformat()}
        return keyring.seal(PURPOSE, session, json.dumps(values).encode())


def open_grant(keyring: Keyring, session: str, sealed: bytes) -> Grant:
    """What was stored. Raises `KeyringError`."""
    values = json.loads(keyring.open(PURPOSE, session, sealed))
    return Grant(**{**values, "expires_at": datetime.fromisoformat(values["expires_at"])})

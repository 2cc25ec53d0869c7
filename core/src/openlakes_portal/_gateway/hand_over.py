"""From the portal's session to a session at an app's own host.

A browser that comes to an app's host gets a cookie there and is sent to the portal, which knows who it is; it comes
back with a code that counts once, for thirty seconds, for this app, this sign-in and the browser that has that cookie.
Then the code in the address is worth nothing. The app's cookie names the sign-in, sealed: with the sign-in it ends.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from openlakes_portal._auth.oidc.sign_in import TO_AN_APP, safe_next
from openlakes_portal._auth.sessions import Session
from openlakes_portal._store.clock import Clock, now
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import used_once
from openlakes_portal._store.keyring import Keyring, KeyringError
from openlakes_portal.spi import BadRequest

START_COOKIE = "__Host-openlakes_enter"
APP_COOKIE = "__Host-openlakes_app"
ENTER = "/.openlakes/enter"
"""At the app's host. The whole folder is the portal's; no app is asked for anything in it."""
OURS = "/.openlakes/"
PORTAL_PATH = TO_AN_APP
LASTS = timedelta(seconds=30)
_CODE, _APP = "hand-over", "app session"
MAX_REMEMBERED = 20_000


@dataclass(frozen=True)
class Entered:
    """Whose sign-in a code was for, and where they wanted to go."""

    id_hash: str
    next: str


class HandOver:
    """Makes and takes codes, and cookies of apps."""

    def __init__(self, database: Database, keyring: Keyring, portal: str, clock: Clock = now) -> None:
        self._database = database
        self._keyring = keyring
        self._portal = portal
        self._clock = clock
        self._opened: dict[tuple[str, str], str] = {}

    def begin(self, app_id: str, next_path: str, known: str | None) -> tuple[str, str]:
        """Where to send a browser that has come to an app: the address at the portal, and its cookie's value (`known`
        where it has one: several tabs may come at once)."""
        start = known if known is not None and _is_start(known) else secrets.token_urlsafe(32)
        query = urlencode({"app": app_id, "state": _state(start), "next": safe_next(next_path)})
        return f"{self._portal}{PORTAL_PATH}?{query}", start

    def code(self, app_id: str, session: Session, state: str, next_path: str) -> str:
        """A code for this sign-in at this app, in the browser that has the cookie of `state`."""
        if len(state) != 64 or not set(state) <= set("0123456789abcdef"):
            raise BadRequest("The hand-over names no browser.")
        ends = (self._clock() + LASTS).timestamp()
        body = {"s": session.id_hash, "b": state, "n": safe_next(next_path), "e": ends, "j": secrets.token_urlsafe(12)}
        return _text(self._keyring.seal(_CODE, app_id, json.dumps(body).encode()))

    async def enter(self, app_id: str, code: str, start: str | None) -> Entered:
        """Take a code. Raises `BadRequest` for one that is over, used, another's, or another browser's."""
        again = "Open the app again."
        try:
            body = json.loads(self._keyring.open(_CODE, app_id, _bytes(code)))
        except (KeyringError, ValueError):
            raise BadRequest("The hand-over's code is none of ours.", remedy=again) from None
        if start is None or not hmac.compare_digest(_state(start), body["b"]):
            raise BadRequest("The hand-over began in another browser.", remedy=again)
        moment = self._clock()
        if not moment.timestamp() < body["e"] <= (moment + LASTS).timestamp() + 5:
            raise BadRequest("The hand-over took too long.", remedy=again)
        value = hashlib.sha256(f"{_CODE} {body['j']}".encode()).hexdigest()
        try:
            async with self._database.write() as connection:
                await connection.execute(delete(used_once).where(used_once.c.expires_at < moment))
                await connection.execute(insert(used_once).values(value_hash=value, expires_at=moment + 2 * LASTS))
        except IntegrityError:
            raise BadRequest("The hand-over's code was used already.", remedy=again) from None
        return Entered(body["s"], body["n"])

    def cookie(self, app_id: str, id_hash: str) -> str:
        """The value of an app's cookie: which sign-in it is, for this app's host and no other."""
        return _text(self._keyring.seal(_APP, app_id, bytes.fromhex(id_hash)))

    def signed_in(self, app_id: str, cookie: str) -> str | None:
        """The sign-in that an app's cookie names, None for a cookie that is not ours or not this app's."""
        key = (app_id, cookie)
        known = self._opened.get(key)
        if known is None:
            try:
                known = self._keyring.open(_APP, app_id, _bytes(cookie)).hex()
            except (KeyringError, ValueError):
                return None
            if len(self._opened) >= MAX_REMEMBERED:
                self._opened.clear()
            self._opened[key] = known
        return known


def _is_start(value: str) -> bool:
    return len(value) == 43 and value.replace("-", "").replace("_", "").isalnum() and value.isascii()


def _state(start: str) -> str:
    return hashlib.sha256(f"openlakes hand-over {start}".encode()).hexdigest()


def _text(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    """Raises `ValueError` for what is no base64url."""
    if not text.isascii() or len(text) > 4096:
        raise ValueError("no base64url")
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
    if _text(found) != text:
        raise ValueError("not written in the one way that it can be")
    return found

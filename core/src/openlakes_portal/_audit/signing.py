"""The key that signs statements about the audit log: Ed25519, used for nothing else.

It is kept sealed in the store, or given by `audit.signing_key`, so that it can be out of reach of whoever can write
the database. Its public part is what `openlakes audit key` prints and auditors keep; earlier ones stay listed.
"""

import json
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey
from joserfc.registry import Header
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._audit.record import canonical
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import state
from openlakes_portal._store.keyring import Keyring

ALGORITHM = "Ed25519"
TYPE = "openlakes-audit+jws"
PRIVATE, PUBLIC = "audit-key", "audit-public-keys"


class SigningKey:
    """Signs statements."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key
        self.kid = key.thumbprint()

    @property
    def public(self) -> dict[str, Any]:
        """The public part (RFC 8037), with its thumbprint as `kid`."""
        return {**self._key.as_dict(private=False), "kid": self.kid, "alg": ALGORITHM, "use": "sig"}

    def sign(self, statement: dict[str, Any]) -> str:
        """A statement as a compact JWS (RFC 7515)."""
        header: Header = {"alg": ALGORITHM, "kid": self.kid, "typ": TYPE}
        return jws.serialize_compact(header, canonical(statement), self._key, algorithms=[ALGORITHM])


class PublicKeys:
    """Verifies statements."""

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        self._keys = {}
        for member in keys:
            key = OKPKey.import_key({name: member[name] for name in ("kty", "crv", "x")})
            self._keys[key.thumbprint()] = key

    @property
    def kids(self) -> list[str]:
        """Their thumbprints (RFC 7638)."""
        return list(self._keys)

    def open(self, text: str) -> dict[str, Any]:
        """The statement in a JWS. Raises `ValueError` where it was not signed by one of the keys."""
        try:
            kid = jws.extract_compact(text.encode()).headers().get("kid")
            key = self._keys.get(str(kid))
            if key is None:
                raise ValueError(f"it was signed by the key {str(kid)[:60]}, which is none of those given")
            signed = jws.deserialize_compact(text, key, algorithms=[ALGORITHM])
            if signed.headers().get("typ") != TYPE:
                raise ValueError("it is a signature for something else")
            statement = json.loads(signed.payload)
        except ValueError:
            raise
        except Exception as error:
            raise ValueError(f"its signature does not hold ({type(error).__name__})") from None
        if not isinstance(statement, dict):
            raise ValueError("it is no statement")
        return statement


async def load_signing_key(database: Database, keyring: Keyring, given: str | None) -> SigningKey:
    """The key of the settings (a PEM), else the one in the store, which the first start makes."""
    if given is not None:
        key = SigningKey(OKPKey.import_key(given))
        if not key._key.is_private:
            raise ValueError("audit.signing_key must be a private Ed25519 key in PEM")
    else:
        key = await _stored(database, keyring)
    await _publish(database, key.public)
    return key


async def public_keys(database: Database) -> list[dict[str, Any]]:
    """Every public key that signed here, the newest last."""
    async with database.read() as connection:
        known: bytes | None = (await connection.execute(select(state.c.value).where(state.c.name == PUBLIC))).scalar()
    return json.loads(known) if known else []


async def _stored(database: Database, keyring: Keyring) -> SigningKey:
    try:
        async with database.write() as connection:
            sealed = (await connection.execute(select(state.c.value).where(state.c.name == PRIVATE))).scalar()
            if sealed is None:
                pem = OKPKey.generate_key("Ed25519").as_pem(private=True)
                await connection.execute(insert(state).values(name=PRIVATE, value=keyring.seal(PRIVATE, PRIVATE, pem)))
            else:
                pem = keyring.open(PRIVATE, PRIVATE, sealed)
                if not keyring.is_current(sealed):
                    again = {"value": keyring.seal(PRIVATE, PRIVATE, pem)}
                    await connection.execute(update(state).where(state.c.name == PRIVATE).values(again))
        return SigningKey(OKPKey.import_key(pem))
    except IntegrityError:  # another replica's first start
        return await _stored(database, keyring)


async def _publish(database: Database, public: dict[str, Any]) -> None:
    known = await public_keys(database)
    if known and known[-1]["kid"] == public["kid"]:
        return
    value = json.dumps([*(k for k in known if k["kid"] != public["kid"]), public]).encode()
    async with database.write() as connection:
        await _put(connection, PUBLIC, value)


async def _put(connection: AsyncConnection, name: str, value: bytes) -> None:
    changed = await connection.execute(update(state).where(state.c.name == name).values(value=value))
    if changed.rowcount == 0:
        await connection.execute(insert(state).values(name=name, value=value))

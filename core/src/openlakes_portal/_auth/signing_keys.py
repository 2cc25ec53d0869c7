"""The keys that sign the portal's tokens: in the store, sealed, one after another.

A key is published `announce` seconds before it signs, so that a verifier that fetches keys rarely has it by then; when
its successor signs it stays published until the last token it signed has ended. Which key signs follows from the
times in its row and the clock alone: processes need not agree on a moment. With keys in the settings nothing is made
and nothing is rotated here.
"""

import asyncio
import json
import time
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._settings.issuer import IssuerSettings
from openlakes_portal._store.clock import Clock, now
from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import signing_keys as table
from openlakes_portal._store.keyring import Keyring, KeyringError
from openlakes_portal._store.signals import Signals
from openlakes_portal.spi import Unavailable

PURPOSE = "signing key"
SIGNAL = "signing-keys"
LOCK_ID = 0x6F6C6B657973  # "olkeys"
LONGEST_TOKEN = timedelta(minutes=10)
SKEW = timedelta(minutes=5)
"""A verifier's clock may lag by this much."""
RELOAD = 60.0
RSA_BITS = 2048
LEGACY = {"EdDSA": "issuer-ed25519.pem", "ES256": "issuer-es256.pem"}
"""Files of the data directory in which an earlier version kept its keys."""
log = structlog.get_logger("issuer")


@dataclass(frozen=True)
class SigningKey:
    """One key; `key` is None where its private part does not open. It signs from `signs_from` until `signs_until`, None
    for the last one, and is published until `published_until`."""

    kid: str
    algorithm: str
    key: Any
    public: dict[str, Any]
    signs_from: datetime
    signs_until: datetime | None
    published_until: datetime | None


class SigningKeys:
    """The keys, as far as this process knows them."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        settings: IssuerSettings,
        data_dir: Path,
        signals: Signals | None = None,
        clock: Clock = now,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._settings = settings
        self._data_dir = data_dir
        self._signals = signals
        self._clock = clock
        self._keys: tuple[SigningKey, ...] = ()
        self._loaded_at: float | None = None
        self._generation = 0
        self._needed: set[str] = set(settings.algorithms)
        if signals is not None:
            signals.on(SIGNAL, lambda _: self._forget())
            signals.on_lost(self._forget)

    @property
    def fresh(self) -> bool:
        """Whether what this process knows is recent enough to sign with."""
        return self._loaded_at is not None and time.monotonic() - self._loaded_at < RELOAD

    def need(self, algorithms: Collection[str]) -> None:
        """Plugins declared tokens of these algorithms: their keys are made with the first ones."""
        if not set(algorithms) <= self._needed:
            self._needed |= set(algorithms)
            self._forget()

    async def open(self) -> None:
        """What a start does: know the keys, and put new ones in the place of those that open no more (somebody lost
        `security.key`; `check_key` has seen that ours is the database's). What they signed verifies to its end. Raises
        `KeyringError` for keys of the settings that cannot be used, `Unavailable`."""
        try:
            await self.load()
        except ValueError as error:
            raise KeyringError(str(error)) from None
        if not self.closed():
            return
        moment = self._clock()
        async with self._database.write() as connection:
            await self._lock(connection)
            rows = await _stored(connection)
            for algorithm in {row.algorithm for row in rows if not self._opens(row) and _signs(row, moment)}:
                log.error("keys do not open and are replaced", algorithm=algorithm)
                await self._start_anew(connection, [row for row in rows if row.algorithm == algorithm], moment)
            await self._tell(connection)
        self._forget()
        await self.load()

    def closed(self) -> list[str]:
        """Keys that are to sign, now or next, and do not open in this process."""
        moment = self._clock()
        return [f"{key.algorithm} {key.kid}" for key in self._keys if key.key is None and _signs(key, moment)]

    async def rotate_now(self, drop: str | None = None) -> list[str]:
        """Sign with new keys at once, unannounced: one may have leaked. `drop` is published no more, so that nothing it
        signed is believed. The `kid`s of the new ones. Raises `LookupError` where there is no such key."""
        moment = self._clock()
        made = []
        async with self._database.write() as connection:
            await self._lock(connection)
            rows = await _stored(connection)
            if drop is not None and drop not in {row.kid for row in rows}:
                raise LookupError(f"there is no key {drop}")
            for algorithm in sorted({row.algorithm for row in rows}):
                here = [row for row in rows if row.algorithm == algorithm]
                made.append(await self._start_anew(connection, here, moment))
            await connection.execute(delete(table).where(table.c.kid == drop))
            await self._tell(connection)
        self._forget()
        return made

    async def stored(self) -> list[SigningKey]:
        """Every key in the store, to look at."""
        return [self._opened(row) for row in await self._rows()]

    async def load(self) -> None:
        """Know the keys of now; the first process of all makes them. Raises `Unavailable`, and `ValueError` for keys of
        the settings that cannot be used."""
        generation, started = self._generation, time.monotonic()
        if self._settings.keys:
            self._keys = tuple(_given(key.get_secret_value()) for key in self._settings.keys)
        else:
            rows = await self._rows()
            if not self._needed <= {row.algorithm for row in rows}:
                await self._make_missing()
                rows = await self._rows()
            self._keys = tuple(self._opened(row) for row in rows)
        if generation == self._generation:  # else they changed while they were read
            self._loaded_at = started

    async def refresh(self) -> None:
        """Read them again if they are in use, so that no request has to wait for it."""
        if self._keys:
            await self.load()

    def signer(self, algorithm: str) -> SigningKey:
        """The key that signs now. Raises `Unavailable` where there is none of this algorithm."""
        moment = self._clock()
        able = [
            key
            for key in self._keys
            if key.algorithm == algorithm
            and key.key is not None
            and (key.signs_until is None or moment < key.signs_until)
        ]
        # With none that has begun the clock was set back since the first one did: it signs on, for it is published.
        able = [key for key in able if key.signs_from <= moment] or sorted(able, key=lambda key: key.signs_from)[:1]
        if not able and any(key.algorithm == algorithm and _signs(key, moment) for key in self._keys):
            raise Unavailable(
                f"The portal's key for {algorithm} does not open.",
                remedy="Give every replica the same security.key; `openlakes doctor` says more.",
            )
        if not able:
            raise Unavailable(
                f"The portal has no key for {algorithm}.",
                remedy=f"Add {algorithm} to auth.issuer.algorithms, or a key of it to auth.issuer.keys.",
            )
        return able[0] if self._settings.keys else max(able, key=lambda key: key.signs_from)

    def has(self, kid: str) -> bool:
        """Whether a key of this name is published, so that what it signed is believed."""
        moment = self._clock()
        return any(
            key.kid == kid and (key.published_until is None or moment < key.published_until) for key in self._keys
        )

    def published(self) -> list[dict[str, Any]]:
        """Public keys as a verifier needs them: those that sign, that signed lately, that will sign."""
        moment = self._clock()
        return [key.public for key in self._keys if key.published_until is None or moment < key.published_until]

    @property
    def max_age(self) -> int:
        """Seconds for which a verifier may keep the keys."""
        return int(min(3600.0, self._settings.announce / 2))

    async def rotate(self) -> bool:
        """Announce successors that are due, forget keys whose tokens have ended, seal anew what an earlier
        `security.key` sealed; whether anything changed. One process at a time does it, and it may be repeated."""
        if self._settings.keys:
            return False
        moment = self._clock()
        changed = False
        async with self._database.write() as connection:
            await self._lock(connection)
            rows = await _stored(connection)
            for algorithm in {row.algorithm for row in rows}:
                last = [row for row in rows if row.algorithm == algorithm][-1]
                if last.signs_from + self._lifetime - self._announce <= moment:
                    await self._succeed(connection, last, moment)
                    changed = True
            over = await connection.execute(delete(table).where(table.c.published_until < moment))
            changed = changed or over.rowcount > 0
            for row in rows:
                if not self._keyring.is_current(row.private) and self._opens(row):
                    sealed = self._keyring.seal(PURPOSE, row.kid, self._keyring.open(PURPOSE, row.kid, row.private))
                    await connection.execute(update(table).where(table.c.kid == row.kid).values(private=sealed))
            if changed:
                await self._tell(connection)
        if changed:
            self._forget()
        return changed

    @property
    def _announce(self) -> timedelta:
        return timedelta(seconds=self._settings.announce)

    @property
    def _lifetime(self) -> timedelta:
        return timedelta(seconds=self._settings.rotate_every)

    def _forget(self) -> None:
        self._generation += 1
        self._loaded_at = None

    async def _rows(self) -> Sequence[Row[Any]]:
        async with self._database.read() as connection:
            return await _stored(connection)

    async def _make_missing(self) -> None:
        """Keys of algorithms that have none. Of two first starters one makes them."""
        moment = self._clock()
        taken: list[Path] = []
        async with self._database.write() as connection:
            await self._lock(connection)
            there = {a for (a,) in (await connection.execute(select(table.c.algorithm))).all()}
            for algorithm in sorted(self._needed - there):
                old = self._data_dir / LEGACY[algorithm] if algorithm in LEGACY else None
                if old is not None and old.exists():
                    pem = old.read_bytes()
                    taken.append(old)
                else:
                    pem = await asyncio.to_thread(new_pem, algorithm)
                # The first key of an algorithm signs at once: there is no verifier yet that could hold another.
                await self._insert(connection, algorithm, pem, moment, moment)
            await self._tell(connection)
        for path in taken:
            path.unlink(missing_ok=True)
            log.info("a key that signs tokens is in the database now, sealed", was=path.name)

    async def _succeed(self, connection: AsyncConnection, last: Row[Any], moment: datetime) -> None:
        begins = moment + self._announce
        pem = await asyncio.to_thread(new_pem, last.algorithm)
        await self._insert(connection, last.algorithm, pem, moment, begins)
        ends = {"signs_until": begins, "published_until": begins + LONGEST_TOKEN + SKEW}
        await connection.execute(update(table).where(table.c.kid == last.kid).values(ends))
        log.info("a key's successor is announced", algorithm=last.algorithm, signs_from=begins.isoformat())

    async def _start_anew(self, connection: AsyncConnection, rows: Sequence[Row[Any]], moment: datetime) -> str:
        """A new key of one algorithm signs from now on instead of all others of it; those that have signed are
        published until their tokens have ended."""
        for row in rows:
            here = table.c.kid == row.kid
            if row.signs_from > moment:
                await connection.execute(delete(table).where(here))
            elif row.signs_until is None or row.signs_until > moment:
                ends = {"signs_until": moment, "published_until": moment + LONGEST_TOKEN + SKEW}
                await connection.execute(update(table).where(here).values(ends))
        algorithm = rows[0].algorithm
        return await self._insert(connection, algorithm, await asyncio.to_thread(new_pem, algorithm), moment, moment)

    async def _insert(
        self, connection: AsyncConnection, algorithm: str, pem: bytes, moment: datetime, begins: datetime
    ) -> str:
        key = import_key(algorithm, pem)
        values = {
            "kid": key.kid,
            "algorithm": algorithm,
            "public": json.loads(json.dumps(public_of(key, algorithm))),
            "private": self._keyring.seal(PURPOSE, key.kid, pem),
            "created_at": moment,
            "signs_from": begins,
        }
        await connection.execute(insert(table).values(values))
        return str(key.kid)

    async def _lock(self, connection: AsyncConnection) -> None:
        if not self._database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})

    async def _tell(self, connection: AsyncConnection) -> None:
        if self._signals is not None:
            await self._signals.send(connection, SIGNAL)

    def _opens(self, row: Row[Any]) -> bool:
        return closed_because(self._keyring, row.kid, row.private) is None

    def _opened(self, row: Row[Any]) -> SigningKey:
        try:
            key = import_key(row.algorithm, self._keyring.open(PURPOSE, row.kid, row.private))
        except KeyringError as error:
            log.error("a key that signs tokens does not open", kid=row.kid, reason=str(error))
            key = None
        return SigningKey(row.kid, row.algorithm, key, row.public, row.signs_from, row.signs_until, row.published_until)


async def closed_keys(database: Database, keyring: Keyring) -> tuple[int, list[str]]:
    """How many keys are stored, and which of them do not open: what `openlakes doctor` asks."""
    async with database.read() as connection:
        rows = await _stored(connection)
    faults = [(row, closed_because(keyring, row.kid, row.private)) for row in rows]
    return len(rows), [f"{row.algorithm} {row.kid} ({fault})" for row, fault in faults if fault is not None]


def closed_because(keyring: Keyring, kid: str, sealed: bytes) -> str | None:
    """Why a stored key does not open, None where it does."""
    try:
        keyring.open(PURPOSE, kid, sealed)
    except KeyringError as error:
        return str(error)
    return None


async def _stored(connection: AsyncConnection) -> Sequence[Row[Any]]:
    return (await connection.execute(select(table).order_by(table.c.signs_from, table.c.kid))).all()


def _signs(key: SigningKey | Row[Any], moment: datetime) -> bool:
    """Whether it signs at this moment or is to later, as far as its times go."""
    return key.signs_until is None or moment < key.signs_until


def new_pem(algorithm: str) -> bytes:
    """A new private key (RFC 8037, RFC 7518 sections 3.3 and 3.4)."""
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519").as_pem(private=True)
    if algorithm == "ES256":
        return ECKey.generate_key("P-256").as_pem(private=True)
    return RSAKey.generate_key(3072).as_pem(private=True)


def import_key(algorithm: str, pem: bytes) -> Any:
    """A private key; its `kid` is its thumbprint (RFC 7638)."""
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    kind: Any = {"EdDSA": OKPKey, "ES256": ECKey, "RS256": RSAKey}[algorithm]
    key = kind.import_key(pem)
    key.ensure_kid()
    return key


def public_of(key: Any, algorithm: str) -> dict[str, Any]:
    """The public part (RFC 7517)."""
    return {**key.as_dict(private=False), "use": "sig", "alg": algorithm}


def _given(pem: str) -> SigningKey:
    """A key of the settings. Raises `ValueError` for one that cannot sign."""
    for algorithm, kind in (("EdDSA", "Ed25519"), ("ES256", "P-256"), ("RS256", None)):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a weak key is refused in our own words
                key = import_key(algorithm, pem.encode())
        except Exception:  # noqa: S112 - it is of another kind
            continue
        if not key.is_private or (kind is not None and key.as_dict(private=False)["crv"] != kind):
            break
        if kind is None and key.raw_value.key_size < RSA_BITS:
            raise ValueError(f"auth.issuer.keys holds an RSA key of {key.raw_value.key_size} bits; 2048 are the least")
        always = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
        return SigningKey(key.kid, algorithm, key, public_of(key, algorithm), always, None, None)
    raise ValueError("auth.issuer.keys must be private keys in PEM: Ed25519, EC P-256 or RSA")

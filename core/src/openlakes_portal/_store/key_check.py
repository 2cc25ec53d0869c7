"""Whether `security.key` is the one this database was written with: a known text, sealed, is kept beside the data."""

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from openlakes_portal._store.database import Database
from openlakes_portal._store.identity_tables import state
from openlakes_portal._store.keyring import Keyring, KeyringError

NAME = "key-check"
TEXT = b"openlakes"


async def check_key(database: Database, keyring: Keyring) -> None:
    """Raises `KeyringError` for a key that does not open what is stored. The first start seals the text; the first
    start with a new key that still knows the old one seals it anew."""
    try:
        async with database.write() as connection:
            sealed = (await connection.execute(select(state.c.value).where(state.c.name == NAME))).scalar()
            if sealed is None:
                await connection.execute(insert(state).values(name=NAME, value=keyring.seal(NAME, NAME, TEXT)))
                return
            open_check(keyring, sealed)
            if not keyring.is_current(sealed):
                again = {"value": keyring.seal(NAME, NAME, TEXT)}
                await connection.execute(update(state).where(state.c.name == NAME).values(again))
    except IntegrityError:  # another replica's first start
        await check_key(database, keyring)


def open_check(keyring: Keyring, sealed: bytes) -> None:
    """Raises `KeyringError`, with what to do."""
    try:
        keyring.open(NAME, NAME, sealed)
    except KeyringError as error:
        raise KeyringError(
            f"security.key is not the key that this database was written with ({error}). Give the old key as one of "
            "security.previous_keys. If it is lost for good, delete the rows 'key-check' and 'audit-key' of the table "
            "`state`: everybody signs in again, and the portal's signing keys are made anew."
        ) from None


async def read_check(database: Database) -> bytes | None:
    """The sealed text, None before the first start."""
    async with database.read() as connection:
        sealed: bytes | None = (await connection.execute(select(state.c.value).where(state.c.name == NAME))).scalar()
    return sealed

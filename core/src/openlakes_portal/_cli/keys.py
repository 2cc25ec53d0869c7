"""`openlakes keys list|rotate`: the keys that sign the portal's tokens."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from openlakes_portal._audit.log import AuditLog
from openlakes_portal._audit.record import Entry
from openlakes_portal._auth.signing_keys import SigningKey, SigningKeys
from openlakes_portal._cli.common import load_or_explain
from openlakes_portal._http.request_id import new_request_id
from openlakes_portal._settings.load import LoadedSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.key_check import check_key
from openlakes_portal._store.keyring import KeyringError, load_keyring
from openlakes_portal._store.migrate import check
from openlakes_portal._store.signals import Signals
from openlakes_portal.spi import PortalError, Principal


def main(arguments: Sequence[str]) -> int:
    """List the keys, or sign with new ones at once, in every replica."""
    parser = argparse.ArgumentParser(
        "openlakes keys",
        description="The keys that sign tokens. They are rotated by themselves; `rotate` is for a key that may have "
        "leaked: all replicas sign with new keys within a second, and nobody was told of them before.",
    )
    parser.add_argument("what", choices=("list", "rotate"))
    parser.add_argument(
        "--drop", metavar="KID", help="with rotate: publish this key no more, so that nothing it signed is believed"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (default: $OPENLAKES_CONFIG)")
    options = parser.parse_args(_joined(arguments))
    if options.drop and options.what != "rotate":
        parser.error("--drop goes with rotate")
    loaded = load_or_explain(options.config)
    if loaded is None:
        return 1
    if loaded.settings.auth.issuer.keys:
        print("openlakes keys: the keys are those of auth.issuer.keys; rotate them there.", file=sys.stderr)
        return 1
    try:
        return asyncio.run(_run(loaded, options.what, options.drop))
    except (PortalError, KeyringError, LookupError, OSError) as error:
        words = error.detail if isinstance(error, PortalError) else error.args[0] if error.args else error
        print(f"openlakes keys: {words}", file=sys.stderr)
        return 1


def _joined(arguments: Sequence[str]) -> list[str]:
    """With `--drop KID` as one word: one key's name in 64 begins with a hyphen, and is no option."""
    words = list(arguments)
    if "--drop" in words[:-1]:
        at = words.index("--drop")
        words[at : at + 2] = [f"--drop={words[at + 1]}"]
    return words


async def _run(loaded: LoadedSettings, what: str, drop: str | None) -> int:
    settings = loaded.settings
    url = settings.database.url.get_secret_value() if settings.database.url else None
    database = Database(database_url(url, settings.server.data_dir), busy_timeout=settings.database.busy_timeout)
    try:
        await check(database)
        keyring = load_keyring(settings)
        await check_key(database, keyring)
        keys = SigningKeys(database, keyring, settings.auth.issuer, settings.server.data_dir, Signals(database))
        if what == "rotate":
            made = await keys.rotate_now(drop)
            who = getpass.getuser()
            operator = Principal(subject=who, issuer="command line", username=who, name=who)
            details = {"made": " ".join(made), "dropped": drop or ""}
            entry = Entry("core.keys.rotated", new_request_id(), operator, "signing keys", details=details)
            await AuditLog(database).write(entry, "event", "ok")
        moment = now()
        for key in await keys.stored():
            print(f"{key.kid}  {key.algorithm}  {_state(key, moment)}")
        return 0
    finally:
        await database.close()


def _state(key: SigningKey, moment: datetime) -> str:
    if key.key is None:
        return "does not open with security.key"
    if key.signs_from > moment:
        return f"signs from {key.signs_from:%Y-%m-%d %H:%M} UTC"
    if key.signs_until is None or key.signs_until > moment:
        return f"signs until {key.signs_until:%Y-%m-%d %H:%M} UTC" if key.signs_until else "signs"
    return f"is published until {key.published_until:%Y-%m-%d %H:%M} UTC"

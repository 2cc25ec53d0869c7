"""`openlakes doctor`: configuration, data directory, database, plugins; what is wrong and what to do."""

import argparse
import asyncio
import json
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from openlakes_portal._auth.exchange.issuers import Issuers
from openlakes_portal._auth.oidc.examine import examine
from openlakes_portal._auth.oidc.rules import check_oidc
from openlakes_portal._auth.signing_keys import SigningKeys, closed_keys
from openlakes_portal._cli.common import load_or_explain
from openlakes_portal._cli.plugin import load_records
from openlakes_portal._cli.serve import check
from openlakes_portal._settings.load import LoadedSettings
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.key_check import open_check, read_check
from openlakes_portal._store.keyring import KeyringError, load_keyring
from openlakes_portal._store.migrate import HEAD, current_revision
from openlakes_portal.spi import Unavailable

LOW_DISK = 512 * 1024 * 1024


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at."""

    subject: str
    state: Literal["ok", "advice", "wrong"]
    words: str
    remedy: str = ""


def main(arguments: Sequence[str]) -> int:
    """Look at everything; 1 where something is wrong."""
    parser = argparse.ArgumentParser("openlakes doctor", description="What is wrong, and what to do.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (default: $OPENLAKES_CONFIG)")
    parser.add_argument("--json", action="store_true", help="for a machine to read")
    options = parser.parse_args(arguments)
    loaded = load_or_explain(options.config)
    if loaded is None:
        return 1
    found = [
        *_configuration(loaded),
        *_data_dir(loaded),
        *asyncio.run(_database(loaded)),
        *asyncio.run(_provider(loaded)),
        *asyncio.run(_token_issuers(loaded)),
        *_console(),
        *_plugins(loaded),
    ]
    if options.json:
        print(json.dumps([asdict(d) for d in found], indent=2))
    else:
        for item in found:
            print(f"{item.state:<6}  {item.subject}: {item.words}")
            if item.remedy:
                print(f"        {item.remedy}")
    return 1 if any(d.state == "wrong" for d in found) else 0


def _configuration(loaded: LoadedSettings) -> Iterator[Diagnosis]:
    settings = loaded.settings
    problem = check(settings)
    if problem:
        yield Diagnosis("configuration", "wrong", problem)
    else:
        yield Diagnosis("configuration", "ok", f"auth.mode {settings.auth.mode}, {settings.server.public_url}")
    if settings.database.url is not None and settings.security.key is None:
        yield Diagnosis(
            "security.key",
            "advice",
            "is not set, and the database may serve more than one replica",
            "Set security.key to a secret reference: replicas must share one key.",
        )


def _data_dir(loaded: LoadedSettings) -> Iterator[Diagnosis]:
    path = loaded.settings.server.data_dir
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".doctor-{os.getpid()}"
        probe.write_bytes(b"x")
        probe.unlink()
    except OSError as error:
        yield Diagnosis("data directory", "wrong", f"{path}: {error.strerror}", "Make it writable for this user.")
        return
    free = shutil.disk_usage(path).free
    if free < LOW_DISK:
        yield Diagnosis("data directory", "wrong", f"{path} has {free // 2**20} MiB left", "Free some disk space.")
    else:
        yield Diagnosis("data directory", "ok", f"{path}, {free // 2**30} GiB free")


async def _database(loaded: LoadedSettings) -> list[Diagnosis]:
    settings = loaded.settings
    url = settings.database.url.get_secret_value() if settings.database.url else None
    try:
        database = Database(database_url(url, settings.server.data_dir), busy_timeout=settings.database.busy_timeout)
    except Exception as error:
        return [Diagnosis("database", "wrong", f"database.url cannot be used: {type(error).__name__}")]
    kind = database.url.get_backend_name()
    try:
        await database.ping()
        revision = await current_revision(database)
        sealed = await read_check(database) if revision == HEAD else None
        signing = await _signing(loaded, database) if revision == HEAD else []
    except (Unavailable, OSError, socket.gaierror) as error:
        return [
            Diagnosis("database", "wrong", f"{kind} does not answer: {error}", "Start it, or correct database.url.")
        ]
    finally:
        await database.close()
    if revision is None:
        return [Diagnosis("database", "ok", f"{kind} answers and is empty; the first start makes the tables")]
    if revision != HEAD:
        return [Diagnosis("database", "advice", f"{kind} is at revision {revision}, this version needs {HEAD}")]
    return [Diagnosis("database", "ok", f"{kind} answers, revision {revision}"), _key(loaded, sealed), *signing]


async def _signing(loaded: LoadedSettings, database: Database) -> list[Diagnosis]:
    """Whether the keys that sign tokens can be used. What is wrong with `security.key` itself is said by `_key`."""
    subject, given = "signing keys", loaded.settings.auth.issuer.keys
    try:
        keyring = load_keyring(loaded.settings)
        if given:
            await SigningKeys(database, keyring, loaded.settings.auth.issuer, loaded.settings.server.data_dir).open()
            return [Diagnosis(subject, "ok", f"{len(given)} of auth.issuer.keys")]
        count, closed = await closed_keys(database, keyring)
    except (KeyringError, OSError) as error:
        return [Diagnosis(subject, "wrong", str(error))] if given else []
    if closed:
        remedy = (
            "Give the key they were sealed with as one of security.previous_keys; else the next start replaces them."
        )
        return [Diagnosis(subject, "wrong", "; ".join(closed), remedy)]
    return [Diagnosis(subject, "ok", f"{count}, all open" if count else "the first start makes them")]


def _key(loaded: LoadedSettings, sealed: bytes | None) -> Diagnosis:
    """Whether `security.key` opens what the database holds."""
    try:
        keyring = load_keyring(loaded.settings)
        if sealed is None:
            return Diagnosis("security key", "ok", f"{keyring.current_id}; nothing is sealed yet")
        open_check(keyring, sealed)
    except (KeyringError, OSError) as error:
        return Diagnosis("security key", "wrong", str(error))
    if not keyring.is_current(sealed):
        return Diagnosis("security key", "advice", f"{keyring.current_id} is new; the next start seals with it")
    return Diagnosis("security key", "ok", f"{keyring.current_id} opens what the database holds")


async def _provider(loaded: LoadedSettings) -> list[Diagnosis]:
    oidc, public_url = loaded.settings.auth.oidc, loaded.settings.server.public_url
    if loaded.settings.auth.mode != "oidc" or oidc is None or check_oidc(oidc, public_url):
        return []
    found = [finding async for finding in examine(oidc, public_url)]
    return [Diagnosis(f.subject, "ok" if f.good else "wrong", f.words, f.remedy) for f in found]


async def _token_issuers(loaded: LoadedSettings) -> list[Diagnosis]:
    issuers = Issuers(loaded.settings.auth.token_exchange)
    try:
        found = [finding async for finding in issuers.examine()]
    finally:
        await issuers.close()
    return [Diagnosis(f.subject, "ok" if f.good else "wrong", f.words, f.remedy) for f in found]


def _console() -> Iterator[Diagnosis]:
    if (files("openlakes_portal") / "static" / "index.html").is_file():
        yield Diagnosis("console", "ok", "built")
    else:
        yield Diagnosis("console", "wrong", "not built", "Run `make demo` in the checkout, or install the wheel.")


def _plugins(loaded: LoadedSettings) -> Iterator[Diagnosis]:
    for record in load_records(loaded):
        subject = f"plugin {record.id}"
        if record.state == "quarantined":
            yield Diagnosis(subject, "wrong", f"quarantined at {record.stage}: {record.reason}", record.remedy or "")
        else:
            yield Diagnosis(subject, "ok", f"{record.version} {record.state}")

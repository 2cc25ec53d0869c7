"""The issuer's keys when something is wrong: a key may have leaked, or opens no more; and how that is said."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey
from pydantic import SecretStr
from sqlalchemy import select, update

from openlakes_portal._audit.reading import AuditQuery
from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._auth.signing_keys import SigningKeys, new_pem
from openlakes_portal._cli.doctor import main as doctor
from openlakes_portal._cli.keys import main as keys_command
from openlakes_portal._settings.issuer import IssuerSettings
from openlakes_portal._store.clock import now
from openlakes_portal._store.database import Database, database_url
from openlakes_portal._store.identity_tables import signing_keys as table
from openlakes_portal._store.keyring import Keyring, KeyringError
from openlakes_portal._store.signals import Signals
from openlakes_portal.spi import PortalToken, Principal, Unavailable
from openlakes_portal.testing import portal_for

ANALYST = Principal(subject="a", issuer="test", username="bi-analyst", name="A", session_id="s")
OURS = Keyring([b"k" * 32])
WEAK = rsa.generate_private_key(65537, 1024)


class Clock:
    """A clock that the test moves."""

    ahead = timedelta(0)

    def __call__(self) -> datetime:
        return now() + self.ahead


class Replica:
    """One process's issuer."""

    def __init__(self, keys: SigningKeys) -> None:
        self.keys = keys
        self.issuer = Issuer("http://portal.test", keys)

    async def signer(self) -> str:
        """The `kid` of a token that is handed out now."""
        return _kid((await self.issuer.mint(ANALYST, PortalToken("db"))).value.get_secret_value())

    async def published(self) -> set[str]:
        return {key["kid"] for key in (await self.issuer.jwks())["keys"]}


Start = Callable[..., Awaitable[Replica]]


@pytest.fixture
async def start(database: Database, tmp_path: Path) -> AsyncIterator[Start]:
    """`await start()`: a process of this portal that hears the others; as many as are asked for."""
    opened: list[tuple[Database, Signals]] = []

    async def make(keyring: Keyring = OURS, clock: Clock | None = None) -> Replica:
        own = Database(database.url.render_as_string(hide_password=False))
        signals = Signals(own)
        keys = SigningKeys(own, keyring, IssuerSettings(), tmp_path, signals, clock or now)
        opened.append((own, signals))
        await signals.start()
        await keys.open()
        return Replica(keys)

    yield make
    for own, signals in opened:
        await signals.stop()
        await own.close()


async def test_after_a_leak_all_processes_sign_with_new_keys_within_a_second(start: Start) -> None:
    here, there = await start(), await start()
    leaked = await there.signer()
    with pytest.raises(LookupError, match="there is no key nosuch"):
        await here.keys.rotate_now("nosuch")
    assert await there.signer() == leaked, "and nothing was changed"
    made = set(await here.keys.rotate_now(leaked))
    assert len(made) == 2
    async with asyncio.timeout(1):
        while await there.signer() == leaked:  # also where a token was held for half a minute
            await asyncio.sleep(0.01)
    for replica in (here, there):
        assert await replica.signer() in made
        assert leaked not in await replica.published()
        assert made < await replica.published(), "the other old key is shown until its tokens have ended"


async def test_after_a_leak_an_announced_successor_is_not_used_and_rotation_goes_on(start: Start) -> None:
    clock = Clock()
    replica = await start(clock=clock)
    first = await replica.signer()
    clock.ahead = timedelta(days=29, hours=1)
    assert await replica.keys.rotate()
    await replica.keys.load()
    announced = await replica.published()
    made = set(await replica.keys.rotate_now(first))
    assert await replica.signer() in made
    assert len((announced - {first}) & await replica.published()) == 1, "the old ES256 key; no successor has signed"
    clock.ahead += timedelta(days=15)
    assert await replica.keys.rotate(), "what is over goes"
    await replica.keys.load()
    assert await replica.published() == made
    clock.ahead += timedelta(days=14, hours=1)
    assert await replica.keys.rotate(), "and the new keys have successors in their time"
    await replica.keys.load()
    assert len(await replica.published()) == 4


async def test_keys_that_open_no_more_are_replaced_at_the_next_start_and_verify_to_their_end(
    start: Start, database: Database
) -> None:
    """What `check_key` promises to somebody who lost `security.key`."""
    first = await start()
    lost = await first.signer()
    later = await start(Keyring([b"x" * 32]))
    assert await later.signer() != lost
    assert lost in await later.published()
    assert later.keys.closed() == []
    assert not await later.keys.rotate(), "a key that does not open stops nobody"
    await first.keys.load()
    assert len(first.keys.closed()) == 2
    first.issuer.forget("s")
    with pytest.raises(Unavailable, match="EdDSA does not open"):
        await first.signer()
    async with database.read() as connection:
        ends = (await connection.execute(select(table.c.published_until).where(table.c.kid == lost))).scalar_one()
    assert timedelta(minutes=10) < ends - now() < timedelta(minutes=20)


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        ("no key", "must be private keys in PEM"),
        (ECKey.generate_key("P-384").as_pem(private=True).decode(), "must be private keys in PEM"),
        (WEAK.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), "1024 bits"),
    ],
)
async def test_a_given_key_that_cannot_be_used_stops_the_start(tmp_path: Path, pem: str, words: str) -> None:
    with pytest.raises(KeyringError, match=words) as refused:
        async with portal_for(tmp_path, {"auth": {"issuer": {"keys": [pem]}}}, []):
            pass
    assert "BEGIN" not in str(refused.value)


async def test_given_keys_may_come_from_files(tmp_path: Path) -> None:
    pem = new_pem("EdDSA")
    (tmp_path / "key.pem").write_bytes(pem)
    settings = {"auth": {"issuer": {"keys": [{"file": str(tmp_path / "key.pem")}]}}}
    async with portal_for(tmp_path / "data", settings, []) as portal:
        (public,) = (await portal.anonymous.get("/.well-known/jwks.json")).json()["keys"]
        assert public["alg"] == "EdDSA"
        assert portal.app.portal.settings.auth.issuer.keys == (SecretStr(pem.decode().rstrip("\n")),)


async def test_the_document_has_a_tag_and_readiness_looks_at_the_keys(tmp_path: Path) -> None:
    async with portal_for(tmp_path, None, []) as portal:
        answer = await portal.anonymous.get("/.well-known/jwks.json")
        same = await portal.anonymous.get("/.well-known/jwks.json", headers={"if-none-match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["cache-control"] == answer.headers["cache-control"]
        keys = portal.app.portal.issuer.keys
        await keys.rotate_now()
        fresh = await portal.anonymous.get("/.well-known/jwks.json", headers={"if-none-match": answer.headers["etag"]})
        assert fresh.status_code == 200
        assert (await portal.anonymous.get("/api/ready")).status_code == 200
        keys._keys = tuple(replace(key, key=None) for key in keys._keys)
        closed = await portal.anonymous.get("/api/ready")
        assert closed.status_code == 503
        assert "do not open with security.key" in closed.json()["detail"]


async def test_the_command_lists_and_replaces_keys_of_a_running_portal(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "openlakes.yaml"
    settings = {"database": {"url": url}, "security": {"key": "11" * 32}, "server": {"data_dir": str(tmp_path)}}
    config.write_text(json.dumps(settings))
    async with portal_for(tmp_path / "data", settings, []) as portal:
        replica = Replica(portal.app.portal.issuer.keys)
        leaked = await replica.signer()

        async def command(*words: str) -> tuple[int, str, str]:
            status = await asyncio.to_thread(keys_command, [*words, "--config", str(config)])
            return (status, *capsys.readouterr())

        status, out, _ = await command("list")
        assert status == 0
        assert f"{leaked}  EdDSA  signs\n" in out
        for unknown in ("nosuch", "-nosuch", "--nosuch"):
            status, _, err = await command("rotate", "--drop", unknown)
            assert (status, err) == (1, f"openlakes keys: there is no key {unknown}\n")
        status, out, _ = await command("rotate", "--drop", leaked)
        assert status == 0
        assert leaked not in out
        assert "is published until" in out
        async with asyncio.timeout(1):
            while leaked in await replica.published():
                await asyncio.sleep(0.01)
        assert await replica.signer() in out
        (record,) = (await portal.app.portal.audit.read(AuditQuery(action="core.keys.rotated"))).items
        assert record.details["dropped"] == leaked


async def test_doctor_says_which_keys_do_not_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async def diagnosis(**issuer: Any) -> dict[str, str]:
        config = tmp_path / "openlakes.yaml"
        auth = {"mode": "demo", "issuer": issuer}
        config.write_text(json.dumps({"server": {"data_dir": str(tmp_path)}, "auth": auth}))
        capsys.readouterr()
        await asyncio.to_thread(doctor, ["--json", "--config", str(config)])
        said = {each["subject"]: each for each in json.loads(capsys.readouterr().out)}
        found: dict[str, str] = said["signing keys"]
        return found

    async with portal_for(tmp_path, None, []):
        pass
    assert (await diagnosis())["words"] == "2, all open"
    stranger = Keyring([bytes([7] * 32)]).seal("signing key", "x", b"y")
    database = Database(database_url(None, tmp_path))
    async with database.write() as connection:
        await connection.execute(update(table).where(table.c.algorithm == "ES256").values(private=stranger))
    await database.close()
    found = await diagnosis()
    assert found["state"] == "wrong"
    assert "ES256" in found["words"]
    assert "EdDSA" not in found["words"]
    assert (await diagnosis(keys=["no key"]))["state"] == "wrong"
    assert (await diagnosis(keys=[new_pem("EdDSA").decode()]))["state"] == "ok"


def _kid(token: str) -> str:
    kid: str = jws.extract_compact(token.encode()).headers()["kid"]
    return kid

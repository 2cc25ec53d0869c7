"""M80 for the portal's own tokens and for credentials that it holds: no clock makes them unusable for long, or last."""

import warnings
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from joserfc import jwt
from joserfc.jwk import KeySet
from pydantic import BaseModel, SecretStr

from machine_clock import MachineClock
from openlakes_portal._auth import issuer as issuer_module
from openlakes_portal._auth.issuer import Issuer
from openlakes_portal._auth.signing_keys import SigningKeys
from openlakes_portal._host import exchange as exchange_module
from openlakes_portal._host.context import PluginContext, Runtime
from openlakes_portal._settings.issuer import IssuerSettings
from openlakes_portal._store.database import Database
from openlakes_portal._store.keyring import Keyring
from openlakes_portal.spi import PortalToken, Principal, UpstreamCredential

ANALYST = Principal(subject="a", issuer="test", username="bi-analyst", name="A", session_id="s")
JUMPS = pytest.mark.parametrize("jump", [600, -600, -3600], ids="{:+d} s".format)
DAY = 86_400


class Monotonic:
    """The other clock of the process, which nobody sets; time passes by both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, machine: MachineClock) -> None:
        self.at = 1000.0
        self._machine = machine
        for module in (issuer_module, exchange_module):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.at, time=module.time.time))

    def passes(self, seconds: float) -> None:
        self.at += seconds
        self._machine.ahead += seconds


@pytest.fixture
def monotonic(monkeypatch: pytest.MonkeyPatch, machine: MachineClock) -> Monotonic:
    """The monotonic clock of what holds tokens."""
    return Monotonic(monkeypatch, machine)


def keys_of(database: Database, folder: Path) -> SigningKeys:
    return SigningKeys(database, Keyring([b"k" * 32]), IssuerSettings(), folder)


async def minted(issuer: Issuer) -> dict[str, Any]:
    """The claims of the token that is handed out now, verified by the published keys."""
    value = (await issuer.mint(ANALYST, PortalToken("db"))).value.get_secret_value()
    jwks: Any = await issuer.jwks()
    with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
        return dict(jwt.decode(value, KeySet.import_key_set(jwks), algorithms=["EdDSA"]).claims)


@JUMPS
async def test_keys_sign_on(database: Database, tmp_path: Path, machine: MachineClock, jump: int) -> None:
    """The first key was made a moment ago: with the clock an hour back it has not begun, and there is no other."""
    keys = keys_of(database, tmp_path)
    issuer = Issuer("http://portal.test", keys)
    await minted(issuer)
    signer = keys.signer("EdDSA").kid
    machine.ahead += jump
    await keys.rotate()
    await keys.load()
    issuer.forget("s")
    claims = await minted(issuer)
    assert keys.signer("EdDSA").kid == signer, "no rotation follows from it"
    assert abs(claims["exp"] - machine.now().timestamp()) < 700


@JUMPS
async def test_keys_sign_on_after_a_rotation(
    database: Database, tmp_path: Path, machine: MachineClock, jump: int
) -> None:
    """The old key is gone from the store, and the clock goes back to when it signed."""
    keys = keys_of(database, tmp_path)
    issuer = Issuer("http://portal.test", keys)
    await keys.load()
    old = keys.signer("EdDSA").kid
    machine.ahead += 29 * DAY + 3600
    assert await keys.rotate()
    await keys.load()
    begins = max(key.signs_from for key in keys._keys if key.algorithm == "EdDSA")
    machine.ahead += (begins - machine.now()).total_seconds() + 1000
    assert await keys.rotate(), "what the old key signed has ended"
    await keys.load()
    new = keys.signer("EdDSA").kid
    assert old not in {key["kid"] for key in keys.published()}
    machine.ahead += jump
    await keys.rotate()
    await keys.load()
    await minted(issuer)
    assert keys.signer("EdDSA").kid == new


@JUMPS
async def test_a_token_is_handed_out_again_for_half_a_minute_and_no_longer(
    database: Database, tmp_path: Path, machine: MachineClock, monotonic: Monotonic, jump: int
) -> None:
    """A token of before the clock was set is of no use to anybody: an upstream whose clock is right refuses it."""
    issuer = Issuer("http://portal.test", keys_of(database, tmp_path))
    first = await minted(issuer)
    monotonic.passes(20)
    assert await minted(issuer) == first, "control"
    machine.ahead += jump
    monotonic.passes(15)
    second = await minted(issuer)
    assert second != first
    assert abs(second["exp"] - machine.now().timestamp() - 300) < 5
    assert issuer.mints == 2


class NoSettings(BaseModel):
    """A plugin without any."""


class FiveMinutes:
    """An exchanger whose tokens last for five minutes."""

    audience = "own"

    def __init__(self, machine: MachineClock) -> None:
        self.asked = 0
        self._machine = machine

    async def exchange(self, principal: Principal, audience: str, purpose: str) -> UpstreamCredential:
        self.asked += 1
        ends = self._machine.now() + timedelta(minutes=5)
        return UpstreamCredential("bearer", SecretStr(f"own-{self.asked}"), audience, principal.username, ends)


@JUMPS
async def test_a_credential_is_held_for_its_lifetime_and_no_longer(
    tmp_path: Path, machine: MachineClock, monotonic: Monotonic, jump: int
) -> None:
    exchanger = FiveMinutes(machine)
    context = PluginContext("acme", NoSettings(), Runtime(tmp_path, "http://portal.test"), structlog.get_logger(), 1)
    context.exchange.exchangers = {"own": exchanger}
    for _ in range(2):
        await context.credential(ANALYST, "own")
    assert exchanger.asked == 1, "control: it is held"
    machine.ahead += jump
    monotonic.passes(280)
    await context.credential(ANALYST, "own")
    assert exchanger.asked == 2, "nobody is sent on with a token that has ended"

"""`openlakes doctor` and the start: what is wrong with the provider or the key, in words and with what to do."""

import asyncio
import json
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._auth.oidc.errors import ProviderMisconfigured
from openlakes_portal._auth.oidc.examine import Finding, examine
from openlakes_portal._cli.doctor import main
from openlakes_portal._settings.model import OidcSettings
from openlakes_portal._store.database import Database
from openlakes_portal._store.key_check import check_key
from openlakes_portal._store.keyring import Keyring, KeyringError
from openlakes_portal.testing.identity_provider import FakeIdentityProvider
from real_servers.certificate import self_signed

from .contract import Provider
from .portal import HOME, oidc_settings, portal_with

pytestmark = pytest.mark.slow


async def found(provider: Provider, public_url: str = HOME, **changes: Any) -> dict[str, Finding]:
    settings = OidcSettings.model_validate({**oidc_settings(provider)["auth"]["oidc"], **changes})
    return {finding.subject: finding async for finding in examine(settings, public_url)}


async def test_all_is_well(provider: Provider) -> None:
    findings = await found(provider)
    assert list(findings) == ["identity provider", "clock", "provider's keys", "client and secret", "redirect URI"]
    assert [f.words for f in findings.values() if not f.good] == []


async def test_a_wrong_secret(provider: Provider) -> None:
    findings = await found(provider, client_secret="wrong")
    assert not findings["client and secret"].good
    assert "client_secret" in findings["client and secret"].remedy


async def test_an_unknown_client(provider: Provider) -> None:
    assert not (await found(provider, client_id="nobody"))["client and secret"].good


async def test_a_redirect_uri_that_is_not_registered(provider: Provider) -> None:
    if isinstance(provider, FakeIdentityProvider):
        provider.redirect_uris = ("http://localhost:8600/auth/callback",)
    finding = (await found(provider, "https://another.example"))["redirect URI"]
    assert not finding.good
    assert "https://another.example/auth/callback" in finding.remedy


async def test_a_wrong_issuer(provider: Provider) -> None:
    for wrong in (provider.issuer + "/", provider.issuer + "/x"):
        (finding,) = (await found(provider, issuer=wrong)).values()
        assert not finding.good, wrong
        assert finding.remedy, wrong


async def test_nobody_there(fake_provider: FakeIdentityProvider) -> None:
    fake_provider.stop()
    (finding,) = (await found(fake_provider)).values()
    assert not finding.good
    assert "cannot be reached" in finding.words


@pytest.mark.parametrize("seconds", [-900, 900])
async def test_a_wrong_clock(fake_provider: FakeIdentityProvider, seconds: int) -> None:
    fake_provider.clock = lambda: time.time() + seconds
    finding = (await found(fake_provider))["clock"]
    assert not finding.good
    assert "NTP" in finding.remedy


async def test_keys_that_cannot_be_used(fake_provider: FakeIdentityProvider) -> None:
    fake_provider.keys.clear()
    assert not (await found(fake_provider))["provider's keys"].good


async def test_a_scope_that_is_not_allowed(fake_provider: FakeIdentityProvider) -> None:
    callback = f"{HOME}/auth/callback?error=invalid_scope"
    fake_provider.on("authorize").redirects(callback)
    finding = (await found(fake_provider))["redirect URI"]
    assert not finding.good
    assert "auth.oidc.scopes" in finding.remedy


@pytest.fixture
def secure_provider(tmp_path: Path) -> Iterator[FakeIdentityProvider]:
    _, pem = self_signed(tmp_path, "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with FakeIdentityProvider(tls=context) as provider:
        yield provider


async def test_a_certificate_that_is_not_trusted(secure_provider: FakeIdentityProvider, tmp_path: Path) -> None:
    """Case B19: refuses to start; `ca_file` makes it trusted, and the whole sign-in runs over TLS."""
    (finding,) = (await found(secure_provider)).values()
    assert "certificate" in finding.words
    assert "ca_file" in finding.remedy
    with pytest.raises(ProviderMisconfigured, match="certificate"):
        async with portal_with(secure_provider, tmp_path / "refused"):
            pass
    trusted = {"auth": {"oidc": {"ca_file": str(tmp_path / "server.crt")}}}
    async with portal_with(secure_provider, tmp_path / "trusted", trusted) as portal, portal.visitor() as alice:
        callback = await secure_provider.sign_in(await alice.begin(), "alice")
        assert (await alice.come_back(callback)).status_code == 303
        assert (await alice.session())["username"] == "alice"


async def test_a_portal_does_not_start_with_another_issuer(fake_provider: FakeIdentityProvider, tmp_path: Path) -> None:
    fake_provider.change_answer("discovery", lambda answer: {**answer, "issuer": "https://evil.example"})
    with pytest.raises(ProviderMisconfigured, match=r"evil\.example"):
        async with portal_with(fake_provider, tmp_path):
            pass


@pytest.mark.parametrize(
    "change",
    [
        {"token_endpoint": "http://idp.example/token"},
        {"jwks_uri": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"userinfo_endpoint": "https://user:pw@idp.example/"},
        {"code_challenge_methods_supported": ["plain"]},
    ],
)
async def test_discovery_that_lies_stops_the_start(
    fake_provider: FakeIdentityProvider, tmp_path: Path, change: dict[str, Any]
) -> None:
    fake_provider.change_answer("discovery", lambda answer: {**answer, **change})
    with pytest.raises(ProviderMisconfigured):
        async with portal_with(fake_provider, tmp_path):
            pass


async def test_a_portal_starts_while_its_provider_is_away(fake_provider: FakeIdentityProvider, tmp_path: Path) -> None:
    fake_provider.stop()
    async with portal_with(fake_provider, tmp_path) as portal, portal.visitor() as alice:
        assert (await alice.client.get("/auth/login")).status_code == 503
        fake_provider.start()
        async with asyncio.timeout(30):
            while (await alice.client.get("/auth/login")).status_code == 503:
                await asyncio.sleep(0.1)
        assert (await alice.sign_in("alice"))["username"] == "alice"


async def test_the_key_of_a_database(database: Database) -> None:
    old, new = bytes(32), bytes([1] * 32)
    await check_key(database, Keyring([old]))
    await check_key(database, Keyring([old]))
    with pytest.raises(KeyringError, match="previous_keys"):
        await check_key(database, Keyring([new]))
    await check_key(database, Keyring([new, old]))
    await check_key(database, Keyring([new]))
    with pytest.raises(KeyringError):
        await check_key(database, Keyring([old]))


def test_the_command_says_all_of_it(
    fake_provider: FakeIdentityProvider, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings.json"

    def subjects() -> dict[str, dict[str, str]]:
        return {d["subject"]: d for d in json.loads(capsys.readouterr().out)}

    settings: dict[str, Any] = {
        **oidc_settings(fake_provider),
        "server": {"public_url": HOME, "data_dir": str(tmp_path / "data")},
    }
    file.write_text(json.dumps(settings))
    main(["--config", str(file), "--json"])
    told = subjects()
    assert told["client and secret"]["state"] == told["redirect URI"]["state"] == "ok"
    assert fake_provider.client_secret not in repr(told)
    rule = {"audience": HOME, "subject": "job", "service_account": "ci", "single_use": True}
    here = {**rule, "name": "here", "issuer": fake_provider.issuer}
    away = {**rule, "name": "away", "issuer": "http://127.0.0.1:9"}
    settings["auth"]["token_exchange"] = {"rules": [here, away]}
    file.write_text(json.dumps(settings))
    assert main(["--config", str(file), "--json"]) == 1
    told = subjects()
    assert told[f"token issuer {fake_provider.issuer} (here)"]["state"] == "ok"
    assert told["token issuer http://127.0.0.1:9 (away)"]["state"] == "wrong"
    settings["auth"]["token_exchange"] = {"rules": [here]}
    settings["auth"]["oidc"]["client_secret"] = "wrong"
    file.write_text(json.dumps(settings))
    assert main(["--config", str(file), "--json"]) == 1
    assert subjects()["client and secret"]["state"] == "wrong"

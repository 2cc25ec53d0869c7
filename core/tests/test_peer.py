"""Whose request it is: the peer's, or whom a trusted proxy names; never whom the client names."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openlakes_portal._http.peer import TrustedProxies
from openlakes_portal._settings.errors import SettingsError
from openlakes_portal._settings.load import load
from openlakes_portal.testing import portal_for

PROXIES = TrustedProxies(("10.0.0.0/8", "fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", [b"198.51.100.1"], "192.0.2.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("::ffff:10.0.0.1", [b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"127.0.0.1", b"198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [b"198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", [b"6.6.6.6, 198.51.100.1, 10.3.0.2, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", [b"198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", [b"[2001:db8::1]:4711"], "2001:db8::1"),
        ("10.0.0.1", [b"2001:db8::1"], "2001:db8::1"),
        ("10.0.0.1", [b"unknown"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b""], "10.0.0.1"),
        ("10.0.0.1", [b"10.0.0.5, 10.0.0.6"], "10.0.0.5"),
    ],
)
def test_it_is_read_from_the_right_as_far_as_somebody_trusted_vouches(
    peer: str, forwarded: list[bytes], client: str
) -> None:
    assert PROXIES.client(peer, forwarded) == client


@given(st.binary(max_size=80))
def test_whatever_a_client_claims_what_the_proxy_adds_counts(claimed: bytes) -> None:
    assert PROXIES.client("10.0.0.1", [claimed + b", 198.51.100.7"]) == "198.51.100.7"
    assert TrustedProxies(()).client("10.0.0.1", [claimed]) == "10.0.0.1"


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "ingress.example", "10.0.0.0/40"])
def test_everybody_cannot_be_trusted(network: str) -> None:
    with pytest.raises(SettingsError):
        load(environ={}, overlay={"auth": {"mode": "demo"}, "server": {"trusted_proxies": [network]}})


@pytest.mark.parametrize("trusted", [False, True])
async def test_people_behind_a_trusted_ingress_have_limits_and_addresses_of_their_own(
    tmp_path: Path, trusted: bool
) -> None:
    settings = {
        "server": {"trusted_proxies": ["127.0.0.1"] if trusted else []},
        "limits": {"sign_in": 3},
    }
    async with portal_for(tmp_path, settings, []) as portal:

        async def sign_in(address: str) -> int:
            headers = {"x-forwarded-for": address}
            body = {"persona": "viewer"}
            return (await portal.anonymous.post("/auth/demo", json=body, headers=headers)).status_code

        first = [await sign_in("198.51.100.1") for _ in range(4)]
        assert first == [200, 200, 200, 429]
        assert await sign_in("198.51.100.2") == (200 if trusted else 429)
        assert await sign_in("198.51.100.1") == 429, "and a limit does not go away"
        admin = portal.signed_in("platform-admin") if trusted else None
        if admin is not None:
            headers = {"x-forwarded-for": "203.0.113.5"}
            started = (await admin.get("/api/audit?action=core.session.started", headers=headers)).json()["items"]
            assert {"198.51.100.1", "198.51.100.2"} <= {record["address"] for record in started}

"""`/api/gateway/authorize`: the gateway's decision for an ingress that carries the bytes itself."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from bootstrap.paths import ROOT
from openlakes_portal._settings.errors import SettingsError
from openlakes_portal._settings.load import load

from .real import PORTAL_HOST, PUBLIC, SESSION, Answer, RealHouse, Seat, everything, real_house

pytestmark = pytest.mark.slow
INTERNAL = "127.0.0.1:8600"
PAGE = ROOT / "docs" / "operators" / "gateway.md"
PATH = "/api/gateway/authorize"
SETTINGS: dict[str, Any] = {
    "server": {"allowed_hosts": [INTERNAL]},
    "gateway": {"forward_auth": True, "trusted_addresses": ["127.0.0.0/8"]},
}


def with_gateway(**gateway: Any) -> dict[str, Any]:
    return {**SETTINGS, "gateway": {**SETTINGS["gateway"], **gateway}}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    with real_house(tmp_path_factory.mktemp("ingress"), 8, SETTINGS) as running:
        yield running


async def ask(
    seat: Seat,
    method: str = "GET",
    uri: str = "/",
    *more: str,
    family: str = "Forwarded",
    host: str | None = None,
    asked: str = INTERNAL,
    cookies: str | None = None,
) -> Answer:
    """As an ingress asks: the browser's headers, and what the request is in headers of its own."""
    jar = "; ".join(f"{k}={v}" for k, v in seat.cookies.items()) if cookies is None else cookies
    said = [f"X-{family}-Method: {method}", f"X-{family}-Host: {host or seat.host}", f"X-{family}-Uri: {uri}"]
    lines = [f"GET {PATH} HTTP/1.1", f"Host: {asked}", f"Cookie: {jar}", "Connection: close", *said, *more]
    reader, writer = await seat.connect()
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    async with asyncio.timeout(10):
        answer = Answer(await everything(reader))
    writer.close()
    return answer


@pytest.mark.parametrize("family", ["Forwarded", "Original"])
async def test_who_may_gets_the_apps_headers_and_none_of_the_portals_cookies(house: RealHouse, family: str) -> None:
    seat = house.seat_of()
    jar = "; ".join([*(f"{k}={v}" for k, v in seat.cookies.items()), "theirs=1", "__Host-openlakes_x=2"])
    answer = await ask(seat, "GET", "/a%20b?c=d", "X-Remote-User: admin", family=family, cookies=jar)
    assert answer.status == 200, answer.raw
    assert answer.all("x-remote-user") == ["data-engineer"]
    assert answer.all("cookie") == ["theirs=1"]
    assert answer.all("cache-control") == ["no-store"]
    assert answer.all("set-cookie") == []
    assert answer.body == b""


async def test_the_decision_is_the_gateways(house: RealHouse) -> None:
    seat, other = house.seat_of(), house.seat_of("viewer")
    page = ("Accept: text/html", "Sec-Fetch-Mode: navigate")
    nobody = await ask(seat, "GET", "/x?y=1", *page, cookies="")
    assert nobody.status == 303
    location = urlsplit(nobody.all("location")[0])
    assert f"{location.scheme}://{location.netloc}{location.path}" == f"{PUBLIC}/auth/app"
    assert location.query.endswith("&next=%2Fx%3Fy%3D1")
    assert nobody.all("set-cookie")[0].startswith("__Host-openlakes_enter=")
    assert (await ask(seat, "GET", "/", "Accept: application/json", cookies="")).status == 401
    assert (await ask(seat, "POST", "/", *page, cookies="")).status == 401
    assert (await ask(seat, "GET", "/", *page, cookies="", family="Original")).status == 401, "nginx knows no redirect"
    assert (await ask(other)).all("x-remote-user") == ["viewer"]
    assert (await ask(seat, host=other.host)).status == 401, "another app's cookie"
    assert (await ask(seat, cookies=f"{SESSION}={seat.person.cookie}")).status == 401, "the portal's cookie"


async def test_a_hand_over_that_began_at_the_ingress_ends_at_the_portal(house: RealHouse) -> None:
    seat = house.seat_of()
    nobody = await ask(seat, "GET", "/x", "Accept: text/html", cookies="")
    start = nobody.all("set-cookie")[0].split(";")[0]
    there = urlsplit(nobody.all("location")[0])
    with seat.person.at(house.replica) as client:
        back = urlsplit(client.get(f"{there.path}?{there.query}").headers["location"])
    with house.replica.client() as client:
        entered = client.get(f"{back.path}?{back.query}", headers={"host": back.netloc, "cookie": start})
    assert (entered.status_code, entered.headers["location"]) == (303, "/x")
    cookie = entered.headers.get_list("set-cookie")[0].split(";")[0]
    assert (await ask(seat, cookies=cookie)).status == 200


async def test_who_may_not_is_403_and_on_record(house: RealHouse) -> None:
    seat = house.seat_of()
    with house.person("platform-admin").at(house.replica) as admin:
        role = {"role": f"core:app-{seat.app_id}:open", "subject": "bi-analyst", "reason": "test"}
        binding = admin.post("/api/role-bindings", json=role).json()["binding"]
        analyst = house.seat(seat.app_id, house.person("bi-analyst"))
        assert (await ask(analyst)).status == 200
        removed = admin.delete(f"/api/role-bindings/{binding['id']}", headers={"if-match": str(binding["version"])})
        assert removed.status_code == 200
        for family in ("Forwarded", "Original"):
            answer = await ask(analyst, family=family)
            assert (answer.status, answer.all("x-remote-user")) == (403, [])
        page = await ask(analyst, "GET", "/", "Accept: text/html")
        assert (page.status, page.all("content-type")) == (403, ["text/html; charset=utf-8"])
        found = admin.get("/api/audit", params={"actor": "bi-analyst"}).json()["items"]
    assert [r["result"] for r in found if r["action"] == "core.access.denied"] == [f"core:app-{seat.app_id}:open"] * 3


@pytest.mark.parametrize("family", ["Forwarded", "Original"])
async def test_mutations_and_websockets_come_from_the_apps_own_page(house: RealHouse, family: str) -> None:
    seat = house.seat_of()
    own, foreign = f"Origin: http://{seat.host}", "Origin: http://evil.example"
    opening = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
    for status, method, more in (
        (200, "POST", (own,)),
        (200, "POST", ()),
        (403, "POST", (foreign,)),
        (403, "DELETE", (own, "Sec-Fetch-Site: same-site")),
        (403, "POST", (f"Origin: {PUBLIC}",)),
        (200, "GET", (own, *opening)),
        (403, "GET", opening),
        (403, "GET", (foreign, *opening)),
        (403, "GET", ("Upgrade: websocket",)),
    ):
        answer = await ask(seat, method, "/x", *more, family=family)
        assert answer.status == status, (method, more)
    with house.person("platform-admin").at(house.replica) as admin:
        found = admin.get("/api/audit", params={"action": "core.app.request"}).json()["items"]
    let_through = [r["object"] for r in found if r["result"] == "let through to the app"]
    assert let_through == [f"POST {seat.app_id}"] * len(let_through)
    assert len(let_through) >= 2


@pytest.mark.parametrize(
    "uri",
    [
        "/a/../b",
        "/a/%2e%2e/b",
        "//b",
        "/a%2fb",
        "/a%00",
        "/%zz",
        "/.openlakes/enter?code=x",
        "x",
        "http://x/",
        "/a#b",
        "",
    ],
)
async def test_a_target_that_two_could_read_differently_passes_nowhere(house: RealHouse, uri: str) -> None:
    seat = house.seat_of()
    for family in ("Forwarded", "Original"):
        answer = await ask(seat, "GET", uri, family=family)
        assert answer.status in ((403,) if family == "Original" else (400, 403)), answer.raw
        assert answer.all("x-remote-user") == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "get", ""])
async def test_a_method_beyond_the_usual_ones_passes_nowhere(house: RealHouse, method: str) -> None:
    for family in ("Forwarded", "Original"):
        assert (await ask(house.seat_of(), method, family=family)).status in (403, 405)


async def test_what_a_client_adds_to_what_the_ingress_says_makes_it_no_request(house: RealHouse) -> None:
    """A client of nginx can send what Traefik would set, and the other way round."""
    seat, other = house.seat_of(), house.seat_of("viewer")
    for family, added in (
        ("Original", "X-Forwarded-Uri: /public"),
        ("Original", "X-Forwarded-Method: GET"),
        ("Original", "X-Original-URL: /public"),
        ("Original", "X-Original-Uri: /public"),
        ("Original", f"X-Original-Host: {other.host}"),
        ("Forwarded", "X-Original-Uri: /public"),
        ("Forwarded", "X-Original-Method: GET"),
        ("Forwarded", "X-Original-URL: /public"),
        ("Forwarded", f"X-Original-Host: {other.host}"),
        ("Forwarded", "X-Forwarded-Method: POST"),
        ("Forwarded", f"X-Forwarded-Host: {other.host}"),
    ):
        answer = await ask(seat, "GET", "/", added, family=family)
        assert (answer.status, answer.all("x-remote-user")) == (403, []), (family, added)
    for family in ("Original", "Forwarded"):
        for left_out in ("Method", "Host", "Uri"):
            reader, writer = await seat.connect()
            said = {"Method": "GET", "Host": seat.host, "Uri": "/"}
            lines = [f"X-{family}-{name}: {value}" for name, value in said.items() if name != left_out]
            cookie = "; ".join(f"{k}={v}" for k, v in seat.cookies.items())
            head = [f"GET {PATH} HTTP/1.1", f"Host: {INTERNAL}", f"Cookie: {cookie}", "Connection: close", *lines]
            writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
            assert Answer(await everything(reader)).status == 403, (family, left_out)
            writer.close()


async def test_a_host_that_is_no_apps_passes_nowhere(house: RealHouse) -> None:
    seat = house.seat_of()
    for host in (PORTAL_HOST, "evil.example", INTERNAL, f"app-99.{PORTAL_HOST}", f"{seat.host}, {seat.host}"):
        assert (await ask(seat, host=host)).status == 403, host
    assert (await ask(seat, host=seat.host.upper())).status == 200, "hosts have no case"


async def test_at_the_names_that_browsers_use_there_is_nothing(house: RealHouse) -> None:
    """A page's script could ask through the ingress, whose address is trusted, and read what only the app may know."""
    seat = house.seat_of()
    assert (await ask(seat, asked=PORTAL_HOST)).status == 404
    at_app = await ask(seat, asked=seat.host)
    assert at_app.status in (404, 503), "it is the app's own address there, and the app is away"
    assert at_app.all("x-remote-user") == []
    assert (await ask(seat, asked="other.internal")).status == 421


@pytest.mark.parametrize(
    ("asking", "said", "origin", "status"),
    [
        ("POST", "GET", "http://evil.example", 200),
        ("GET", "POST", "http://evil.example", 403),
        ("DELETE", "DELETE", "http://evil.example", 403),
        ("TRACE", "GET", "", 405),
    ],
)
async def test_what_counts_is_the_method_that_is_said_and_not_the_one_that_asks(
    house: RealHouse, asking: str, said: str, origin: str, status: int
) -> None:
    """Envoy asks with the browser's own."""
    seat = house.seat_of()
    reader, writer = await seat.connect()
    cookies = "; ".join(f"{name}={value}" for name, value in seat.cookies.items())
    head = f"{asking} {PATH} HTTP/1.1\r\nHost: {INTERNAL}\r\nConnection: close\r\nContent-Length: 0\r\n"
    head += f"X-Forwarded-Method: {said}\r\nX-Forwarded-Host: {seat.host}\r\nX-Forwarded-Uri: /\r\n"
    writer.write(f"{head}Origin: {origin}\r\nCookie: {cookies}\r\n\r\n".encode())
    assert Answer(await everything(reader)).status == status
    writer.close()


@pytest.mark.parametrize(
    ("gateway", "status"),
    [({"forward_auth": False}, 404), ({"trusted_addresses": ["192.0.2.1"]}, 403), ({"trusted_addresses": []}, 403)],
)
async def test_it_is_off_unless_it_is_on_for_this_address(tmp_path: Path, gateway: dict[str, Any], status: int) -> None:
    with real_house(tmp_path, 1, with_gateway(**gateway)) as house:
        answer = await ask(house.seat_of(), "GET", "/", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1")
        assert (answer.status, answer.all("x-remote-user")) == (status, [])


async def test_in_path_mode_the_portals_own_sign_in_counts(tmp_path: Path) -> None:
    with real_house(tmp_path, 2, with_gateway(mode="path")) as house:
        person = house.person("data-engineer")
        seat = Seat(house.replica, PORTAL_HOST, {SESSION: person.cookie, "theirs": "1"}, person, "app-1")
        answer = await ask(seat, "GET", "/apps/app-1/x")
        assert (answer.status, answer.all("x-remote-user"), answer.all("cookie")) == (
            200,
            ["data-engineer"],
            ["theirs=1"],
        )
        for uri in ("/", "/api/session", "/apps/app-9/"):
            assert (await ask(seat, "GET", uri)).status == 403
        nobody = await ask(seat, "GET", "/apps/app-1/x", "Accept: text/html", cookies="")
        assert (nobody.status, nobody.all("location")) == (303, [f"{PUBLIC}/auth/login?next=%2Fapps%2Fapp-1%2Fx"])


@pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0", "ingress", "10.0.0.0/33"])
def test_everybody_is_not_trusted(address: str) -> None:
    with pytest.raises(SettingsError):
        load(overlay={"gateway": {"forward_auth": True, "trusted_addresses": [address]}})


def test_the_settings_on_the_operators_page_are_settings() -> None:
    blocks = re.findall(r"```yaml settings\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    for text in blocks:
        overlay = {"auth": {"mode": "oidc"}, **yaml.safe_load(text)}
        assert load(overlay=overlay).settings.gateway is not None

"""Forward-auth behind real nginx, Traefik, Caddy and Envoy, with the configuration that the operators' page shows.

The page's blocks are used as they are, with addresses put in: what is printed there is what was tried.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest
from websockets.asyncio.server import serve

from real_servers import child
from real_servers.ingress import KINDS, Ingress, NotAvailable, running

from .ingress_page import block
from .real import SESSION, Answer, RealHouse, Seat, everything, real_house
from .test_websockets import Echo, chosen, opened, refused
from .upstream import RawApp, raw_app

pytestmark = [pytest.mark.server, pytest.mark.slow]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    settings = {"gateway": {"forward_auth": True, "trusted_addresses": ["127.0.0.1"]}}
    with real_house(tmp_path_factory.mktemp("ingresses"), 4, settings) as running:
        yield running


@pytest.fixture(scope="module", params=KINDS)
def ingress(
    request: pytest.FixtureRequest, house: RealHouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ingress]:
    folder, listen, host = tmp_path_factory.mktemp(request.param), child.free_port(), house.seat_of().host
    text = block(request.param, house.replica.port, house.target_port, host, listen)
    try:
        with running(request.param, folder, text, listen, host) as started:
            yield started
    except NotAvailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
async def app(house: RealHouse) -> AsyncIterator[RawApp]:
    async with raw_app(house.target_port) as running:
        yield running


async def ask(ingress: Ingress, seat: Seat, method: str, target: str, *more: str, cookies: str | None = None) -> Answer:
    """A browser's request at the ingress."""
    jar = cookies if cookies is not None else "; ".join(f"{k}={v}" for k, v in seat.cookies.items())
    reader, writer = await asyncio.open_connection("127.0.0.1", ingress.port)
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {seat.host}",
        "Connection: close",
        *([f"Cookie: {jar}"] if jar else []),
    ]
    writer.write(("\r\n".join([*lines, *more]) + "\r\n\r\n").encode())
    async with asyncio.timeout(15):
        answer = Answer(await everything(reader))
    writer.close()
    return answer


async def test_the_app_is_asked_as_who_is_signed_in_and_by_nobody_else(
    ingress: Ingress, house: RealHouse, app: RawApp
) -> None:
    seat = house.seat_of()
    jar = "; ".join([*(f"{k}={v}" for k, v in seat.cookies.items()), "theirs=1"])
    answer = await ask(ingress, seat, "GET", "/a%20b?c=d", "X-Remote-User: admin", cookies=jar)
    assert (answer.status, answer.body) == (200, b"ok"), ingress.process.tail()
    assert app.last.target == b"/a%20b?c=d"
    assert app.last.all("x-remote-user") == [b"data-engineer"]
    assert app.last.all("cookie") == [b"theirs=1"], "the portal's cookies stay with the portal"
    seen = len(app.received)
    for cookies in ("", f"{SESSION}={seat.person.cookie}"):
        nobody = await ask(
            ingress, seat, "GET", "/x", "Accept: application/json", "X-Remote-User: admin", cookies=cookies
        )
        assert nobody.status == 401
    forged = ["X-Original-Uri: /", "X-Original-Method: GET", f"X-Original-Host: {seat.host}"]
    forged += ["X-Forwarded-Uri: /", "X-Forwarded-Method: GET", f"X-Forwarded-Host: {seat.host}"]
    assert (await ask(ingress, seat, "GET", "/x", *forged, cookies="")).status in (401, 403)
    assert len(app.received) == seen


async def test_a_person_is_sent_to_the_portal_and_comes_back(ingress: Ingress, house: RealHouse, app: RawApp) -> None:
    from urllib.parse import urlsplit

    seat = house.seat_of()
    first = await ask(ingress, seat, "GET", "/x?y=1", "Accept: text/html", "Sec-Fetch-Mode: navigate", cookies="")
    assert first.status == 303, first.raw[:500]
    start_cookie = first.all("set-cookie")[0].split(";")[0]
    there = urlsplit(first.all("location")[0])
    with seat.person.at(house.replica) as client:
        back = urlsplit(client.get(f"{there.path}?{there.query}").headers["location"])
    entered = await ask(ingress, seat, "GET", f"{back.path}?{back.query}", cookies=start_cookie)
    assert (entered.status, entered.all("location")) == (303, ["/x?y=1"]), entered.raw[:500]
    cookie = entered.all("set-cookie")[0].split(";")[0]
    assert (await ask(ingress, seat, "GET", "/x?y=1", cookies=cookie)).body == b"ok"


async def test_a_forged_mutation_does_not_pass(ingress: Ingress, house: RealHouse, app: RawApp) -> None:
    seat = house.seat_of()
    for origin, status in ((f"http://{seat.host}", 200), ("http://evil.example", 403)):
        answer = await ask(ingress, seat, "POST", "/x", f"Origin: {origin}", "Content-Length: 0")
        assert answer.status == status, answer.raw[:500]
    assert len(app.received) == 1


async def test_a_websocket_of_the_apps_own_page_passes(ingress: Ingress, house: RealHouse) -> None:
    seat = house.seat_of()
    there = replace(seat, replica=ingress)  # type: ignore[arg-type]  # a port is all that is needed of it
    echo = Echo()
    async with serve(echo.handle, "127.0.0.1", house.target_port, select_subprotocol=chosen):
        async with opened(there) as connection:
            await connection.send("hello")
            assert await connection.recv() == "hello"
        assert echo.requests[0].headers.get_all("X-Remote-User") == ["data-engineer"]
        assert await refused(there, origin="http://evil.example") == 403
        assert await refused(there, cookies={}) == 401
        assert len(echo.requests) == 1


async def test_the_ingress_tells_nobody_what_only_the_app_may_know(
    ingress: Ingress, house: RealHouse, app: RawApp
) -> None:
    seat = house.seat_of()
    said = ["X-Original-Uri: /", "X-Original-Method: GET", f"X-Original-Host: {seat.host}"]
    for more in (said, [line.replace("Original", "Forwarded") for line in said], []):
        answer = await ask(ingress, seat, "GET", "/api/gateway/authorize", *more)
        assert answer.all("x-remote-user") == []
        assert answer.body == b"ok" or answer.status in (401, 403), "the app's own address, or nothing"

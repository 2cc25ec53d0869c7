"""Path mode through the real process: apps below /apps/<id>/ at the portal's own host."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import pytest
from websockets.asyncio.server import serve

from .real import PORTAL_HOST, PUBLIC, SESSION, RealHouse, Seat, real_house
from .test_websockets import Echo, opened, refused
from .upstream import RawApp, Received, raw_app

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    with real_house(tmp_path_factory.mktemp("paths"), 12, {"gateway": {"mode": "path"}}) as running:
        yield running


@pytest.fixture
async def app(house: RealHouse) -> AsyncIterator[RawApp]:
    async with raw_app(house.target_port) as running:
        yield running


def seat(house: RealHouse, persona: str = "data-engineer", app_id: str = "app-1", **more: str) -> Seat:
    """Somebody at the portal: their one cookie there is the portal's."""
    person = house.person(persona)
    return Seat(house.replica, PORTAL_HOST, {SESSION: person.cookie, **more}, person, app_id)


async def test_the_app_gets_its_path_as_it_was_sent_and_who_it_is_and_no_cookie_of_the_portal(
    house: RealHouse, app: RawApp
) -> None:
    names = {"theirs": "1", "__Host-openlakes_app": "x", "OPENLAKES_x": "y", "__host-OpenLakes_session": "z"}
    answer = await seat(house, **names).ask(
        "GET", "/apps/app-1/a%20b?c=%2F&d", "X-Remote-User: admin", "X-Forwarded-Prefix: /x"
    )
    assert (answer.status, answer.body) == (200, b"ok")
    got = app.last
    assert got.target == b"/apps/app-1/a%20b?c=%2F&d"
    assert got.all("x-remote-user") == [b"data-engineer"]
    assert got.all("x-forwarded-prefix") == [b"/apps/app-1"]
    assert got.all("x-forwarded-host") == got.all("host") == [PORTAL_HOST.encode()]
    assert got.all("cookie") == [b"theirs=1"]
    assert house.person("data-engineer").cookie.encode() not in got.head


@pytest.mark.parametrize(
    ("set_cookie", "passed"),
    [
        ("a=b", "a=b; Path=/apps/app-1"),
        ("a=b; Path=/", "a=b; Path=/apps/app-1"),
        ("a=b; Path=/; Path=/apps/app-2", "a=b; Path=/apps/app-1"),
        ("a=b; Path=/apps/app-1/x; HttpOnly", "a=b; HttpOnly; Path=/apps/app-1/x"),
        ("a=b; Path=/apps/app-10", "a=b; Path=/apps/app-1"),
        ("a=b; Domain=openlakes.localhost; Path=/", "a=b; Path=/apps/app-1"),
        ("__Host-a=b; Path=/; Secure", None),
        ("__Host-openlakes_session=evil; Path=/; Secure", None),
        ("openlakes_x=evil", None),
    ],
)
async def test_an_apps_cookies_stay_below_its_path(
    house: RealHouse, app: RawApp, set_cookie: str, passed: str | None
) -> None:
    app.answer = f"HTTP/1.1 200 OK\r\nSet-Cookie: {set_cookie}\r\nContent-Length: 0\r\n\r\n".encode()
    answer = await seat(house).ask("GET", "/apps/app-1/")
    assert answer.status == 200
    assert answer.all("set-cookie") == ([passed] if passed else [])


@pytest.mark.parametrize(
    ("location", "passed"),
    [
        ("/apps/app-1/x?y#z", "/apps/app-1/x?y#z"),
        ("/apps/app-1", "/apps/app-1"),
        ("x", "x"),
        ("?page=2", "?page=2"),
        ("{target}/apps/app-1/x", "{portal}/apps/app-1/x"),
        ("{portal}/apps/app-1/x", "{portal}/apps/app-1/x"),
        ("{portal}/", "{portal}/"),
        ("/login", None),
        ("/", None),
        ("/apps/app-2/", None),
        ("/apps/app-10", None),
        ("{target}/login", None),
        ("//evil.example/", None),
        ("https://evil.example/apps/app-1/", None),
        ("javascript:alert(1)", None),
    ],
)
async def test_where_an_app_may_lead(house: RealHouse, app: RawApp, location: str, passed: str | None) -> None:
    names = {"target": f"http://127.0.0.1:{app.port}", "portal": PUBLIC}
    sent = location.format(**names)
    app.answer = f"HTTP/1.1 302 Found\r\nLocation: {sent}\r\nContent-Length: 0\r\n\r\n".encode()
    answer = await seat(house).ask("GET", "/apps/app-1/")
    assert answer.status == (302 if passed else 502)
    assert answer.all("location") == ([passed.format(**names)] if passed else [])


async def test_a_service_worker_may_not_reach_beyond_the_apps_path(house: RealHouse, app: RawApp) -> None:
    app.answer = b"HTTP/1.1 200 OK\r\nService-Worker-Allowed: /\r\nContent-Length: 0\r\n\r\n"
    assert (await seat(house).ask("GET", "/apps/app-1/sw.js")).all("service-worker-allowed") == []


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_back_and_a_script_is_told(
    house: RealHouse, app: RawApp
) -> None:
    nobody = Seat(house.replica, PORTAL_HOST, {}, house.person("viewer"), "app-1")
    answer = await nobody.ask("GET", "/apps/app-1/x?y=1", "Accept: text/html", "Sec-Fetch-Mode: navigate")
    assert answer.status == 303
    where = f"http://{PORTAL_HOST}/auth/login?next=" + quote("/apps/app-1/x?y=1", safe="")
    assert answer.all("location") == [where]
    for more in (["Accept: */*"], ["Accept: text/html", "Sec-Fetch-Mode: cors"]):
        assert (await nobody.ask("GET", "/apps/app-1/x", *more)).status == 401
    assert (await nobody.ask("POST", "/apps/app-1/x", "Accept: text/html", "Content-Length: 0")).status == 401
    assert app.received == []


async def test_who_may_not_is_refused_with_a_page_or_a_problem(house: RealHouse, app: RawApp) -> None:
    analyst = seat(house, "bi-analyst")
    page = await analyst.ask("GET", "/apps/app-1/", "Accept: text/html", "Sec-Fetch-Mode: navigate")
    assert (page.status, page.all("content-type")) == (403, ["text/html; charset=utf-8"])
    problem = await analyst.ask("GET", "/apps/app-1/", "Accept: application/json")
    assert (problem.status, problem.all("content-type")) == (403, ["application/problem+json"])
    assert app.received == []


async def test_a_mutation_comes_from_a_page_of_this_host(house: RealHouse, app: RawApp) -> None:
    engineer = seat(house)
    for origin, status in (
        (PUBLIC, 200),
        ("http://evil.example", 403),
        ("null", 403),
        (f"http://app-1.{PORTAL_HOST}", 403),
    ):
        answer = await engineer.ask("POST", "/apps/app-1/x", f"Origin: {origin}", "Content-Length: 2", body=b"{}")
        assert answer.status == status, origin
    cross = await engineer.ask("POST", "/apps/app-1/x", "Sec-Fetch-Site: cross-site", "Content-Length: 0")
    assert cross.status == 403
    assert len(app.received) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/apps/app-1/../../api/session",
        "/apps/app-1/%2e%2e/x",
        "/apps/app-1//x",
        "/apps/app-1%2fx",
        "/apps/app-2/../app-1/",
    ],
)
async def test_a_path_that_two_could_read_differently_reaches_nobody(house: RealHouse, app: RawApp, path: str) -> None:
    assert (await seat(house).ask("GET", path)).status == 400
    assert app.received == []


async def test_what_is_no_app_is_the_consoles_and_the_portals_own_addresses_stay(house: RealHouse, app: RawApp) -> None:
    engineer = seat(house)
    for path in ("/apps/app-99/", "/apps/", "/apps", "/apps/APP-1/", "/api/session", "/"):
        await engineer.ask("GET", path)
    assert app.received == []
    assert (await engineer.ask("GET", "/api/session")).status == 200
    other = Seat(house.replica, f"app-1.{PORTAL_HOST}", engineer.cookies, engineer.person, "app-1")
    assert (await other.ask("GET", "/")).status == 421, "there are no hosts of apps in this mode"
    assert (await engineer.ask("GET", "/apps/app-1")).body == b"ok", "control"


async def test_an_answer_that_breaks_off_is_cut_and_one_that_is_none_is_a_page(house: RealHouse, app: RawApp) -> None:
    async def respond(request: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello")
        await writer.drain()
        writer.close()

    app.respond = respond
    assert (await seat(house).ask("GET", "/apps/app-1/")).body is None
    app.respond, app.answer = None, b"SSH-2.0-x\r\n"
    page = await seat(house).ask("GET", "/apps/app-1/", "Accept: text/html")
    assert (page.status, page.all("content-type")) == (502, ["text/html; charset=utf-8"])


async def test_a_websocket_below_an_apps_path(house: RealHouse) -> None:
    echo = Echo()
    async with serve(echo.handle, "127.0.0.1", house.target_port):
        engineer = seat(house)
        async with opened(engineer, "/apps/app-1/ws?x=1", origin=PUBLIC) as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
        request = echo.requests[0]
        assert request.path == "/apps/app-1/ws?x=1"
        assert request.headers.get_all("X-Remote-User") == ["data-engineer"]
        assert request.headers["X-Forwarded-Prefix"] == "/apps/app-1"
        assert "cookie" not in request.headers
        for origin in (None, "http://evil.example", f"http://app-1.{PORTAL_HOST}"):
            assert await refused(engineer, path="/apps/app-1/ws", origin=origin) == 403
        assert await refused(seat(house, "bi-analyst"), path="/apps/app-1/ws", origin=PUBLIC) == 403
        assert await refused(engineer, path="/apps/app-1/ws", origin=PUBLIC, cookies={}) == 403
        assert len(echo.requests) == 1

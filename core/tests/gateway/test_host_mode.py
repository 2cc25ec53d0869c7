"""An app at a host of its own: the hand-over, who may, as whom, and what reaches it."""

import warnings
from typing import Any

import pytest

from .conftest import HOST, PORTAL, House

BEARER = 'AppIdentity("bearer", audience="acme-app")'


async def test_a_person_is_handed_over_once_and_the_app_is_told_who_it_is(open_house: House) -> None:
    house = await open_house()
    first = await house.browser().ask("/dags?a=1&b=%20x")
    assert first.status_code == 303
    assert first.headers["location"].startswith(f"{PORTAL}/auth/app?app=acme&state=")
    assert house.app.received == [], "nobody is asked before it is known who it is"
    answer = await house.browser().open("/dags?a=1&b=%20x")
    assert (answer.status_code, answer.text) == (200, "ok")
    got = house.app.last
    assert got.target == b"/dags?a=1&b=%20x", "byte for byte"
    assert got.all("x-remote-user") == [b"data-engineer"]
    assert got.all("host") == [HOST.removeprefix("http://").encode()]
    assert got.all("cookie") == []
    assert answer.headers["cache-control"] == "no-store"
    records = (await house.portal.signed_in("platform-admin").get("/api/audit?action=core.app.opened")).json()["items"]
    assert [(r["actor_name"], r["object"]) for r in records] == [("data-engineer", "acme")]


async def test_the_hand_overs_cookies_are_the_hosts_own_and_no_script_reads_them(open_house: House) -> None:
    browser = (await open_house()).browser()
    first = await browser.ask("/")
    second = await browser.to_portal(first.headers["location"])
    third = await browser.ask(second.headers["location"])
    for answer in (first, third):
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-openlakes_")
            assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {p.strip() for p in cookie.split(";")}
            assert "Domain" not in cookie
    assert second.headers["referrer-policy"] == "no-referrer"
    assert third.headers["location"] == "/"


@pytest.mark.parametrize("wrong", ["again", "another browser", "another app", "cut", "late", "none"])
async def test_a_code_counts_once_in_time_and_in_the_browser_that_began(
    open_house: House, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await open_house({"gateway": {"apps": [{"id": "wiki", "title": "Wiki", "target": "http://127.0.0.1:9"}]}})
    browser = house.browser()
    location = (await browser.to_portal((await browser.ask("/")).headers["location"])).headers["location"]
    kept = dict(browser.jar)
    match wrong:
        case "again":
            assert (await browser.ask(location)).status_code == 303
            browser.jar = kept
        case "another browser":
            browser.jar = {"__Host-openlakes_enter": "A" * 43}
        case "another app":
            location = location.replace("acme.", "wiki.")
        case "cut":
            location = location[:-1] + ("A" if location[-1] != "A" else "B")
        case "late":
            gateway = house.portal.app._gateway
            assert gateway is not None
            from datetime import timedelta

            from openlakes_portal._store.clock import now

            monkeypatch.setattr(gateway.hand_over, "_clock", lambda: now() + timedelta(seconds=31))
        case "none":
            browser.jar = {}
    answer = await browser.ask(location)
    assert answer.status_code == 400, answer.text
    assert "__Host-openlakes_app" not in browser.jar
    assert house.app.received == []


async def test_an_apps_cookie_is_worth_nothing_at_another_app_or_at_the_portal(open_house: House) -> None:
    house = await open_house(
        {
            "gateway": {
                "apps": [{"id": "wiki", "title": "Wiki", "target": "http://127.0.0.1:9", "roles": ["data-engineer"]}]
            }
        }
    )
    browser = house.browser()
    await browser.open("/")
    cookie = browser.jar["__Host-openlakes_app"]
    other = await browser.ask(HOST.replace("acme.", "wiki.") + "/")
    assert other.status_code == 303, "sent to the portal: nobody is signed in there"
    names = f"__Host-openlakes_session={cookie}; __Host-openlakes_app={cookie}"
    assert (await house.portal.anonymous.get("/api/session", headers={"cookie": names})).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-mode": "navigate", "accept": "text/html"}, 303),
        ({"accept": "text/html"}, 303),
        ({"sec-fetch-mode": "cors", "accept": "text/html"}, 401),
        ({"accept": "application/json"}, 401),
        ({"sec-fetch-mode": "no-cors", "accept": "*/*"}, 401),
    ],
)
async def test_a_person_is_sent_on_and_a_script_is_told(
    open_house: House, headers: dict[str, str], status: int
) -> None:
    house = await open_house()
    assert (await house.browser().ask("/", headers=headers)).status_code == status
    assert (await house.browser().ask("/", "POST", headers=headers)).status_code == 401
    assert house.app.received == []


async def test_who_may_not_is_refused_at_the_portal_and_at_the_app(open_house: House) -> None:
    house = await open_house()
    analyst = house.browser("bi-analyst")
    there = await analyst.to_portal((await analyst.ask("/")).headers["location"])
    assert (there.status_code, there.headers["location"]) == (303, "/app/acme"), "where they can ask for it"
    page = await analyst.at_portal.get("/api/access/page?path=/app/acme")
    assert page.json()["permission"] == "acme:app:open"
    assert house.app.received == []


async def test_who_is_not_signed_in_is_sent_to_sign_in_and_comes_back(open_house: House) -> None:
    house = await open_house()
    nobody = house.browser(None)
    there = await nobody.to_portal((await nobody.ask("/x?y=1")).headers["location"])
    assert there.status_code == 303
    assert there.headers["location"].startswith("/auth/login?next=%2Fauth%2Fapp%3Fapp%3Dacme")


async def test_signing_out_ends_it_at_the_app_too(open_house: House) -> None:
    house = await open_house()
    browser = house.browser()
    await browser.open("/")
    assert (await browser.ask("/")).status_code == 200
    assert (await browser.at_portal.post("/auth/logout")).status_code == 204
    seen = len(house.app.received)
    assert (await browser.ask("/", headers={"accept": "application/json"})).status_code == 401
    assert len(house.app.received) == seen


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": HOST, "sec-fetch-site": "same-origin"}, 200),
        ({}, 200),
        ({"origin": PORTAL, "sec-fetch-site": "same-site"}, 403),
        ({"origin": PORTAL}, 403),
        ({"origin": "null"}, 403),
        ({"origin": HOST, "sec-fetch-site": "same-site"}, 403),
        ({"origin": HOST.replace("acme", "wiki")}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_a_mutation_comes_from_the_apps_own_page(open_house: House, headers: dict[str, str], status: int) -> None:
    house = await open_house()
    browser = house.browser()
    await browser.open("/")
    seen = len(house.app.received)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = await browser.ask("/api/x", method, headers={"accept": "application/json", **headers})
        assert answer.status_code == status, method
    assert len(house.app.received) - seen == (4 if status == 200 else 0)


async def test_a_mutation_is_on_record_before_and_after(open_house: House) -> None:
    house = await open_house()
    browser = house.browser()
    await browser.open("/")
    await browser.ask("/api/dags", "POST", content=b'{"a":1}', headers={"content-type": "application/json"})
    assert house.app.last.body == b'{"a":1}'
    found = (await house.portal.signed_in("platform-admin").get("/api/audit?action=acme.app.request")).json()["items"]
    assert sorted((r["phase"], r["result"], r["object"]) for r in found) == [
        ("intent", "started", "POST acme"),
        ("outcome", "status 200", "POST acme"),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a%2fb",
        "/a//b",
        "/a\\b",
        "/a%5cb",
        "/a/./b",
        "/%00",
        "/a%0d%0ab",
        "/%",
        "/%zz",
        "/%ff",
    ],
)
async def test_a_path_that_two_could_read_differently_reaches_nobody(open_house: House, path: str) -> None:
    house = await open_house()
    browser = house.browser()
    await browser.open("/")
    seen = len(house.app.received)
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "headers": [
            (b"host", HOST.removeprefix("http://").encode()),
            (b"cookie", "; ".join(f"{k}={v}" for k, v in browser.jar.items()).encode()),
        ],
    }
    messages: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        messages.append(message)

    await house.portal.app(scope, receive, send)
    assert messages[0]["status"] == 400
    assert len(house.app.received) == seen
    scope["raw_path"] = b"/fine"
    messages.clear()
    await house.portal.app(scope, receive, send)
    assert messages[0]["status"] == 200
    assert house.app.last.target == b"/fine"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "OPENLAKES"])
async def test_a_method_beyond_the_usual_ones_reaches_nobody(open_house: House, method: str) -> None:
    house = await open_house()
    browser = house.browser()
    await browser.open("/")
    seen = len(house.app.received)
    assert (await browser.ask("/", method)).status_code == 405
    assert len(house.app.received) == seen


async def test_a_bearer_token_is_the_portals_for_this_audience_and_stays_on_the_servers_side(open_house: House) -> None:
    house = await open_house(identity=BEARER)
    browser = house.browser()
    answer = await browser.ask("/", headers={"authorization": "Bearer forged"})
    assert answer.status_code == 303
    answer = await browser.open("/")
    sent = house.app.last.all("authorization")
    assert len(sent) == 1
    token = sent[0].removeprefix(b"Bearer ").decode()
    from joserfc import jwt
    from joserfc.jwk import KeySet

    keys = KeySet.import_key_set((await house.portal.anonymous.get("/.well-known/jwks.json")).json())
    with warnings.catch_warnings(action="ignore"):  # RFC 9864 renames EdDSA
        claims = jwt.decode(token, keys, algorithms=["EdDSA"]).claims
    assert (claims["sub"], claims["aud"], claims["iss"]) == ("data-engineer", "acme-app", PORTAL)
    assert token not in answer.text + str(answer.headers)
    await browser.ask("/again")
    assert house.app.last.all("authorization") == sent, "minted once"


async def test_an_api_token_opens_no_app(open_house: House) -> None:
    house = await open_house()
    person = house.portal.signed_in("data-engineer")
    body = {"name": "t", "permissions": ["acme:app:open"], "expires_at": "2026-12-31T00:00:00Z"}
    made = await person.post("/api/tokens", json=body)
    assert made.status_code == 201, made.text
    headers = {"authorization": f"Bearer {made.json()['token']}", "accept": "application/json"}
    assert (await house.browser(None).ask("/", headers=headers)).status_code == 401
    assert house.app.received == []


async def test_two_people_each_get_their_own(open_house: House) -> None:
    house = await open_house()
    one, two = house.browser("data-engineer"), house.browser("viewer")
    await one.open("/")
    assert house.app.last.all("x-remote-user") == [b"data-engineer"]
    await two.open("/")
    assert house.app.last.all("x-remote-user") == [b"viewer"]
    for _ in range(5):
        await one.ask("/")
        assert house.app.last.all("x-remote-user") == [b"data-engineer"]
        await two.ask("/")
        assert house.app.last.all("x-remote-user") == [b"viewer"]
    assert house.app.connections == 1, "over one connection: nothing of one request stays with it"


async def test_an_app_that_is_away_is_said_with_a_page_or_a_problem_and_nothing_hangs(open_house: House) -> None:
    house = await open_house(target="http://127.0.0.1:9")
    browser = house.browser()
    page = await browser.open("/")
    assert page.status_code == 503
    assert "Acme" in page.text
    assert "refuses connections" in page.text
    assert f'href="{PORTAL}/"' in page.text
    problem = await browser.ask("/", headers={"accept": "application/json"})
    assert (problem.status_code, problem.headers["content-type"]) == (503, "application/problem+json")
    assert problem.json()["request_id"]


async def test_a_warm_request_asks_no_database_and_mints_nothing(open_house: House) -> None:
    """P10."""
    house = await open_house(identity=BEARER)
    browser = house.browser()
    await browser.open("/")
    portal = house.portal.app.portal
    queries, mints = portal.database.queries, portal.issuer.mints
    for _ in range(50):
        assert (await browser.ask("/")).status_code == 200
    assert portal.database.queries - queries < 10, "sessions are looked at anew every two seconds, not each time"
    assert portal.issuer.mints == mints == 1

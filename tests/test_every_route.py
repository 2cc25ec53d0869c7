"""The whole house, on both databases: what holds for every route of core and of every installed plugin (section E).

E36: no forged mutation is carried out, whichever way it is forged. E37: reading changes nothing. E39: nobody else's
page may read an answer. E40, E41: the headers of every answer, of errors and pages too.
"""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from openlakes_portal._store.tables import metadata
from openlakes_portal.testing import PortalUnderTest, SignedIn, portal_for
from openlakes_portal.testing.portal import BASE

pytestmark = pytest.mark.slow
WITHOUT_TOKEN = {"/auth/demo", "/auth/backchannel-logout", "/api/tokens/exchange"}
"""The three that take no CSRF token (CONTRACT): they prove who asks by what is in the body."""
FORGED: dict[str, dict[str, str | None]] = {
    "no token": {"x-csrf-token": None},
    "an empty token": {"x-csrf-token": ""},
    "another's token": {"x-csrf-token": "of-the-other"},
    "a foreign origin": {"origin": "https://evil.example"},
    "a null origin": {"origin": "null"},
    "an origin that begins like ours": {"origin": f"{BASE}.evil.example"},
    "an app's origin": {"origin": BASE.replace("://", "://airflow.")},
    "our origin by another scheme": {"origin": BASE.replace("http:", "https:")},
    "cross-site": {"sec-fetch-site": "cross-site"},
    "same-site": {"sec-fetch-site": "same-site"},
    "text/plain": {"content-type": "text/plain"},
    "text/plain with parameters": {"content-type": "text/plain; charset=utf-8; application/json"},
    "a form": {"content-type": "application/x-www-form-urlencoded"},
    "a multipart form": {"content-type": "multipart/form-data; boundary=x"},
}
PAGE_OF_ANOTHER = ("origin", "sec-fetch-site")
CHANGES_BY_ITSELF = {"audit_records", "audit_writers", "audit_statements", "leases", "signals", "rates", "state"}
OF_USE = {"seen_at", "last_used_at", "last_used_address"}
"""Columns that say when something was used."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PortalUnderTest]:
    """Core with every plugin that is installed beside it, on each database."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    settings: dict[str, Any] = {"audit": {"reads_every": 0}, "limits": {"request_timeout": 5}}
    async with portal_for(tmp_path / "portal", {**settings, **({"database": {"url": url}} if url else {})}) as running:
        yield running


async def routes(house: PortalUnderTest, *, reading: bool) -> list[tuple[str, str]]:
    """Method and an address of every operation that reads, or of every one that does not; streams aside."""
    openapi: dict[str, Any] = (await house.anonymous.get("/api/openapi.json")).json()
    found = []
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            streams = "text/event-stream" in json.dumps(operation.get("responses", {}))
            if (method == "get") == reading and not streams:
                found.append((method.upper(), re.sub(r"[{}]", "", path)))
    return sorted(found, key=lambda item: (item[1], item[0]))


async def kept(house: PortalUnderTest) -> dict[str, list[str]]:
    """All that the database holds, less what changes by itself and when things were used."""
    found = {}
    async with house.app.portal.database.read() as connection:
        for table in metadata.sorted_tables:
            if table.name not in CHANGES_BY_ITSELF:
                columns = [column for column in table.c if column.name not in OF_USE]
                found[table.name] = sorted(map(repr, (await connection.execute(select(*columns))).all()))
    return found


async def intents(house: PortalUnderTest, admin: SignedIn) -> set[str]:
    """The ids of records of what was begun."""
    answer = await admin.get("/api/audit", params={"phase": "intent", "limit": 200})
    assert answer.status_code == 200, answer.text
    return {record["id"] for record in answer.json()["items"]}


async def test_no_route_takes_a_forged_mutation(house: PortalUnderTest) -> None:
    admin, other = house.signed_in("platform-admin"), house.new_session("platform-admin")
    csrf_of_other = (await other.session())["csrf_token"]
    await admin.session()
    made = await admin.post("/api/service-accounts", json={"name": "kept", "description": "there to be seen"})
    assert made.status_code == 201, "control: what is written is seen below"
    before, begun = await kept(house), await intents(house, admin)
    assert any("kept" in row for rows in before.values() for row in rows)
    assert begun
    mutations = [(m, path) for m, path in await routes(house, reading=False) if path not in WITHOUT_TOKEN]
    assert len(mutations) >= 24
    for method, path in mutations:
        for name, forged in FORGED.items():
            headers = {k: csrf_of_other if v == "of-the-other" else v for k, v in forged.items()}
            given: dict[str, Any] = {"content-type": "application/json", **headers}
            answer = await admin.request(method, path, content=b"{}", headers=given)
            assert answer.status_code == 403, f"{name}: {method} {path}: {answer.status_code} {answer.text[:200]}"
    assert await kept(house) == before
    assert await intents(house, admin) == begun, "nothing was begun"
    for method, path in mutations:  # the control: our own page is heard
        person = house.new_session("platform-admin")
        own = {"origin": BASE, "sec-fetch-site": "same-origin", "content-type": "application/json"}
        answer = await person.request(method, path, content=b"{}", headers=own)
        assert answer.status_code not in (401, 403), f"{method} {path}: {answer.text[:200]}"


async def test_those_without_a_token_are_taken_from_no_page_of_another(house: PortalUnderTest) -> None:
    for path in sorted(WITHOUT_TOKEN):
        for name, forged in FORGED.items():
            if not set(forged) & set(PAGE_OF_ANOTHER):
                continue
            headers = {"content-type": "application/json", **{k: v for k, v in forged.items() if v is not None}}
            answer = await house.anonymous.post(path, content=b'{"persona": "viewer"}', headers=headers)
            assert answer.status_code in (403, 404), f"{name}: {path}: {answer.status_code}"
            assert "set-cookie" not in answer.headers
    own = {"origin": BASE, "sec-fetch-site": "same-origin"}
    assert (await house.anonymous.post("/auth/demo", json={"persona": "viewer"}, headers=own)).status_code == 200


async def test_reading_changes_nothing(house: PortalUnderTest) -> None:
    admin = house.signed_in("platform-admin")
    await admin.session()
    before = await kept(house)
    reads = await routes(house, reading=True)
    assert len(reads) >= 24
    for method in ("GET", "HEAD"):
        for _, path in reads:
            answer = await admin.request(method, path)
            assert answer.status_code < 500, f"{method} {path}: {answer.text[:200]}"
    for path in ("/", "/signin", "/auth/logout", "/auth/login", "/auth/callback?code=x&state=y"):
        await admin.get(path)
    assert await kept(house) == before
    assert (await admin.get("/api/session")).status_code == 200, "and nobody was signed out"


def directives(answer: httpx.Response) -> dict[str, str]:
    """The content security policy of an answer."""
    parts = [part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")]
    return {name: value for name, _, value in parts}


def check(answer: httpx.Response, what: str) -> None:
    """E39 to E41, for any answer."""
    policy = directives(answer)
    assert policy["default-src"] == "'none'", what
    if answer.headers.get("content-type", "").startswith("text/javascript"):
        return  # a worker's own policy; a script is framed by nobody
    for name in ("object-src", "base-uri"):
        assert policy[name] == "'none'", f"{what}: {name}"
    assert policy["frame-ancestors"] in ("'none'", "'self'"), what
    assert "unsafe" not in answer.headers["content-security-policy"], what
    assert "*" not in answer.headers["content-security-policy"], what
    for name, value in {
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }.items():
        assert answer.headers[name] == value, f"{what}: {name}"
    assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer"), what
    assert not [name for name in answer.headers if name.startswith("access-control")], what


async def test_every_answer_carries_the_headers(house: PortalUnderTest) -> None:
    admin, viewer = house.signed_in("platform-admin"), house.signed_in("viewer")
    evil = {"origin": "https://portal.evil"}
    statuses = set()
    for reading in (True, False):
        for method, path in await routes(house, reading=reading):
            for client in (admin, viewer, house.anonymous):
                if path == "/auth/logout" and client is not house.anonymous:
                    continue
                answer = await client.request(method, path, headers=evil)
                check(answer, f"{method} {path} {answer.status_code}")
                statuses.add(answer.status_code)
                if answer.status_code == 200 and path.startswith("/api/") and client is not house.anonymous:
                    assert answer.headers["cache-control"] in ("no-store", "private, no-cache"), path
    for method, path in (("OPTIONS", "/api/users"), ("TRACE", "/api/live"), ("GET", "/api//x"), ("GET", "/api/%zz")):
        answer = await admin.request(method, path, headers=evil)
        check(answer, f"{method} {path}")
        statuses.add(answer.status_code)
    assert {200, 401, 403, 404, 405, 400} <= statuses, "control: all kinds of answers were seen"


async def test_a_page_has_a_nonce_of_its_own(house: PortalUnderTest) -> None:
    """Pages of plugins are drawn in the same document; so are errors."""
    browser = {"accept": "text/html"}
    nonces = set()
    pages = ["/", "/signin", "/admin/users", "/x/acme/things", "/nowhere", "/admin/nowhere"]
    for path in pages * 2:
        answer = await house.signed_in("viewer").get(path, headers=browser)
        assert answer.headers["content-type"].startswith("text/html"), path
        check(answer, path)
        policy = directives(answer)
        (nonce,) = set(re.findall(r"'nonce-([^']+)'", policy["script-src"]))
        assert policy["script-src"] == f"'self' 'nonce-{nonce}'"
        assert policy["style-src-attr"] == "'none'"
        scripts = re.findall(r"<script\b[^>]*>", answer.text)
        assert scripts
        assert all(f'nonce="{nonce}"' in script for script in scripts), path
        assert not re.search(r"\son\w+=|javascript:|\sstyle=", answer.text), "nothing that only unsafe-inline would run"
        assert len(nonce) >= 16
        nonces.add(nonce)
    assert len(nonces) == 2 * len(pages)


async def test_over_https_browsers_are_told_to_stay_there(tmp_path: Path) -> None:
    secure = BASE.replace("http:", "https:")
    async with portal_for(tmp_path / "secure", {"server": {"public_url": secure}}, []) as portal:
        for path in ("/api/live", "/api/nowhere", "/signin"):
            answer = await portal.anonymous.get(path)
            assert answer.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains", path
    async with portal_for(tmp_path / "plain", {}, []) as portal:
        assert "strict-transport-security" not in (await portal.anonymous.get("/api/live")).headers

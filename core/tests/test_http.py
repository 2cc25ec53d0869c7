"""The door: problems, limits, guards of mutations, headers, idempotency, audit; at the boundary, in process."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from openlakes_portal._host.discovery import Candidate
from openlakes_portal.testing import PortalUnderTest, SignedIn, portal_for

WritePlugin = Callable[..., Candidate]

PLUGIN = """
WRITE = Permission("acme:thing:write", "Change things", roles=("data-engineer",))
made = []

class NewThing(BaseModel, extra="forbid"):
    name: str = Field(min_length=1, max_length=20)
    size: int = 1

class Filter(BaseModel, extra="forbid"):
    limit: int = Field(10, ge=1, le=100)

class Thing(BaseModel):
    id: str
    name: str
    size: int

@hookimpl
def register_permissions(context):
    return [READ, WRITE]

@hookimpl
def register_routes(context):
    async def things(request: Request, query: Filter) -> Listing[Thing]:
        return Listing(made[: query.limit], None)
    async def thing(request: Request) -> Thing:
        found = [t for t in made if t.id == request.path("id")]
        if not found:
            raise NotFound("There is no such thing.")
        return found[0]
    async def create(request: Request, body: NewThing) -> Reply[Thing]:
        if body.name == "boom":
            raise RuntimeError("secret detail")
        if body.name == "slow":
            import asyncio
            await asyncio.sleep(30)
        made.append(Thing(id=str(len(made) + 1), name=body.name, size=body.size))
        return Reply(made[-1], 201, version="1", location=f"/api/plugins/acme/things/{len(made)}")
    def sync(request: Request) -> str:
        import threading
        return threading.current_thread().name
    async def stream(request: Request) -> Events:
        async def events():
            yield Event({"n": 1}, "one")
            import asyncio
            await asyncio.Event().wait()
        return Events(events())
    async def nothing(request: Request) -> None:
        return None
    async def download(request: Request) -> Stream:
        async def parts():
            yield b"<script>"
            yield b"alert(1)</script>"
        return Stream(parts(), "text/html", 'a"b\\r\\nx.html')
    async def header(request: Request) -> dict[str, str | None]:
        return {n: request.header(n) for n in ("cookie", "authorization", "x-csrf-token", "accept")}
    return [
        Route("GET", "things", things, access=READ),
        Route("POST", "things", create, access=WRITE, status=201, audit_object="name"),
        Route("GET", "things/{id}", thing, access=READ),
        Route("DELETE", "things/{id}", nothing, access=WRITE),
        Route("GET", "sync", sync, access=READ),
        Route("GET", "stream", stream, access=READ, produces=("text/event-stream",)),
        Route("GET", "download", download, access=READ, produces=("text/html",)),
        Route("GET", "header", header, access=READ),
        AsgiRoute("raw", raw, access=READ),
    ]

async def raw(scope, receive, send):
    names = [k.decode() for k, _ in scope["headers"]]
    body = (",".join(sorted(names)) + " " + scope["openlakes.principal"].username).encode()
    evil = [(b"set-cookie", b"__Host-openlakes_session=stolen"), (b"x-evil", b"a\\r\\nset-cookie: x=1")]
    evil += [(b"Access-Control-Allow-Origin", b"*"), (b"access-control-allow-credentials", b"true")]
    evil += [(b"referrer-policy", b"unsafe-url"), (b"X-Content-Type-Options", b"sniff"), (b"x-request-id", b"mine")]
    await send({"type": "http.response.start", "status": 200, "headers": [*evil, (b"x-good", b"yes")]})
    await send({"type": "http.response.body", "body": body})
"""

SETTINGS = {"limits": {"body": 20_000, "request_timeout": 1.0, "streams": 2}}
THINGS = "/api/plugins/acme/things"


@pytest.fixture
async def portal(tmp_path: Path, url: str, write_plugin: WritePlugin) -> AsyncIterator[PortalUnderTest]:
    settings = {**SETTINGS, "database": {"url": url}}
    async with portal_for(tmp_path / "portal", settings, [write_plugin("acme", PLUGIN)]) as running:
        yield running


@pytest.fixture
def dana(portal: PortalUnderTest) -> SignedIn:
    return portal.signed_in("data-engineer")


async def audit(portal: PortalUnderTest, action: str) -> list[dict[str, Any]]:
    answer = await portal.signed_in("platform-admin").get(f"/api/audit?action={action}&limit=100")
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_every_error_is_one_shape_with_the_request_id(portal: PortalUnderTest, dana: SignedIn) -> None:
    answers = [
        await portal.anonymous.get(THINGS),
        await portal.signed_in("bi-analyst").get(THINGS),
        await dana.get(f"{THINGS}/none"),
        await dana.get("/api/nowhere"),
        await dana.put(THINGS),
        await dana.post(THINGS, json={"name": ""}),
        await dana.post(THINGS, content=b"{", headers={"content-type": "application/json"}),
        await dana.post(THINGS, json={"name": "boom"}),
        await dana.get(f"{THINGS}?limit=0"),
    ]
    assert [a.status_code for a in answers] == [401, 403, 404, 404, 405, 422, 400, 500, 422]
    for answer in answers:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(problem) >= {"type", "title", "status", "detail", "request_id"}
        assert problem["status"] == answer.status_code
        assert problem["request_id"] == answer.headers["x-request-id"]
    assert answers[4].headers["allow"] == "GET, HEAD, POST"
    assert answers[5].json()["errors"][0]["pointer"] == "/name"
    assert answers[1].json()["permission"] == "acme:thing:read"
    assert "secret detail" not in answers[7].text


async def test_an_absent_and_a_forbidden_object_answer_alike(portal: PortalUnderTest, dana: SignedIn) -> None:
    first, second = await dana.get(f"{THINGS}/1"), await dana.get("/api/pages/acme/x")
    assert first.status_code == second.status_code == 404


async def test_an_answer_has_an_entity_tag_and_is_not_sent_twice(dana: SignedIn) -> None:
    first = await dana.get(THINGS)
    again = await dana.get(THINGS, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = await dana.request("HEAD", THINGS)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", first.headers["etag"])


async def test_a_plain_function_runs_in_a_worker_thread(dana: SignedIn) -> None:
    assert "MainThread" not in (await dana.get("/api/plugins/acme/sync")).text


async def test_security_headers_stand_on_every_answer(portal: PortalUnderTest, dana: SignedIn) -> None:
    for path in ("/api/plugins/acme/things", "/api/nowhere", "/api/live", "/auth/demo", "/api/plugins/acme/download"):
        answer = await dana.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff", path
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "frame-ancestors" in policy, path
        assert "base-uri 'none'" in policy, path
        assert answer.headers["referrer-policy"] == "same-origin"


async def test_a_download_is_an_attachment_whatever_its_name(dana: SignedIn) -> None:
    """E41."""
    answer = await dana.get("/api/plugins/acme/download")
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename=")
    assert "\r" not in disposition
    assert '"a_b__x.html"' in disposition


async def test_endpoints_do_not_see_credentials(dana: SignedIn) -> None:
    seen = (await dana.get("/api/plugins/acme/header", headers={"authorization": "Basic x"})).json()
    assert {k: v for k, v in seen.items() if v} == {"accept": "*/*"}


async def test_a_raw_asgi_route_gets_no_credentials_and_sets_no_cookie(dana: SignedIn) -> None:
    """F48."""
    answer = await dana.get("/api/plugins/acme/raw/deep/er")
    names, username = answer.text.split(" ")
    assert username == "data-engineer"
    assert not {"cookie", "authorization", "x-csrf-token"} & set(names.split(","))
    assert "set-cookie" not in answer.headers
    assert "x-evil" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert (answer.headers["referrer-policy"], answer.headers["x-content-type-options"]) == ("same-origin", "nosniff")
    assert len(answer.headers["x-request-id"]) > 10
    assert answer.headers["x-good"] == "yes"


FOREIGN: list[dict[str, str | None]] = [
    {"x-csrf-token": None},
    {"x-csrf-token": "wrong"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://openlakes.localhost:8600.evil.example"},
    {"origin": "http://app.openlakes.localhost:8600"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "http://openlakes.localhost:8600", "Origin": "https://evil.example"},
    {"sec-fetch-site": "same-origin", "Sec-Fetch-Site": "cross-site"},
    {"content-type": "text/plain"},
    {"content-type": "application/x-www-form-urlencoded"},
    {"content-type": "multipart/form-data; boundary=x"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_forged_mutation_is_refused_and_changes_nothing(
    headers: dict[str, str | None], portal: PortalUnderTest, dana: SignedIn
) -> None:
    """E36, with a positive control."""
    given = {"content-type": "application/json", **headers}
    answer = await dana.post(THINGS, content=b'{"name": "forged"}', headers=given)
    assert answer.status_code == 403, answer.text
    assert (await dana.get(THINGS)).json()["items"] == []
    own = {"origin": "http://openlakes.localhost:8600", "sec-fetch-site": "same-origin"}
    assert (await dana.post(THINGS, json={"name": "own"}, headers=own)).status_code == 201


async def test_the_token_of_another_session_is_refused(portal: PortalUnderTest, dana: SignedIn) -> None:
    """E38."""
    other = await portal.new_session("data-engineer").session()
    answer = await dana.post(THINGS, json={"name": "x"}, headers={"x-csrf-token": other["csrf_token"]})
    assert answer.status_code == 403


async def test_reading_never_signs_out(portal: PortalUnderTest, dana: SignedIn) -> None:
    """E37."""
    assert (await dana.get("/auth/logout")).status_code == 405
    assert (await dana.get("/api/session")).status_code == 200
    assert (await dana.post("/auth/logout", headers={"origin": "https://evil.example"})).status_code == 403
    assert (await dana.sign_out()).status_code == 204
    assert (await dana.get("/api/session")).status_code == 401


async def test_no_foreign_origin_is_ever_allowed_to_read(dana: SignedIn) -> None:
    """E39."""
    answer = await dana.get(THINGS, headers={"origin": "https://portal.evil"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert (await dana.request("OPTIONS", THINGS)).status_code == 405


async def test_a_mutation_writes_one_intent_and_one_outcome(portal: PortalUnderTest, dana: SignedIn) -> None:
    made = await dana.post(THINGS, json={"name": "first"})
    records = await audit(portal, "acme.create")
    assert [(r["phase"], r["object"], r["actor_name"], r["request_id"]) for r in records] == [
        ("outcome", "first", "data-engineer", made.headers["x-request-id"]),
        ("intent", "first", "data-engineer", made.headers["x-request-id"]),
    ]
    assert records[0]["result"] == "done: 201"
    await dana.post(THINGS, json={"name": "boom"})
    assert [r["result"] for r in await audit(portal, "acme.create")][:2] == ["failed: RuntimeError", "started"]
    await portal.signed_in("bi-analyst").post(THINGS, json={"name": "x"})
    denied = await audit(portal, "core.access.denied")
    assert [(r["actor_name"], r["result"]) for r in denied] == [("bi-analyst", "acme:thing:write")]


async def test_a_mutation_that_cannot_be_recorded_is_refused(
    portal: PortalUnderTest, dana: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import text

    await dana.session()
    async with portal.app.portal.database.write() as connection:
        await connection.execute(text("ALTER TABLE audit_records RENAME TO hidden"))
    refused = await dana.post(THINGS, json={"name": "unseen"})
    reading = await dana.get(THINGS)
    async with portal.app.portal.database.write() as connection:
        await connection.execute(text("ALTER TABLE hidden RENAME TO audit_records"))
    assert refused.status_code == 503
    assert "retry-after" in refused.headers
    assert (reading.status_code, reading.json()["items"]) == (200, [])


async def test_an_idempotency_key_runs_a_mutation_once(portal: PortalUnderTest, dana: SignedIn) -> None:
    key = {"idempotency-key": "one"}
    answers = [await dana.post(THINGS, json={"name": "once"}, headers=key) for _ in range(3)]
    assert [a.status_code for a in answers] == [201, 201, 201]
    assert len({a.text for a in answers}) == 1
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert answers[1].headers["location"] == answers[0].headers["location"]
    assert len((await dana.get(THINGS)).json()["items"]) == 1
    assert (await dana.post(THINGS, json={"name": "other"}, headers=key)).status_code == 422
    assert (await dana.post(THINGS, json={"name": "x"}, headers={"idempotency-key": "x" * 200})).status_code == 400
    assert (await dana.post(f"{THINGS}?tried=true", json={"name": "once"}, headers=key)).status_code == 422
    at_once = await asyncio.gather(
        *(dana.post(THINGS, json={"name": "race"}, headers={"idempotency-key": "race"}) for _ in range(8))
    )
    assert {a.status_code for a in at_once} <= {201, 409}
    names = [t["name"] for t in (await dana.get(f"{THINGS}?limit=100")).json()["items"]]
    assert names.count("race") == 1


async def test_an_endpoint_that_takes_too_long_is_answered(dana: SignedIn) -> None:
    answer = await dana.post(THINGS, json={"name": "slow"})
    assert answer.status_code == 504
    assert "1 s" in answer.json()["detail"]


HOSTILE_PATHS = [
    "/api/plugins/acme/../../session",
    "/api/plugins/acme/%2e%2e/x",
    "/api/plugins/acme/things%2f1",
    "/api/plugins/acme/things%5c1",
    "/api//session",
    "/api/plugins/acme/things/%00",
    "/api/plugins/acme/things/%0d%0a",
    "/api/plugins/acme/things/%zz",
    "/api/plugins/acme/things/%ff",
    "/api/plugins/acme/./things",
    "/./api/session",
    "/api\\session",
]


async def raw_get(portal: PortalUnderTest, path: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> int:
    """A request whose target no client tidies up."""
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": b"",
        "headers": headers if headers is not None else [(b"host", b"openlakes.localhost:8600")],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
    }
    await portal.app(scope, receive, send)
    return status


@pytest.mark.parametrize("path", HOSTILE_PATHS)
async def test_a_target_that_is_not_canonical_is_refused(path: str, portal: PortalUnderTest) -> None:
    assert await raw_get(portal, path.encode()) == 400
    assert await raw_get(portal, b"/api/live") == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(b"host", b"evil.example")], 421),
        ([], 421),
        ([(b"host", b"openlakes.localhost:8600"), (b"host", b"evil.example")], 421),
        ([(b"host", b"127.0.0.1:8600")], 200),
        ([(b"host", b"localhost:8600")], 200),
        ([(b"host", b"airflow.openlakes.localhost:8600")], 421),
        ([(b"host", b"evil.localhost:8600")], 421),
        ([(b"host", b"127.0.0.1:8600@evil")], 421),
        ([(b"host", b"localhost:evil")], 421),
        ([(b"host", b"openlakes.localhost:8600"), *[(b"x-%d" % i, b"y") for i in range(1000)]], 431),
        ([(b"host", b"openlakes.localhost:8600"), (b"authorization", b"x" * 1_000_000)], 431),
    ],
    ids=[
        "foreign",
        "none",
        "two",
        "address",
        "localhost",
        "app",
        "other name",
        "at sign",
        "no port",
        "thousand headers",
        "huge header",
    ],
)
async def test_hosts_and_header_sizes_are_judged_first(
    headers: list[tuple[bytes, bytes]], status: int, portal: PortalUnderTest
) -> None:
    assert await raw_get(portal, b"/api/live", headers) == status


async def test_bodies_are_bounded_in_size_and_depth(dana: SignedIn) -> None:
    """L73."""
    json_type = {"content-type": "application/json"}
    huge = await dana.post(THINGS, content=b'{"name": "' + b"x" * 30_000 + b'"}', headers=json_type)
    assert huge.status_code == 413
    deep = await dana.post(THINGS, content=b"[" * 9_000 + b"]" * 9_000, headers=json_type)
    assert deep.status_code == 400
    fields = await dana.get(f"{THINGS}?" + "&".join(f"a{i}=1" for i in range(1500)))
    assert fields.status_code == 400
    packed = await dana.post(THINGS, content=b"x", headers={**json_type, "content-encoding": "gzip"})
    assert packed.status_code == 400


async def test_the_rate_of_a_session_is_bounded_and_no_header_changes_that(
    tmp_path: Path, write_plugin: WritePlugin
) -> None:
    """L76."""
    limits = {"limits": {"rate": 1.0, "burst": 20, "anonymous_burst": 20, "anonymous_rate": 0.1}}
    async with portal_for(tmp_path / "portal", limits, [write_plugin("acme", PLUGIN)]) as portal:
        dana, vic = portal.signed_in("data-engineer"), portal.signed_in("viewer")
        await dana.session()
        await vic.session()
        answers = [
            await dana.get("/api/session", headers={"x-forwarded-for": f"10.0.0.{i}", "forwarded": f"for=10.1.1.{i}"})
            for i in range(30)
        ]
        assert [a.status_code for a in answers].count(429) >= 9
        limited = next(a for a in answers if a.status_code == 429)
        assert int(limited.headers["retry-after"]) >= 1
        assert (await vic.get("/api/session")).status_code == 200, "another person must not be locked out"
        assert (await portal.anonymous.get("/api/live")).status_code == 200
        statuses = [(await portal.anonymous.get("/api/bootstrap")).status_code for _ in range(30)]
        assert statuses.count(429) >= 8


async def test_streams_of_one_person_are_bounded(portal: PortalUnderTest, dana: SignedIn) -> None:
    """L75."""
    await dana.session()
    headers = [(k.encode(), v.encode()) for k, v in dana._headers.items()]
    path = b"/api/plugins/acme/stream"
    started = asyncio.Event()
    bodies: list[bytes] = []

    async def open_stream() -> int:
        status = 0

        async def receive() -> dict[str, Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            status = message.get("status", status)
            if message.get("body"):
                bodies.append(message["body"])
                if sum(b"event: one" in b for b in bodies) == 2:
                    started.set()

        scope = {
            "type": "http",
            "method": "GET",
            "path": path.decode(),
            "raw_path": path,
            "query_string": b"",
            "headers": [(b"host", b"openlakes.localhost:8600"), *headers],
            "client": ("127.0.0.1", 1),
        }
        await portal.app(scope, receive, send)
        return status

    streams = [asyncio.create_task(open_stream()) for _ in range(2)]
    async with asyncio.timeout(5):
        await started.wait()
    assert await open_stream() == 429
    assert json.loads(next(b for b in bodies if b.startswith(b"event: one")).split(b"data: ")[1]) == {"n": 1}
    await dana.sign_out()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*streams) == [200, 200], "a stream ends with its session"
    assert any(b"signed-out" in b for b in bodies)


async def test_an_expired_or_forged_cookie_is_nobody(portal: PortalUnderTest, dana: SignedIn) -> None:
    cookie = (await dana.session()) and dana._headers["cookie"]
    for wrong in ("__Host-openlakes_session=x", f"{cookie}x", f"{cookie}; {cookie}2", f"{cookie}; {cookie}", "a=b"):
        assert (await portal.anonymous.get("/api/session", headers={"cookie": wrong})).status_code == 401, wrong
    assert (await portal.anonymous.get("/api/session", headers={"cookie": f"a=b; {cookie}"})).status_code == 200


async def test_signing_in_changes_the_session_and_ends_the_old_one(portal: PortalUnderTest) -> None:
    """A1, A8."""
    client = portal.signed_in("viewer")
    await client.session()
    old = client._headers["cookie"]
    answer = await client.post("/auth/demo", json={"persona": "bi-analyst"})
    cookie = answer.headers["set-cookie"]
    for part in ("__Host-openlakes_session=", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert len(cookie) < 4096
    assert cookie.split(";")[0] != old
    assert (await portal.anonymous.get("/api/session", headers={"cookie": old})).status_code == 401
    assert cookie.split(";")[0].split("=")[1] not in answer.text


async def test_unknown_personas_and_bodies_are_refused(portal: PortalUnderTest) -> None:
    nobody = portal.anonymous
    assert (await nobody.post("/auth/demo", json={"persona": "root"})).status_code == 404
    assert (await nobody.post("/auth/demo", json={"persona": "viewer", "roles": ["x"]})).status_code == 422
    assert (await nobody.post("/auth/demo", content=b'{"persona": "viewer"}')).status_code in (200, 403)
    assert (
        await nobody.post("/auth/demo", json={"persona": "viewer"}, headers={"origin": "https://e"})
    ).status_code == 403

"""The two header filters as pure functions: what must not pass does not, whatever it is mixed with."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openlakes_portal._gateway import request_headers, response_headers
from openlakes_portal._gateway.request_headers import Forwarding, declarable, is_ours, kept_cookies
from openlakes_portal._gateway.response_headers import Exposure, caching, set_cookie, without_frame_ancestors
from openlakes_portal.spi import BadRequest, UpstreamError

FORWARDING = Forwarding(b"acme.lake.example", b"https", b"192.0.2.1", b"r1")
WHO = [(b"x-remote-user", b"alice")]
EXPOSURE = Exposure(b"https://acme.lake.example", b"http://10.0.0.9:8080", b"https://lake.example")
SPOOFS = [
    "X-Remote-User",
    "X_Remote_User",
    "x-remote_user",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Original-Method",
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Cluster-Client-IP",
    "X-Auth-Request-User",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Webauth-User",
    "X-Grafana-Org-Id",
    "X-Scope-OrgID",
    "Remote-User",
    "Authorization",
    "Proxy-Authorization",
    "Proxy",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Transfer-Encoding",
    "Expect",
    "Via",
    "Host",
    "X-Amz-Security-Token",
    "X-Trino-User",
    "X-Presto-User",
    "X-Vault-Token",
    "Content-Length",
]
NAMES = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=24)
VALUES = st.binary(max_size=40)


def sent(*pairs: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in pairs]


def built(*pairs: tuple[str, str], extra: tuple[str, ...] = ()) -> list[tuple[bytes, bytes]]:
    more = frozenset(name.lower().encode() for name in extra)
    return request_headers.build(sent(*pairs), more, FORWARDING, WHO)


@pytest.mark.parametrize("name", SPOOFS)
def test_no_header_that_claims_something_passes(name: str) -> None:
    evil = "evil-marker"
    assert all(evil.encode() not in value for _, value in built((name, evil), ("Accept", "text/html")))
    assert (b"accept", b"text/html") in built((name, evil), ("Accept", "text/html"))


def test_what_is_said_of_the_person_stands_once_and_is_ours() -> None:
    headers = built(("X-Remote-User", "admin"), extra=("x-remote-user",))
    assert [value for name, value in headers if name == b"x-remote-user"] == [b"alice"]
    assert dict(headers)[b"host"] == b"acme.lake.example"
    assert dict(headers)[b"x-forwarded-proto"] == b"https"
    assert dict(headers)[b"x-forwarded-for"] == b"192.0.2.1"


def test_a_declared_header_passes_and_only_as_it_is_declared() -> None:
    headers = built(("X-CSRFToken", "t"), ("X_CSRFToken", "other"), extra=("X-CSRFToken",))
    assert [value for _, value in headers if value in (b"t", b"other")] == [b"t"]


@pytest.mark.parametrize(
    "name", [*(n for n in SPOOFS if n not in ("X-Client-IP",)), "a b", "", "X-Ä", "Sec-Foo", "Cookie"]
)
def test_what_would_be_a_claim_cannot_be_declared(name: str) -> None:
    refused = {n.lower() for n in SPOOFS if declarable(n)}
    # Names of somebody's own product may be declared: they say nothing to the gateway. These never.
    assert name.lower() in refused or not declarable(name)


@pytest.mark.parametrize("name", ["X-CSRFToken", "X-Superset-Thing", "Idempotency-Key"])
def test_an_apps_own_header_can_be_declared(name: str) -> None:
    assert declarable(name)


@pytest.mark.parametrize("name", ["Content-Type", "Origin", "Range", "Content-Encoding"])
def test_a_header_that_two_could_read_differently_may_not_stand_twice(name: str) -> None:
    with pytest.raises(BadRequest):
        built((name, "a"), (name, "b"))


def test_a_control_character_in_a_value_is_refused() -> None:
    with pytest.raises(BadRequest):
        built(("Accept", "text/html\r\nX-Remote-User: admin"))


def test_cookies_of_ours_stay_and_the_apps_own_pass() -> None:
    jar = b'a=1; __Host-openlakes_session=S; __host-OpenLakes_app=S; openlakes_x=S; b="q; c=3"; broken; =x; d=4'
    assert kept_cookies(jar) == [b"a=1", b'b="q', b'c=3"', b"d=4"]
    headers = request_headers.build(
        [(b"cookie", b"session=forged; a=1"), (b"cookie", b"b=2")],
        frozenset(),
        FORWARDING,
        [(b"cookie", b"session=real")],
    )
    assert dict(headers)[b"cookie"] == b"a=1; b=2; session=real"


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12), st.lists(NAMES, max_size=4))
def test_whatever_is_sent_only_what_may_pass_does(pairs: list[tuple[str, bytes]], declared: list[str]) -> None:
    extra = frozenset(n.lower().encode() for n in declared if declarable(n))
    given_headers = [(name.lower().encode(), value) for name, value in pairs]
    try:
        headers = request_headers.build(given_headers, extra, FORWARDING, WHO)
    except BadRequest:
        return
    own = {
        b"host",
        b"x-remote-user",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-request-id",
        b"cookie",
    }
    for name, value in headers:
        assert name in own | request_headers.STANDARD | extra
        assert not set(b"\r\n\0") & set(value)
    assert [value for name, value in headers if name == b"x-remote-user"] == [b"alice"]
    assert b"_" not in b"".join(name for name, _ in headers)


def answered(*pairs: tuple[str, str], exposure: Exposure = EXPOSURE) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in response_headers.build(sent(*pairs), exposure):
        found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize(
    ("sent_to", "led_to"),
    [
        ("/login?next=%2F", "/login?next=%2F"),
        ("dags", "dags"),
        ("?a=1", "?a=1"),
        ("http://10.0.0.9:8080/x?y#z", "https://acme.lake.example/x?y#z"),
        ("https://acme.lake.example/x", "https://acme.lake.example/x"),
        ("http://acme.lake.example/x", "https://acme.lake.example/x"),
        ("https://lake.example/auth/signed-out", "https://lake.example/auth/signed-out"),
    ],
)
def test_a_redirect_within_the_house_leads_to_the_app_or_the_portal(sent_to: str, led_to: str) -> None:
    assert answered(("Location", sent_to))[b"location"] == [led_to.encode()]


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/", "//evil.example/x", "\\\\evil.example", "/\\evil.example", "http://10.0.0.9/x",
        "http://10.0.0.9:9090/x", "http://169.254.169.254/latest", "http://[::1]/", "javascript:alert(1)",
        "data:text/html,x", "https://acme.lake.example@evil.example/", "https://acme.lake.example.evil.example/",
        "http:/evil.example", "https:evil.example", " https://evil.example", "https://lake.example:444/", "/a\x01b",
        "https://other.lake.example/", "ftp://10.0.0.9:8080/",
    ],
)  # fmt: skip
def test_a_redirect_to_any_other_place_is_refused(where: str) -> None:
    with pytest.raises(UpstreamError):
        answered(("Location", where))


def test_addresses_in_other_headers_lead_nowhere_else() -> None:
    found = answered(
        ("Refresh", "5; url=https://evil.example/"),
        ("Link", "<https://evil.example/s.css>; rel=preload"),
        ("Content-Location", "//evil.example/"),
    )
    assert not {b"refresh", b"link", b"content-location"} & found.keys()
    kept = answered(("Refresh", "5; url=http://10.0.0.9:8080/x"), ("Link", "</s.css>; rel=preload"))
    assert kept[b"refresh"] == [b"5; url=https://acme.lake.example/x"]
    assert kept[b"link"] == [b"</s.css>; rel=preload"]


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("s=1; Domain=lake.example; Path=/; HttpOnly", b"s=1; Path=/; HttpOnly"),
        ("s=1;domain=.lake.example;SameSite=Lax", b"s=1; SameSite=Lax"),
        ("__Host-openlakes_session=x; Path=/; Secure", None),
        ("__HOST-OPENLAKES_APP=x", None),
        ("openlakes_anything=x", None),
        ("noname", None),
        ("=x", None),
        ("a b=x", None),
    ],
)
def test_a_cookie_is_the_apps_own_hosts_and_no_other_ones(raw: str, kept: bytes | None) -> None:
    assert set_cookie(raw.encode()) == kept


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("s=1; Path=/", b"s=1; Path=/apps/acme"),
        ("s=1", b"s=1; Path=/apps/acme"),
        ("s=1; Path=/apps/acme/x", b"s=1; Path=/apps/acme/x"),
        ("s=1; Path=/apps/acme-other", b"s=1; Path=/apps/acme"),
        ("__Host-s=1; Path=/; Secure", None),
    ],
)
def test_in_path_mode_a_cookie_stays_below_the_apps_path(raw: str, kept: bytes | None) -> None:
    assert set_cookie(raw.encode(), b"/apps/acme") == kept


def test_the_cookie_that_the_gateway_sets_at_the_app_never_reaches_the_browser() -> None:
    headers = response_headers.build(
        sent(("Set-Cookie", "tok=secret"), ("Set-Cookie", "a=1")), EXPOSURE, frozenset({b"tok"})
    )
    assert [value for name, value in headers if name == b"set-cookie"] == [b"a=1"]


def test_who_may_frame_it_is_the_portals_to_say_and_the_apps_policy_stays() -> None:
    found = answered(
        ("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; img-src *"),
        ("X-Frame-Options", "DENY"),
    )
    assert found[b"content-security-policy"] == [
        b"default-src 'self'; img-src *",
        b"frame-ancestors 'self' https://lake.example",
    ]
    assert b"x-frame-options" not in found
    assert without_frame_ancestors(b"FRAME-ANCESTORS *, default-src 'none'") == b"default-src 'none'"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], b"no-store"),
        (["public, max-age=600"], b"private, max-age=600"),
        (["no-cache"], b"private, no-cache"),
        (["max-age=1, s-maxage=600"], b"private, max-age=1"),
        (["private", "no-store"], b"no-store"),
        (["public, max-age=31536000, immutable"], b"private, max-age=31536000, immutable"),
    ],
)
def test_no_cache_between_keeps_an_answer(values: list[str], said: bytes) -> None:
    assert caching([value.encode() for value in values], authenticated=True) == said


@pytest.mark.parametrize(
    "name",
    [
        "Access-Control-Allow-Origin",
        "Access-Control-Allow-Credentials",
        "Strict-Transport-Security",
        "Clear-Site-Data",
        "Alt-Svc",
        "Connection",
        "Keep-Alive",
        "Transfer-Encoding",
        "Trailer",
        "Upgrade",
        "Proxy-Authenticate",
        "X-Accel-Redirect",
        "X-Sendfile",
        "Server",
        "Report-To",
        "NEL",
        "X-Powered-By",
        "X-Request-Id",
    ],
)
def test_what_speaks_for_the_site_or_the_connection_is_dropped(name: str) -> None:
    value = "chunked" if name == "Transfer-Encoding" else "x"
    assert name.lower().encode() not in answered((name, value), ("X-Thing", "1"))
    assert answered((name, value), ("X-Thing", "1"))[b"x-thing"] == [b"1"]


@pytest.mark.parametrize("place", ["http://acme.lake.localhost:8600/ui/", "https://acme.lake.localhost:8600/ui/"])
def test_an_app_behind_tls_takes_its_scheme_for_the_browsers_and_leads_to_itself_all_the_same(place: str) -> None:
    laptop = Exposure(b"http://acme.lake.localhost:8600", b"https://127.0.0.1:8443", b"http://lake.localhost:8600")
    assert laptop.leads(place.encode()) == b"http://acme.lake.localhost:8600/ui/"
    assert laptop.leads(place.replace("acme", "other").encode()) is None
    assert laptop.leads(b"https://lake.localhost:8600/ui/") is None, "the portal is where it says, by its own scheme"


def test_what_connection_names_is_dropped() -> None:
    assert b"x-hop" not in answered(("Connection", "close, X-Hop"), ("X-Hop", "1"))


@pytest.mark.parametrize(
    "pairs",
    [
        [("Content-Length", "1"), ("Content-Length", "2")],
        [("Content-Length", "-1")],
        [("Content-Length", "1, 2")],
        [("Content-Length", "1"), ("Transfer-Encoding", "chunked")],
        [("X-Thing", "a\r\nSet-Cookie: b=1")],
        [("X Thing", "a")],
        [(f"X-{n}", "a") for n in range(201)],
        [("X-Long", "a" * 70_000)],
    ],
)
def test_an_answer_that_two_could_read_differently_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(UpstreamError):
        answered(*pairs)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12), st.sampled_from([b"", b"/apps/acme"]))
def test_whatever_an_app_answers_nothing_of_it_speaks_for_others(pairs: list[tuple[str, bytes]], prefix: bytes) -> None:
    exposure = Exposure(EXPOSURE.origin, EXPOSURE.target, EXPOSURE.portal, prefix)
    try:
        headers = response_headers.build([(n.encode(), v) for n, v in pairs], exposure)
    except UpstreamError:
        return
    names = [name for name, _ in headers]
    assert names.count(b"cache-control") == 1
    assert not set(names) & (response_headers.HOP_BY_HOP | response_headers.DROPPED)
    for name, value in headers:
        assert not set(b"\r\n\0") & set(value)
        if name == b"set-cookie":
            assert b"domain" not in value.lower().split(b";", 1)[-1].replace(b" ", b"").split(b"=")
            assert not is_ours(value.split(b"=")[0].strip())


@given(st.text(max_size=60))
def test_whatever_a_redirect_says_it_stays_in_the_house(text: str) -> None:
    led = EXPOSURE.leads(text.encode("utf-8", "replace"))
    if led is None or not led:
        return
    assert not led.startswith(b"//")
    if b":" in led.split(b"/", 1)[0]:
        assert led.startswith((EXPOSURE.origin, EXPOSURE.portal))

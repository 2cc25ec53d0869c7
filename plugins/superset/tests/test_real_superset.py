"""The plugin and its security manager against the real Superset 6.1, through a portal that runs as it always does."""

import base64
import hmac
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey

from openlakes_portal.spi import InvalidInput, NotAllowed, NotFound, PortalError, UpstreamAuthFailed, UpstreamResponse
from openlakes_portal_superset import errors

pytestmark = pytest.mark.server
API = "/api/plugins/superset/"
ME = "/api/v1/me/"
FLIGHTS = 336_776


class Person:
    """Requests of a persona to the portal."""

    def __init__(self, server: Any, persona: str) -> None:
        self._portal = server.portal
        answer = self._portal.ask("/auth/demo", {"persona": persona})
        self._headers = {
            "Cookie": answer.headers["set-cookie"].split(";")[0],
            "X-CSRF-Token": answer.json()["csrf_token"],
        }

    def ask(self, path: str, body: Any = None) -> Any:
        """Any answer."""
        return self._portal.ask(path, body, self._headers)

    def get(self, path: str) -> Any:
        """The JSON of a GET that must work."""
        answer = self.ask(path)
        assert answer.status == 200, answer
        return answer.json()


@pytest.fixture(scope="module")
def engineer(superset_server: Any) -> Person:
    return Person(superset_server, "data-engineer")


@pytest.fixture(scope="module")
def analyst(superset_server: Any) -> Person:
    return Person(superset_server, "bi-analyst")


def roles_of(server: Any, token: str) -> set[str]:
    """A person's roles, as Superset says."""
    answer = server.ask("/api/v1/me/roles/", token)
    assert answer.status == 200, answer
    return set(answer.json()["result"]["roles"])


def unsigned(claims: Mapping[str, Any], header: Mapping[str, Any]) -> str:
    """A token without a signature."""

    def part(value: Mapping[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header)}.{part(claims)}."


def claims_for(server: Any, **changed: Any) -> dict[str, Any]:
    """Claims that would be believed."""
    now = int(time.time()) - 5
    whole = {"iss": server.issuer, "sub": "mallory", "aud": "superset", "iat": now, "nbf": now, "exp": now + 300}
    return {**whole, "roles": ["platform-admin"], **changed}


def with_the_public_key_as_a_secret(server: Any) -> str:
    """As an attacker does it who hopes that a verifier takes the algorithm from the token."""
    head, body, _ = unsigned(claims_for(server), {"alg": "HS256", "kid": server.key.kid}).split(".")
    proof = hmac.new(server.key.as_pem(private=False), f"{head}.{body}".encode(), "sha256").digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


FORGED: dict[str, Callable[[Any], str]] = {
    "a plain name": lambda server: "platform-admin",
    "expired": lambda server: server.token("mallory", "platform-admin", exp=int(time.time()) - 60),
    "not yet": lambda server: server.token("mallory", "platform-admin", nbf=int(time.time()) + 60),
    "for another system": lambda server: server.token("mallory", "platform-admin", aud="airflow"),
    "for two systems": lambda server: server.token("mallory", "platform-admin", aud=["superset", "airflow"]),
    "of another issuer": lambda server: server.token("mallory", "platform-admin", iss="http://elsewhere.test"),
    "without an end": lambda server: server.token("mallory", "platform-admin", exp=None),
    "without roles": lambda server: server.token("mallory", roles=None),
    "roles as text": lambda server: server.token("mallory", roles="platform-admin"),
    "without a name": lambda server: server.token("mallory", "platform-admin", sub=None),
    "of an unknown key": lambda server: server.token(
        "mallory", "platform-admin", key=OKPKey.generate_key("Ed25519"), kid="mine"
    ),
    "another key by a known name": lambda server: server.token(
        "mallory", "platform-admin", key=OKPKey.generate_key("Ed25519")
    ),
    "another kind of key by a known name": lambda server: server.token(
        "mallory", "platform-admin", key=ECKey.generate_key("P-256"), alg="ES256"
    ),
    "the public key as a secret": with_the_public_key_as_a_secret,
    "unsigned": lambda server: unsigned(claims_for(server), {"alg": "none", "kid": server.key.kid}),
    "cut off": lambda server: server.token("mallory", "platform-admin")[:-20],
}


@pytest.mark.parametrize("kind", FORGED)
@pytest.mark.parametrize("carrier", ["X-OpenLakes-Identity", "Authorization"])
def test_only_the_portals_word_for_superset_is_believed(superset_server: Any, kind: str, carrier: str) -> None:
    forged = FORGED[kind](superset_server)
    value = forged if carrier == "X-OpenLakes-Identity" else f"Bearer {forged}"
    answer = superset_server.ask(ME, headers={carrier: value, "Remote-User": "platform-admin"})
    assert answer.status in (401, 422), answer
    assert superset_server.sql("SELECT username FROM ab_user WHERE username = 'mallory'") == []


def test_the_portals_word_is_enough_in_either_header(superset_server: Any) -> None:
    token = superset_server.token("data-engineer", "data-engineer")
    for headers in ({"X-OpenLakes-Identity": token}, {"Authorization": f"Bearer {token}"}):
        answer = superset_server.ask(ME, headers=headers)
        assert (answer.status, answer.json()["result"]["username"]) == (200, "data-engineer")
    assert superset_server.ask(ME).status == 401, "nobody without it"


def test_roles_follow_the_roles_of_the_portal_with_the_next_request(superset_server: Any) -> None:
    name = "roving"
    expected = {
        ("platform-admin",): {"Admin"},
        ("data-engineer",): {"Alpha", "sql_lab"},
        ("analytics-engineer", "viewer"): {"Alpha", "sql_lab"},
        ("bi-analyst",): {"Gamma", "lakehouse"},
        ("bi-analyst", "data-engineer"): {"Gamma", "lakehouse", "Alpha", "sql_lab"},
    }
    for given, roles in expected.items():
        assert roles_of(superset_server, superset_server.token(name, *given)) == roles
    for none in ((), ("viewer",), ("made-up",)):
        assert superset_server.ask(ME, superset_server.token(name, *none)).status == 401, "nothing is left"
    assert superset_server.sql(
        "SELECT count(*) FROM ab_user_role ur JOIN ab_user u ON u.id = ur.user_id WHERE u.username = 'roving'"
    ) == [["0"]]
    assert superset_server.ask(ME, superset_server.token("stranger", "viewer")).status == 401
    assert superset_server.sql("SELECT 1 FROM ab_user WHERE username = 'stranger'") == [], "nor is anybody made"


def test_somebody_who_was_made_inactive_in_superset_stays_out(superset_server: Any) -> None:
    token = superset_server.token("leaver", "data-engineer")
    assert superset_server.ask(ME, token).status == 200
    superset_server.sql("UPDATE ab_user SET active = false WHERE username = 'leaver'")
    assert superset_server.ask(ME, token).status == 401


def test_a_person_is_called_what_the_portal_calls_them(superset_server: Any) -> None:
    def called(name: str) -> tuple[str, str]:
        token = superset_server.token("ada", "bi-analyst", name=name, email="ada@acme.example")
        result = superset_server.ask(ME, token).json()["result"]
        assert result["email"] == "ada@acme.example"
        return result["first_name"], result["last_name"]

    assert called("Ada Byron") == ("Ada", "Byron")
    assert called("Ada King of Lovelace") == ("Ada", "King of Lovelace")
    assert called("Ada") == ("Ada", "-")


def test_first_requests_at_once_make_one_user(superset_server: Any) -> None:
    token = superset_server.token("hasty", "bi-analyst", name="Hasty One")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: superset_server.ask(ME, token).status, range(8)))
    assert answers == [200] * 8
    assert superset_server.sql("SELECT count(*) FROM ab_user WHERE username = 'hasty'") == [["1"]]


def test_a_session_cookie_alone_is_never_enough_and_names_nobody_else(superset_server: Any) -> None:
    admin, analyst = superset_server.token("root", "platform-admin"), superset_server.token("b", "bi-analyst")
    answer = superset_server.ask("/api/v1/security/csrf_token/", admin)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    cookie = headers["set-cookie"].split(";")[0]
    assert cookie.startswith("superset_session=")
    assert superset_server.ask(ME, headers={"Cookie": cookie}).status == 401
    answer = superset_server.ask(ME, analyst, headers={"Cookie": cookie})
    assert answer.json()["result"]["username"] == "b"


def test_nobody_signs_in_with_a_password(superset_server: Any) -> None:
    body = {"username": "platform-admin", "password": "x", "provider": "db", "refresh": True}
    assert superset_server.ask("/api/v1/security/login", body=body).status in (400, 401, 404)
    page = superset_server.ask("/login/", headers={"Accept": "text/html"})
    assert page.status == 403
    assert superset_server.issuer.encode() in page.body
    assert b"password" not in page.body.lower()
    assert superset_server.ask("/register/", headers={"Accept": "text/html"}).status == 404


def test_guest_tokens_of_embedded_dashboards_work_as_ever(superset_server: Any) -> None:
    now = int(time.time())
    claims = {
        "user": {"username": "guest-of-a-site", "first_name": "G", "last_name": "S"},
        "resources": [{"type": "dashboard", "id": "00000000-0000-0000-0000-000000000000"}],
        "rls_rules": [],
        "iat": now,
        "exp": now + 60,
        "aud": "superset",
        "type": "guest",
    }
    secret = OctKey.import_key(superset_server.site.secret("guests"))
    guest = jwt.encode({"alg": "HS256"}, claims, secret, algorithms=["HS256"])
    answer = superset_server.ask(ME, headers={"X-GuestToken": guest})
    assert answer.status == 403, "a guest is known, and this site's role of guests may nothing"
    assert superset_server.ask(ME, headers={"X-GuestToken": guest[:-5] + "AAAAA"}).status == 401
    person = superset_server.ask(ME, superset_server.token("b", "bi-analyst"), headers={"X-GuestToken": guest})
    assert person.json()["result"]["username"] == "b", "the portal's word comes first"


@pytest.mark.parametrize("script", ["check_keys.py", "check_names.py", "check_cookies.py"])
def test_keys_are_kept_followed_and_dropped_and_names_are_taken_as_they_are(superset_server: Any, script: str) -> None:
    told = {"PYTHONPATH": str(superset_server.site.folder / "upstream"), "PATH": os.environ["PATH"]}
    ended = subprocess.run(
        [superset_server.python, "-P", Path(__file__).with_name(script)], env=told, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_dashboards_and_charts_are_there_for_who_may_see_them(engineer: Person, analyst: Person) -> None:
    for person in (engineer, analyst):
        found = person.get(f"{API}dashboards?search=flights")
        assert [(t["title"], t["owners"], t["is_published"]) for t in found["items"]] == [
            ("Flights of 2013", ["Pat Adeyemi"], True)
        ]
        charts = person.get(f"{API}charts?sort=title")
        assert charts["total"] == 5
        assert [t["title"] for t in charts["items"]] == sorted(t["title"] for t in charts["items"])
        assert {t["dataset"] for t in charts["items"]} == {"nyc.flights"}
    assert engineer.get(f"{API}dashboards?mine=true")["items"] == []
    assert engineer.get(f"{API}charts?search=by%20airline&limit=1")["total"] == 1
    assert engineer.get(f"{API}charts?limit=2&page=2")["items"], "the fifth stands on the third page"
    board = found["items"][0]
    assert engineer.get(f"{API}dashboards/{board['id']}")["title"] == "Flights of 2013"
    assert engineer.ask(f"{API}dashboards/999999").status == 404
    assert engineer.ask(f"{API}dashboards/{board['id']}/picture").status == 404, "no pictures are made"


@pytest.mark.parametrize("text", ["it's", "a:b,c'd!", "')),filters:!()", "100% & +#;", "!", "Ünï", "%"])
def test_whatever_is_searched_for_is_text(engineer: Person, text: str) -> None:
    from urllib.parse import quote

    for kind in ("dashboards", "charts"):
        found = engineer.get(f"{API}{kind}?search={quote(text)}")
        assert found["total"] == len(found["items"])


def test_the_charts_draw_from_all_the_flights(superset_server: Any) -> None:
    token = superset_server.token("bi-analyst", "bi-analyst")
    listed = superset_server.ask("/api/v1/chart/", token).json()["result"]
    ids = {chart["slice_name"]: chart["id"] for chart in listed}

    def rows(chart: str) -> list[dict[str, Any]]:
        answer = superset_server.ask(f"/api/v1/chart/{ids[chart]}/data/", token)
        assert answer.status == 200, answer
        found: list[dict[str, Any]] = answer.json()["result"][0]["data"]
        return found

    assert rows("Flights of the year") == [{"Flights": FLIGHTS}]
    assert (len(rows("Flights a month")), sum(r["Flights"] for r in rows("Flights a month"))) == (12, FLIGHTS)
    assert {r["origin"] for r in rows("Flights by airport")} == {"EWR", "JFK", "LGA"}
    assert sum(r["Flights"] for r in rows("Flights by airport")) == FLIGHTS


def test_data_and_palette_know_them(engineer: Person, superset_server: Any) -> None:
    data = engineer.get(f"{API}data")
    assert [(d["name"], d["namespace"], d["kind"]) for d in data["datasets"]] == [("flights", "nyc", "physical")]
    assert [(d["kind"], d["sql_lab"]) for d in data["databases"]] == [("postgresql", True)]
    deadline = time.monotonic() + 30
    while not (found := [i["title"] for i in engineer.get("/api/search?q=flights")["items"] if "uperset" in i["kind"]]):
        assert time.monotonic() < deadline
    assert "Flights of 2013" in found
    assert "Flights a month" in found


def test_a_query_of_the_workbench_goes_on_in_sql_lab_as_the_person(engineer: Person, superset_server: Any) -> None:
    sql = "SELECT carrier, count(*) AS n -- 'ü'\nFROM nyc.flights GROUP BY carrier"
    answer = engineer.ask(f"{API}sql-lab", {"sql": sql, "engine": "duckdb", "schema": "nyc", "title": "By carrier"})
    assert answer.status == 201, answer
    key = answer.json()["place"].removeprefix("/sqllab/p/")
    token = superset_server.token("data-engineer", "data-engineer")
    kept = superset_server.ask(f"/api/v1/sqllab/permalink/{key}", token).json()
    assert (kept["sql"], kept["schema"], kept["name"], kept["autorun"]) == (sql, "nyc", "By carrier", False)
    analyst = superset_server.token("bi-analyst", "bi-analyst")
    assert superset_server.ask(f"/api/v1/sqllab/permalink/{key}", analyst).status == 403, "no SQL Lab for analysts"


def test_supersets_own_record_names_each_person(superset_server: Any, engineer: Person, analyst: Person) -> None:
    statement = "SELECT DISTINCT u.username FROM logs l JOIN ab_user u ON u.id = l.user_id WHERE l.action LIKE '%{}%'"
    engineer.get(f"{API}dashboards")
    analyst.get(f"{API}dashboards")
    named = {row[0] for row in superset_server.sql(statement.format("DashboardRestApi.get_list"))}
    assert {"data-engineer", "bi-analyst"} <= named
    engineer.ask(f"{API}sql-lab", {"sql": "SELECT 1", "engine": "duckdb"})
    named = {row[0] for row in superset_server.sql(statement.format("SqlLabPermalinkRestApi.post"))}
    assert named == {"data-engineer"}


def test_two_people_at_once_are_each_themselves(superset_server: Any) -> None:
    people = {name: Person(superset_server, name) for name in ("data-engineer", "analytics-engineer")}

    def opened(name: str) -> str:
        answer = people[name].ask(f"{API}sql-lab", {"sql": f"SELECT '{name}'", "engine": "duckdb", "title": name})
        assert answer.status == 201, answer
        key: str = answer.json()["place"].removeprefix("/sqllab/p/")
        return key

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(opened, list(people) * 5))
    assert len(set(made)) == 10
    statement = "SELECT u.username, count(*) FROM key_value k JOIN ab_user u ON u.id = k.created_by_fk GROUP BY 1"
    counts = {row[0]: int(row[1]) for row in superset_server.sql(statement)}
    assert counts["data-engineer"] >= 5
    assert counts["analytics-engineer"] == 5


SHAPES: list[tuple[str, type[PortalError], str]] = [
    ("/api/v1/dashboard/999999", NotFound, "no such thing"),
    ("/api/v1/dashboard/?q=(bad", InvalidInput, "Not a valid rison"),
    ("/api/v1/database/1/connection", NotAllowed, "does not let you"),
]


@pytest.mark.parametrize(("path", "kind", "words"), SHAPES)
def test_what_the_real_superset_says_is_understood(
    superset_server: Any, path: str, kind: type[PortalError], words: str
) -> None:
    answer = superset_server.ask(path, superset_server.token("bi-analyst", "bi-analyst"))
    with pytest.raises(kind, match=words):
        errors.read(UpstreamResponse(answer.status, {}, answer.body))


def test_a_write_without_csrf_token_is_refused_and_understood(superset_server: Any) -> None:
    token = superset_server.token("data-engineer", "data-engineer")
    answer = superset_server.ask(
        "/api/v1/sqllab/permalink", token, {"dbId": 1, "name": "x", "sql": "x", "autorun": False}
    )
    assert answer.status == 400
    with pytest.raises(InvalidInput, match="CSRF token is missing"):
        errors.read(UpstreamResponse(answer.status, {}, answer.body))


def test_who_is_not_known_is_understood(superset_server: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer a.b"}):
        answer = superset_server.ask(ME, headers=headers)
        with pytest.raises(UpstreamAuthFailed, match="does not take the portal's word"):
            errors.read(UpstreamResponse(answer.status, {}, answer.body))


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *words: Any) -> None:
        return None


def test_supersets_pages_send_who_is_nobody_to_words_and_never_in_circles(superset_server: Any) -> None:
    opener = urllib.request.build_opener(NoRedirect)
    with pytest.raises(urllib.error.HTTPError) as sent:
        opener.open(f"{superset_server.address}/superset/welcome/")
    with sent.value as answer:
        assert (answer.code, "/login/" in answer.headers["Location"]) == (302, True)


def test_health_tells_the_version(superset_server: Any) -> None:
    items = Person(superset_server, "platform-admin").get("/api/components")["items"]
    (tile,) = [item for item in items if item["plugin"] == "superset"]
    assert (tile["state"], tile["details"]["version"]) == ("healthy", "6.1.0")

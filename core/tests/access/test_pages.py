"""The console's pages of access: who is offered them, and what opens one that somebody may not open."""

import pytest

from openlakes_portal._http.shell import PAGES

from .conftest import OpenHouse

ACCESS = {
    "Access requests",
    "Users",
    "Groups",
    "Service accounts",
    "Roles",
    "Bindings",
    "Who can do what",
    "Explain access",
    "Sessions",
    "API tokens",
}


async def test_the_pages_of_access_are_offered_to_who_may_open_them(open_house: OpenHouse) -> None:
    portal = await open_house()
    for persona, expected in (("platform-admin", ACCESS), ("viewer", set())):
        client = portal.signed_in(persona)
        nav = (await client.get("/api/bootstrap")).json()["nav"]
        assert {entry["label"] for entry in nav} & ACCESS == expected
        hits = (await client.get("/api/search?q=account")).json()["items"]
        assert ("My account", "/account") in {(hit["title"], hit["path"]) for hit in hits}


async def test_a_page_names_the_permission_that_opens_it(open_house: OpenHouse) -> None:
    portal = await open_house()
    viewer = portal.signed_in("viewer")
    users = await viewer.get("/api/access/page?path=/admin/users")
    assert users.json() == {"path": "/admin/users", "title": "Users", "permission": "core:access:read"}
    assert (await viewer.get("/api/access/page?path=/account")).json()["permission"] is None
    things = (await viewer.get("/api/access/page?path=/x/acme/things")).json()
    assert things["permission"] == "acme:thing:read"
    assert (await viewer.get("/api/access/page?path=/x/acme/nowhere")).status_code == 404
    assert (await portal.anonymous.get("/api/access/page?path=/admin/users")).status_code == 401


@pytest.mark.parametrize("path", ["/account", "/admin/users/anna", "/admin/roles/night-shift"])
def test_an_address_of_a_page_is_no_error(path: str) -> None:
    assert PAGES.match(path)


@pytest.mark.parametrize("path", ["/account/x", "/accounts", "/users"])
def test_any_other_address_is(path: str) -> None:
    assert not PAGES.match(path)

"""Access in Chromium at a real provider: somebody asks where they stand, an admin grants for an hour and takes it back;
roles, bindings, service accounts and tokens are made, seen to count, and ended."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

import served
from browser import chromium
from browser.chromium import SIZES, picture
from real_servers import child

from .oidc_provider import NodeProvider
from .portal import oidc_settings

pytestmark = pytest.mark.browser
SOON = 10_000


@pytest.fixture(scope="module")
def portal(node_provider: NodeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[served.Served]:
    folder, port = tmp_path_factory.mktemp("portal"), child.free_port()
    settings: dict[str, Any] = oidc_settings(node_provider)
    settings["server"] = {"public_url": f"http://localhost:{port}", "port": port, "data_dir": str(folder / "data")}
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "openlakes_portal.cli", "serve", "--config", str(folder / "settings.json")]
    process = child.start(command, folder / "log", cwd=folder)
    running = served.Served(f"http://localhost:{port}", process)
    try:
        process.wait_until(running.is_ready, 60)
        yield running
    finally:
        process.stop()


@pytest.fixture(scope="module")
def launched() -> Iterator[Browser]:
    with chromium.browser() as running:
        yield running


@contextmanager
def signed_in(
    launched: Browser, portal: served.Served, username: str, width: int = 1440, theme: str = "light"
) -> Iterator[chromium.Tab]:
    """Somebody who came in by the provider's own page."""
    with chromium.tab(launched, portal.address, width, theme) as tab:
        tab.page.goto(f"{portal.address}/")
        tab.page.get_by_role("link", name="Sign in").click()
        tab.page.fill("[name=username]", username)
        tab.page.fill("[name=password]", f"{username}-pw")
        tab.page.press("[name=password]", "Enter")
        expect(tab.page.locator("#main h1")).to_be_visible()
        yield tab


def choose(dialog: Locator, label: str, text: str) -> None:
    """Find an option of a searchable field by typing, and take it."""
    dialog.get_by_label(label, exact=True).fill(text)
    dialog.page.get_by_role("option", name=text, exact=False).first.click()


def test_who_lacks_a_permission_asks_there_is_granted_it_and_loses_it_with_the_binding(
    launched: Browser, portal: served.Served
) -> None:
    with signed_in(launched, portal, "bob") as bob, signed_in(launched, portal, "alice") as alice:
        bob.go("/admin/plugins")
        expect(bob.page.get_by_role("heading", name="Plugins: not yet for you")).to_be_visible()
        expect(bob.page.get_by_text("the default: what nothing gives is refused")).to_be_visible()
        bob.page.get_by_label("What you need it for").fill("to see why Trino is away")
        bob.page.get_by_text("1 hour", exact=True).click()
        picture(bob.page, "ask")
        bob.check_axe()
        bob.page.get_by_role("button", name="Ask for access").click()
        expect(bob.page.get_by_text("You have asked for this")).to_be_visible()

        alice.go("/admin/requests")
        alice.page.get_by_role("button", name="Review and grant core:plugin:read to Bob Test").click(timeout=SOON)
        dialog = alice.page.get_by_role("dialog")
        expect(dialog.get_by_role("status", name="What it does")).to_contain_text("Bob Test gains permissions")
        picture(alice.page, "grant")
        alice.check_axe()
        dialog.get_by_label("Reason").fill("on call this week")
        dialog.get_by_role("button", name="Grant").click()
        expect(alice.page.get_by_text("Bob Test may do it within a second")).to_be_visible()

        expect(bob.page.get_by_role("heading", name="Plugins", exact=True)).to_be_visible(timeout=SOON)

        alice.go("/admin/bindings?subject=bob")
        row = alice.page.get_by_role("row", name="core:plugin:read")
        expect(row).to_contain_text("to see why Trino is away")
        row.get_by_role("button", name="Remove").click()
        expect(dialog.get_by_role("status", name="What it does")).to_contain_text("Bob Test loses permissions")
        picture(alice.page, "take-back")
        alice.check_axe()
        dialog.get_by_role("button", name="Remove binding").click()
        expect(alice.page.get_by_text("what it gave ends within a second")).to_be_visible()
        expect(alice.page.get_by_text("Change or clear the filters above.")).to_be_visible()

        bob.go("/admin/plugins")
        expect(bob.page.get_by_role("heading", name="Plugins: not yet for you")).to_be_visible()
        bob.check_faults()
        alice.check_faults()


def test_an_admin_ends_a_session_and_that_browser_says_so(launched: Browser, portal: served.Served) -> None:
    with signed_in(launched, portal, "carol") as carol, signed_in(launched, portal, "alice") as alice:
        alice.go("/admin/sessions?username=carol")
        alice.page.get_by_role("button", name="End all of carol").click()
        alice.page.get_by_role("dialog").get_by_role("button", name="End them").click()
        expect(alice.page.get_by_text("1 session of carol ended")).to_be_visible()
        carol.expect_fault("401")
        carol.page.keyboard.press("Control+K")
        expect(carol.page.get_by_role("combobox", name="Search or jump to")).to_be_focused()
        carol.page.keyboard.type("plugins")
        expect(carol.page.get_by_text("You were signed out")).to_be_visible(timeout=SOON)
        alice.check_faults()
        carol.check_faults()


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_a_role_is_made_given_changed_explained_and_removed(
    launched: Browser, portal: served.Served, width: int, theme: str
) -> None:
    role = f"night-{width}-{theme}"
    with signed_in(launched, portal, "bob"), signed_in(launched, portal, "alice", width, theme) as alice:
        page, dialog = alice.page, alice.page.get_by_role("dialog")
        alice.go("/admin/roles")
        page.get_by_role("button", name="New role").click()
        dialog.get_by_role("button", name="Create role").click()
        expect(dialog.get_by_text("Say in a line who this is for.")).to_be_visible()
        dialog.get_by_label("Name", exact=True).fill(role)
        dialog.get_by_label("Description", exact=True).fill("Watches at night")
        dialog.get_by_label("core:plugin:read").check()
        alice.check_axe()
        picture(page, f"role-new-{width}-{theme}")
        dialog.get_by_role("button", name="Create role").click()
        expect(page.get_by_role("heading", name=role)).to_be_visible()
        expect(dialog).to_have_count(0)

        page.get_by_role("button", name="Give this role").click()
        dialog.get_by_label("Group", exact=True).fill("/data/analysts")
        page.keyboard.press("Escape") if dialog.get_by_role("listbox").count() else None
        dialog.get_by_label("Reason").fill("night shift of this quarter")
        preview = dialog.get_by_role("status", name="What it does")
        expect(preview).to_contain_text("Bob Test")
        expect(preview).to_contain_text("core:plugin:read")
        alice.check_axe()
        picture(page, f"binding-new-{width}-{theme}")
        dialog.get_by_role("button", name="Create binding").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("region", name="Given by", exact=True)).to_contain_text("/data/analysts")

        page.get_by_role("button", name="Change", exact=True).click()
        dialog.get_by_label("core:setting:read").check()
        expect(preview).to_contain_text("core:setting:read")
        picture(page, f"role-change-{width}-{theme}")
        dialog.get_by_role("button", name="Save role").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("region", name="Holds", exact=True)).to_contain_text("core:setting:read")
        alice.check_axe()
        picture(page, f"role-{width}-{theme}")

        alice.go("/admin/matrix?permission=core:setting:read")
        expect(page.get_by_label("Who can do what").get_by_role("link", name="Bob Test").first).to_be_attached()
        alice.check_axe()
        picture(page, f"matrix-{width}-{theme}")

        alice.go("/admin/explain?subject=bob&permission=core:setting:read")
        answer = page.get_by_role("region", name="Answer")
        expect(answer).to_contain_text("Yes")
        expect(answer.locator("li[data-deciding]")).to_contain_text(role)

        alice.go(f"/admin/roles/{role}")
        page.get_by_role("button", name="Remove", exact=True).click()
        expect(dialog.get_by_role("button", name="Remove role")).to_be_disabled()
        dialog.get_by_role("link", name="see them").click()
        page.get_by_role("button", name=f"Change what gives {role}").click()
        dialog.get_by_role("combobox", name="Until").or_(dialog.get_by_label("Until")).first.click()
        page.get_by_role("option", name="For 8 hours from now").click()
        alice.check_axe()
        picture(page, f"binding-change-{width}-{theme}")
        dialog.get_by_role("button", name="Save binding").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("region", name="Bindings, table")).not_to_contain_text("for good")
        picture(page, f"bindings-{width}-{theme}")
        page.get_by_role("button", name=f"Remove what gives {role}").click()
        dialog.get_by_role("button", name="Remove binding").click()
        expect(dialog).to_have_count(0)
        alice.go(f"/admin/roles/{role}")
        page.get_by_role("button", name="Remove", exact=True).click()
        dialog.get_by_role("button", name="Remove role").click()
        expect(page.get_by_role("heading", name="Roles", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name=role)).to_have_count(0)
        alice.check_faults()


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_a_service_account_gets_a_role_and_a_token_that_works_until_it_is_revoked(
    launched: Browser, portal: served.Served, width: int, theme: str
) -> None:
    name = f"nightly-{width}-{theme}"
    with signed_in(launched, portal, "alice", width, theme) as alice:
        page, dialog = alice.page, alice.page.get_by_role("dialog")
        alice.go("/admin/service-accounts")
        page.get_by_role("button", name="New service account").click()
        dialog.get_by_label("Name", exact=True).fill(name)
        dialog.get_by_label("Description", exact=True).fill("Loads the sales mart; ask data-platform")
        alice.check_axe()
        picture(page, f"account-new-{width}-{theme}")
        dialog.get_by_role("button", name="Create account").click()
        expect(page.get_by_role("heading", name=f"service:{name}")).to_be_visible()

        page.get_by_role("button", name="Give a role").click()
        choose(dialog, "Gives", "viewer")
        dialog.get_by_label("Reason").fill("reads what it loads")
        expect(dialog.get_by_role("status", name="What it does")).to_contain_text("gains permissions")
        dialog.get_by_role("button", name="Create binding").click()
        expect(dialog).to_have_count(0)
        expect(page.get_by_role("region", name="Roles, and why", exact=True)).to_contain_text("viewer")

        page.get_by_role("button", name="New token").click()
        dialog.get_by_label("Name", exact=True).fill("laptop of the night shift")
        dialog.get_by_label("core:health:read").check()
        dialog.get_by_role("button", name="Create token").click()
        token = dialog.locator("[data-token]").inner_text()
        assert token not in page.url
        alice.check_axe()
        dialog.get_by_role("button", name="I have kept it").click()
        sent = {"Authorization": f"Bearer {token}"}
        assert portal.ask("/api/components", headers=sent).status == 200
        refused = portal.ask("/api/plugins", headers=sent)
        assert refused.status == 403
        expect(page.get_by_role("region", name="API tokens", exact=True)).to_contain_text("laptop of the night shift")
        alice.check_axe()
        picture(page, f"account-{width}-{theme}")

        page.get_by_role("button", name="Revoke laptop of the night shift").click()
        dialog.get_by_role("button", name="Revoke token").click()
        expect(dialog).to_have_count(0)
        assert portal.ask("/api/components", headers=sent).status == 401
        page.get_by_role("button", name="Disable", exact=True).click()
        expect(dialog.get_by_role("status", name="What it does")).to_contain_text("loses")
        dialog.get_by_role("button", name="Disable", exact=True).click()
        expect(page.get_by_role("region", name="Account", exact=True)).to_contain_text("Disabled")
        page.get_by_role("button", name="Delete", exact=True).click()
        dialog.get_by_role("button", name="Delete account").click()
        expect(page.get_by_role("heading", name="Service accounts", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name=f"service:{name}")).to_have_count(0)
        alice.check_faults()

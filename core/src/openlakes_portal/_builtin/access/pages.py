"""Pages of accounts and access, and their lines in the navigation. The shell draws them."""

from openlakes_portal._builtin import permissions as may_do
from openlakes_portal.spi import NavEntry, Page, SignedIn


def access_pages() -> list[Page]:
    """One's own account is everybody's; so is the inbox, where owners of things find what they may decide."""
    read, machines = may_do.ACCESS_READ, may_do.SERVICE_ACCOUNTS
    own = SignedIn("it is about who asks")
    inbox = SignedIn("each sees those that they may decide")
    return [
        Page("account", "My account", own, export="Account", path="account"),
        Page("requests", "Access requests", inbox, export="Requests", path="admin/requests"),
        Page("users", "Users", read, export="Users", path="admin/users"),
        Page("groups", "Groups", read, export="Groups", path="admin/groups"),
        Page("roles", "Roles", read, export="Roles", path="admin/roles"),
        Page("bindings", "Bindings", read, export="Bindings", path="admin/bindings"),
        Page("matrix", "Who can do what", read, export="Matrix", path="admin/matrix"),
        Page("service-accounts", "Service accounts", machines, export="ServiceAccounts", path="admin/service-accounts"),
        Page("explain", "Explain access", read, export="Explain", path="admin/explain"),
        Page("sessions", "Sessions", may_do.SESSIONS, export="Sessions", path="admin/sessions"),
        Page("tokens", "API tokens", may_do.TOKENS, export="Tokens", path="admin/tokens"),
    ]


def access_nav() -> list[NavEntry]:
    """Questions of access are Govern, what answers them is Admin. The inbox is there for who decides everything; owners
    of things reach it from their account."""
    read = may_do.ACCESS_READ
    return [
        NavEntry("Govern", "Access requests", "requests", may_do.ACCESS, "inbox", 10),
        NavEntry("Govern", "Explain access", "explain", read, "help", 20),
        NavEntry("Govern", "Who can do what", "matrix", read, "table", 30),
        NavEntry("Admin", "Users", "users", read, "user", 20),
        NavEntry("Admin", "Groups", "groups", read, "users", 30),
        NavEntry("Admin", "Service accounts", "service-accounts", may_do.SERVICE_ACCOUNTS, "terminal", 40),
        NavEntry("Admin", "Roles", "roles", read, "star", 50),
        NavEntry("Admin", "Bindings", "bindings", read, "link", 60),
        NavEntry("Admin", "Sessions", "sessions", may_do.SESSIONS, "clock", 80),
        NavEntry("Admin", "API tokens", "tokens", may_do.TOKENS, "key", 90),
    ]

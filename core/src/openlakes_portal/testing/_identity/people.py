"""Whom the fake provider knows, and what it has given out."""

from dataclasses import dataclass, field
from typing import Any

from openlakes_portal.testing._identity.wire import json_reply


class SignInFailed(Exception):
    """The provider shows a page instead of sending the browser back; its text."""


@dataclass
class FakePerson:
    """Somebody who may sign in. Change the fields while the person is signed in: refresh and userinfo follow."""

    username: str
    subject: str = ""
    email: str | None = None
    email_verified: bool = True
    name: str | None = None
    groups: list[str] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)
    """Further claims of the ID token, the access token and userinfo."""
    audiences: tuple[str, ...] | None = None
    """For whom this person's token may be exchanged; None: for each audience of the provider."""
    disabled: bool = False

    def __post_init__(self) -> None:
        self.subject = self.subject or f"subject-of-{self.username}"
        self.email = self.email or f"{self.username}@example.test"
        self.name = self.name or self.username.title()

    def attributes(self) -> dict[str, Any]:
        """The claims about this person, without `sub`."""
        return {
            "preferred_username": self.username,
            "name": self.name,
            "email": self.email,
            "email_verified": self.email_verified,
            "groups": list(self.groups),
            **self.claims,
        }


@dataclass
class FakeSession:
    """A person's session with the provider; `sid` is in its tokens."""

    sid: str
    person: FakePerson
    auth_time: int
    ended: bool = False


@dataclass
class Code:
    session: FakeSession
    query: dict[str, str]
    expires: float
    used: bool = False


@dataclass
class Access:
    session: FakeSession
    claims: dict[str, Any]


@dataclass
class Refresh:
    session: FakeSession
    scope: str
    used: bool = False


class Refused(Exception):
    """An error answer of OAuth."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(error)
        self.reply = json_reply({"error": error, "error_description": description}, status)

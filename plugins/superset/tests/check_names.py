"""Whom the upstream package takes for whom. Superset's own Python runs it: `python check_names.py` ends with status 0,
or with the assertion that failed."""

import sys
from types import SimpleNamespace
from typing import Any

from openlakes_portal_superset.upstream.security import PortalSecurityManager
from openlakes_portal_superset.upstream.tokens import Person


class OfAnyCase(PortalSecurityManager):
    """Knows `Pat`, and finds them as a database does that compares without case."""

    def __init__(self) -> None:
        self.pat = SimpleNamespace(username="Pat", is_active=True, roles=[], first_name="Pat", last_name="-")

    def find_user(self, username: str | None = None, email: str | None = None) -> Any:
        return self.pat if (username or "").lower() == "pat" else None

    def update_user(self, user: Any) -> None:
        assert user is self.pat

    def _roles(self, person: Person) -> list[Any]:
        return [SimpleNamespace(id=1)]


def main() -> int:
    """Exit status 0: all of it holds."""
    manager = OfAnyCase()
    assert manager._user(Person("Pat", "Pat", None, frozenset())) is manager.pat
    manager.pat.roles = []
    assert manager._user(Person("pat", "Somebody Else", None, frozenset())) is None
    assert manager.pat.roles == [], "another person's roles are not theirs"
    assert manager.pat.first_name == "Pat"
    return 0


if __name__ == "__main__":
    sys.exit(main())

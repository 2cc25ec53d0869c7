"""A planted cookie keeps nobody out. Superset's own Python runs it: `python check_cookies.py` ends with status 0, or
with the assertion that failed."""

import os
import sys

from flask import Flask
from flask_login import LoginManager, UserMixin, current_user

os.environ.setdefault("OPENLAKES_PORTAL_URL", "https://portal.test")

from openlakes_portal_superset.upstream import superset_config


class Known(UserMixin):  # type: ignore[misc]
    """Whom the portal's token names."""

    id = "ada"


def main() -> int:
    """Exit status 0: all of it holds."""
    app = Flask(__name__)
    app.secret_key = "x"
    app.config["REMEMBER_COOKIE_NAME"] = superset_config.REMEMBER_COOKIE_NAME
    manager = LoginManager(app)
    manager.user_loader(lambda id: None)
    manager.request_loader(lambda request: Known())
    app.add_url_rule("/", view_func=lambda: str(current_user.is_authenticated))
    for name in ("remember_token", "session", "superset_session"):
        client = app.test_client()
        client.set_cookie(name, "planted")
        assert client.get("/").text == "True", name
    return 0


if __name__ == "__main__":
    sys.exit(main())

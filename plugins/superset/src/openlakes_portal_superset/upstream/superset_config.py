"""Superset's settings behind the portal. In your own `superset_config.py`::

    from openlakes_portal_superset.upstream.superset_config import *  # noqa: F403

with these variables in Superset's environment, and after it what is your own (`SQLALCHEMY_DATABASE_URI`, ...):

`OPENLAKES_PORTAL_URL` (the portal's public address), `OPENLAKES_PORTAL_JWKS_URL` (where Superset reaches its keys, by
default below that address), `OPENLAKES_PORTAL_ISSUER` (by default that address), `OPENLAKES_PORTAL_CA_FILE` (where its
certificate is not of a public authority), `OPENLAKES_PORTAL_AUDIENCE` (`superset`), `OPENLAKES_PORTAL_ROLES` (JSON: a
role of the portal -> a list of Superset's), `OPENLAKES_PORTAL_PREFIX` (path mode: `/apps/superset`).
"""

import copy
import json
import os

from flask_appbuilder.security.manager import AUTH_REMOTE_USER
from superset.config import TALISMAN_CONFIG as _TALISMAN
from superset.config import THEME_DARK as _DARK
from superset.config import THEME_DEFAULT as _LIGHT

from openlakes_portal_superset.upstream.security import PortalSecurityManager

OPENLAKES_PORTAL_URL = os.environ["OPENLAKES_PORTAL_URL"].rstrip("/")
OPENLAKES_PORTAL_ISSUER = os.environ.get("OPENLAKES_PORTAL_ISSUER") or OPENLAKES_PORTAL_URL
OPENLAKES_PORTAL_JWKS_URL = (
    os.environ.get("OPENLAKES_PORTAL_JWKS_URL") or f"{OPENLAKES_PORTAL_URL}/.well-known/jwks.json"
)
OPENLAKES_PORTAL_CA_FILE = os.environ.get("OPENLAKES_PORTAL_CA_FILE")
OPENLAKES_PORTAL_AUDIENCE = os.environ.get("OPENLAKES_PORTAL_AUDIENCE") or "superset"
OPENLAKES_PORTAL_ROLES = json.loads(os.environ.get("OPENLAKES_PORTAL_ROLES") or "null") or {
    "platform-admin": ["Admin"],
    "data-engineer": ["Alpha", "sql_lab"],
    "analytics-engineer": ["Alpha", "sql_lab"],
    "bi-analyst": ["Gamma"],
}
"""Every other role of the portal, and no role at all, opens nothing."""

AUTH_TYPE = AUTH_REMOTE_USER
"""Switches every sign-in by password off, also that of the API."""
CUSTOM_SECURITY_MANAGER = PortalSecurityManager
AUTH_USER_REGISTRATION = False
AUTH_USERNAME_CI = False
"""`Pat` and `pat` are two people to the portal, and to every system behind it."""

APPLICATION_ROOT = os.environ.get("OPENLAKES_PORTAL_PREFIX") or "/"
ENABLE_PROXY_FIX = True
PROXY_FIX_CONFIG = {"x_for": 1, "x_proto": 1, "x_host": 1, "x_port": 0, "x_prefix": 0}
SESSION_COOKIE_NAME = "superset_session"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = OPENLAKES_PORTAL_URL.startswith("https:")
REMEMBER_COOKIE_NAME = "__Host-superset_remember"
"""Nobody is remembered here. Any cookie of this name, also one that another app of the portal plants for the whole
domain, would keep Superset from looking at the portal's token; with this prefix browsers let nobody plant one."""
LOGOUT_REDIRECT_URL = f"{OPENLAKES_PORTAL_URL}/signout"

FEATURE_FLAGS = {"DASHBOARD_RBAC": True, "EMBEDDED_SUPERSET": True}
GUEST_TOKEN_JWT_AUDIENCE = OPENLAKES_PORTAL_AUDIENCE

# Nothing is fetched from, and nothing told to, anybody outside.
TALISMAN_CONFIG = copy.deepcopy(_TALISMAN)
_own = ["'self'", "blob:", "data:"]
TALISMAN_CONFIG["content_security_policy"] |= {
    "img-src": _own,
    "connect-src": ["'self'"],
    "style-src": ["'self'", "'unsafe-inline'"],
    "font-src": ["'self'", "data:"],
}

if APPLICATION_ROOT != "/":
    # 6.1 puts the prefix before a relative address of its logo twice; an absolute one it leaves alone.
    _logo = f"{OPENLAKES_PORTAL_URL}{APPLICATION_ROOT}/static/assets/images/superset-logo-horiz.png"
    THEME_DEFAULT, THEME_DARK = copy.deepcopy(_LIGHT), copy.deepcopy(_DARK)
    for _theme in (THEME_DEFAULT, THEME_DARK):
        if _theme is not None:
            _theme["token"]["brandLogoUrl"] = _logo

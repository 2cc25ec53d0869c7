"""Superset's security manager behind the portal: who asks is who the portal's token of this one request names.

No password, no sign-in page and no session of Superset's own signs anybody in: a session cookie carries Superset's CSRF
token and nothing else that counts. Roles are those that the person's roles in the portal are mapped to, compared with
each request; nobody keeps a right that the portal took back. Guest tokens of embedded dashboards work as ever.
"""

import logging
from typing import Any

from flask import Response, current_app, g, make_response, redirect, request
from flask_appbuilder import expose
from flask_appbuilder.security.decorators import no_cache
from flask_appbuilder.security.views import AuthRemoteUserView
from superset.security import SupersetSecurityManager

from openlakes_portal_superset.upstream.tokens import Keys, Person, person_of

log = logging.getLogger(__name__)

HEADER = "X-OpenLakes-Identity"


class PortalAuthView(AuthRemoteUserView):  # type: ignore[misc]
    """`/login/` for whom nothing is signed in: there is no form here, the portal is the way."""

    @expose("/login/")  # type: ignore[untyped-decorator]
    @no_cache  # type: ignore[untyped-decorator]
    def login(self) -> Response:
        """Back to Superset's front page, or what to do in words (403)."""
        if g.user is not None and g.user.is_authenticated:
            return redirect(self.appbuilder.get_url_for_index)
        portal = current_app.config["OPENLAKES_PORTAL_URL"]
        page = NOBODY.replace("{portal}", portal)
        return make_response(page, 403, {"Content-Type": "text/html; charset=utf-8"})


class PortalSecurityManager(SupersetSecurityManager):  # type: ignore[misc]
    """Settings (superset_config): `OPENLAKES_PORTAL_ISSUER`, `_JWKS_URL`, `_CA_FILE`, `_URL`, `_AUDIENCE`, `_ROLES`
    (a role of the portal -> roles of Superset)."""

    register_superset_auth_view = False
    register_superset_registeruser_view = False
    authremoteuserview = PortalAuthView

    def request_loader(self, request: Any) -> Any:
        """Whom the request's token names, else whom a guest token names, else nobody."""
        if g.get("_openlakes_loading"):
            return None  # what is written about a new user asks in turn who writes it
        person = self._person(request)
        if person is None:
            return super().request_loader(request)
        g._openlakes_loading = True
        writer, g.user = g.get("user"), None
        try:
            return self._user(person)
        finally:
            g.user = writer
            g._openlakes_loading = False

    def load_user(self, pk: Any) -> Any:
        """A session names a user: it counts only together with a token of the same person."""
        person = self._person(request)
        if person is None:
            return None
        user = super().load_user(pk)
        return self.request_loader(request) if user is not None and user.username == person.username else None

    def _person(self, request: Any) -> Person | None:
        if "_openlakes_person" not in g:
            token = request.headers.get(HEADER)
            if token is None:
                kind, _, value = request.headers.get("Authorization", "").partition(" ")
                token = value if kind.lower() == "bearer" else None
            g._openlakes_person = self._verified(token) if token else None
        person: Person | None = g._openlakes_person
        return person

    def _verified(self, token: str) -> Person | None:
        config = current_app.config
        keys = current_app.extensions.setdefault(
            "openlakes_keys", Keys(config["OPENLAKES_PORTAL_JWKS_URL"], config.get("OPENLAKES_PORTAL_CA_FILE"))
        )
        return person_of(token, keys, config["OPENLAKES_PORTAL_ISSUER"], config["OPENLAKES_PORTAL_AUDIENCE"])

    def _user(self, person: Person) -> Any:
        """Their user of Superset's, made at the first time, with the mapped roles; None where there are none."""
        roles = self._roles(person)
        user = self.find_user(username=person.username)
        if user is None:
            return self._made(person, roles) if roles else None
        if user.username != person.username:
            # The setting was changed after the import, or the database compares without case.
            log.error(
                "%s is not let in as %s: user names that differ in case are two people", person.username, user.username
            )
            return None
        if not user.is_active:
            log.warning("%s is not active in Superset", person.username)
            return None
        first, last = _names(person)
        if {role.id for role in user.roles} != {role.id for role in roles} or (user.first_name, user.last_name) != (
            first,
            last,
        ):
            user.roles, user.first_name, user.last_name = roles, first, last
            self.update_user(user)
        return user if roles else None

    def _made(self, person: Person, roles: list[Any]) -> Any:
        first, last = _names(person)
        email = person.email or f"{person.username}@portal.invalid"
        made = self.add_user(person.username, first, last, email[:320], role=roles)
        # Two first requests at once: the second one finds what the first one made.
        return made or self.find_user(username=person.username)

    def _roles(self, person: Person) -> list[Any]:
        mapping = current_app.config["OPENLAKES_PORTAL_ROLES"]
        names = sorted({name for role in person.roles for name in mapping.get(role, ())})
        found = [(name, self.find_role(name)) for name in names]
        missing = [name for name, role in found if role is None]
        if missing:
            log.error("OPENLAKES_PORTAL_ROLES names roles that Superset does not have: %s", ", ".join(missing))
        return [role for _, role in found if role is not None]


def _names(person: Person) -> tuple[str, str]:
    """First and last name, both of which Superset wants."""
    first, _, last = person.name.strip().partition(" ")
    return first[:64], last.strip()[:64] or "-"


NOBODY = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Superset: not for you yet</title></head>
<body>
<h1>Superset does not know who you are, or has nothing for you</h1>
<p>Superset is opened through the portal at <a href="{portal}" target="_top">{portal}</a>, which says who you are.
If you came from there, none of your roles opens Superset: ask for one there.</p>
</body></html>
"""

"""What an identity provider's settings must not say: answered without a network, before anything starts."""

from urllib.parse import urlsplit

from openlakes_portal._auth.personas import is_loopback
from openlakes_portal._settings.model import OidcSettings


def check_oidc(settings: OidcSettings, public_url: str) -> str | None:
    """Why the portal may not start with this provider, or None: asked without a network."""
    issuer = urlsplit(settings.issuer)
    try:
        _ = issuer.port
    except ValueError:
        return f"auth.oidc.issuer {settings.issuer!r} has a port that is none"
    if issuer.scheme not in ("https", "http") or not issuer.hostname or issuer.query or issuer.fragment:
        return f"auth.oidc.issuer {settings.issuer!r} is no address without query or fragment"
    if "{" in settings.issuer or issuer.path.rstrip("/").split("/")[1:2] in (["common"], ["organizations"]):
        return f"auth.oidc.issuer {settings.issuer!r} names no single tenant: anybody's account would be let in"
    if issuer.scheme == "http":
        if not is_loopback(issuer.hostname):
            return f"auth.oidc.issuer {settings.issuer!r} is http: who is on the network could sign in as anybody"
        if not is_loopback(urlsplit(public_url).hostname or ""):
            return "auth.oidc.issuer is http on loopback, and server.public_url is not on loopback"
    overage = urlsplit(settings.groups_overage_url or "https://none")
    if overage.scheme != "https" and not is_loopback(overage.hostname or ""):
        return f"auth.oidc.groups_overage_url {settings.groups_overage_url!r} must be https: an access token goes there"
    if urlsplit(public_url).scheme == "http" and not is_loopback(urlsplit(public_url).hostname or ""):
        return f"server.public_url {public_url!r} is http: sessions and sign-ins need https outside loopback"
    return None

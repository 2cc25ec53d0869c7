"""What the rules of the token exchange must not say beside the other settings: answered without a network, before
anything starts."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from openlakes_portal._auth.oidc.keys import usable_keys
from openlakes_portal._auth.personas import is_loopback
from openlakes_portal._settings.model import Settings
from openlakes_portal._settings.token_exchange import TrustRule


def check_exchange(settings: Settings) -> str | None:
    """Why the portal may not start with these rules, or None."""
    for rule in settings.auth.token_exchange.rules:
        problem = next(_problems(rule, settings), None)
        if problem is not None:
            return f"auth.token_exchange.rules: the rule {rule.name} {problem}"
    return None


def _problems(rule: TrustRule, settings: Settings) -> Iterator[str]:
    here = is_loopback(urlsplit(settings.server.public_url).hostname or "")
    for name, address in (("issuer", rule.issuer), ("jwks_uri", rule.jwks_uri)):
        parts = urlsplit(address or "https://none")
        if parts.scheme != "http":
            continue
        if not is_loopback(parts.hostname or ""):
            yield f"has its {name} over http ({address}): who is on the network could sign tokens"
        elif not here:
            yield f"has its {name} over http on loopback ({address}), and server.public_url is not on loopback"
    oidc = settings.auth.oidc
    if oidc is not None and (rule.issuer, rule.audience) == (oidc.issuer, oidc.client_id):
        yield "takes the very ID tokens with which people sign in (auth.oidc): give it an audience of its own"
    if rule.jwks is not None:
        keys = rule.jwks.get("keys")
        if not isinstance(keys, list) or not usable_keys(keys):
            yield "has a jwks without a key that can be used"
        elif any("d" in key or "k" in key for key in keys if isinstance(key, dict)):
            yield "has a private key in its jwks, which the console would show: give it the public part alone"

"""What an identity provider of the stack tells the portal: the same for each of them."""

from collections.abc import Mapping
from typing import Any

from openlakes_portal_stack.runner.component import Site

CLIENT_ID = "openlakes-portal"
"""The portal's client at every identity provider of the stack."""


def sign_in(site: Site, issuer: str, secret: str, *scopes: str) -> Mapping[str, Any]:
    """The portal's settings; none where the provider is an existing installation, whose client the operator names."""
    if site.is_external:
        return {}
    provider = {"issuer": issuer, "client_id": CLIENT_ID, "client_secret": secret, "scopes": list(scopes)}
    return {"auth": {"mode": "oidc", "oidc": provider}}

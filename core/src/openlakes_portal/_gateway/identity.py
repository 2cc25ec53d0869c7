"""The person's identity as an app gets it: set by the gateway on every request, never taken from one."""

import base64

from openlakes_portal._gateway.apps import App
from openlakes_portal._gateway.request_headers import Header
from openlakes_portal.spi import Principal, UpstreamAuthFailed, UpstreamCredential


async def identity_headers(app: App, principal: Principal) -> list[Header]:
    """Headers that say who it is; of kind `cookie` also ("cookie", pair). Raises `UpstreamAuthFailed` where the
    credential is not to be had: the request is not sent as nobody, and not as somebody else."""
    identity = app.declared.identity
    if identity.kind == "none":
        return []
    if identity.kind == "header":
        assert identity.header is not None
        return [(identity.header.lower().encode(), _name(app, principal))]
    assert identity.audience is not None
    credential = await app.contribution.context.credential(principal, identity.audience)
    if identity.kind == "signed-header":
        assert identity.header is not None
        return [(identity.header.lower().encode(), credential.value.get_secret_value().encode())]
    return [_header(app, credential)]


def _name(app: App, principal: Principal) -> bytes:
    """The user name, where it can stand in a header as it is: two people must not become one there."""
    name = principal.username
    if not name.isascii() or not name.isprintable() or name != name.strip() or not name:
        raise UpstreamAuthFailed(
            f"{app.declared.title} cannot be told who you are: your user name has characters that no header carries.",
            upstream=app.declared.title,
            remedy="Let auth.username_claim name a claim that is plain ASCII.",
        )
    return name.encode()


def _header(app: App, credential: UpstreamCredential) -> Header:
    value = credential.value.get_secret_value()
    match credential.kind:
        case "bearer":
            return b"authorization", f"Bearer {value}".encode()
        case "basic":
            return b"authorization", b"Basic " + base64.b64encode(f"{credential.name}:{value}".encode())
        case "header":
            return credential.name.lower().encode(), value.encode()
        case "cookie":
            return b"cookie", f"{credential.name}={value}".encode()
        case _:
            raise UpstreamAuthFailed(
                f"The credential for {app.declared.title} is a {credential.kind} login, which no web page takes.",
                upstream=app.declared.title,
                remedy=f"Correct the exchanger of the plugin {app.contribution.id}.",
            )

"""Where an app really is: fixed when the portal starts, checked again each time a connection is made.

A name is resolved by us, every address that it has is judged, and the connection goes to one that was judged: a name
that changes its mind (DNS rebinding) reaches nothing. What stands in the settings as an address or as `localhost` may
be loopback; what a name resolves to may not. Link-local addresses, and with them clouds' metadata services, never.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from openlakes_portal.spi import UpstreamUnavailable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "192.0.0.192")
)
"""Of AWS, GCP, Azure, OpenStack; AWS by IPv6; Alibaba; Oracle. Not all are link-local."""


class TargetError(ValueError):
    """A target that cannot be used. Its text is a sentence."""


@dataclass(frozen=True)
class Target:
    """An app's address, in parts. `literal` is whether the host is an address, or this machine by name."""

    scheme: str
    host: str
    port: int
    literal: bool

    @property
    def origin(self) -> str:
        """As a browser writes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return f"{self.scheme}://{host}" + ("" if self.port == default else f":{self.port}")

    @property
    def tls(self) -> bool:
        """Whether it is spoken to by TLS."""
        return self.scheme == "https"


def parse_target(text: str) -> Target:
    """A target out of the settings. Raises `TargetError`.

    Only scheme, host and port: a path would have to be joined with the request's, which is forwarded as it was sent.
    """
    if any(ord(character) < 0x21 or ord(character) > 0x7E for character in text) or "\\" in text:
        raise TargetError("holds a space, a backslash, or what is no ASCII")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise TargetError("has a port that is none") from None
    if parts.scheme not in ("http", "https"):
        raise TargetError("must begin with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise TargetError("must hold no user name")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise TargetError("must be scheme, host and port, without a path")
    host = (parts.hostname or "").rstrip(".")
    if not host or "%" in host or port == 0:
        raise TargetError("names no host, or no port that can be connected to")
    literal = _literal(host)
    if literal is not None:
        problem = refusal(literal, configured=True)
        if problem:
            raise TargetError(problem)
        host = str(literal)
    elif _looks_numeric(host):
        raise TargetError("writes an address in another way than the usual one")
    return Target(
        parts.scheme, host, port or (443 if parts.scheme == "https" else 80), literal is not None or _is_here(host)
    )


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _looks_numeric(host: str) -> bool:
    """Decimal, octal, hexadecimal and shortened IPv4 addresses, which some resolvers read (inet_aton)."""
    last = host.rsplit(".", 1)[-1]
    return last.isdigit() or last.startswith("0x")


def _is_here(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def refusal(address: Address, configured: bool) -> str | None:
    """Why nobody connects to this address; None where it is well. `configured`: it stands in the settings itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    if mapped is None and isinstance(address, ipaddress.IPv6Address):
        mapped = address.sixtofour or (address.teredo[1] if address.teredo else None)
    judged = mapped or address
    if judged in METADATA or judged.is_link_local:
        return f"{address} is link-local, or a cloud's metadata service"
    if judged.is_unspecified or judged.is_multicast or (judged.is_reserved and not judged.is_loopback):
        return f"{address} is no address of a server"
    if judged.is_loopback and not configured:
        return f"{address} is this machine itself, and the settings name it by another name"
    return None


async def addresses(target: Target, resolve: Resolve | None = None) -> list[str]:
    """Where to connect to now, every one judged. Raises `UpstreamUnavailable`."""
    if _is_here(target.host):
        return ["127.0.0.1"]
    if target.literal:
        return [target.host]
    try:
        found = await (resolve or _resolve)(target.host, target.port)
    except OSError:
        found = []
    if not found:
        raise UpstreamUnavailable(f"The name {target.host} is not known here.", remedy="Check the app's address.")
    for text in found:
        problem = refusal(ipaddress.ip_address(text.split("%", 1)[0]), configured=False)
        if problem:
            raise UpstreamUnavailable(
                f"The name {target.host} leads to a place that no app may be at: {problem}.",
                remedy="Nobody has connected there. Set the app's address itself if it is right.",
            )
    return list(dict.fromkeys(found))


async def _resolve(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(sockaddr[0]) for *_, sockaddr in found]

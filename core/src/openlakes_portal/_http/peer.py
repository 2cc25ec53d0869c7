"""Who has sent a request: the TCP peer, or, where that is a proxy of the settings, whom this one names.

`X-Forwarded-For` grows to the right, and each proxy vouches for what it has appended only. So it is read from the
right: the first address that is no trusted proxy's is the client's, and whatever stands to the left of it is hearsay. A
header that cannot be read counts up to there: the nearest address that was vouched for.
"""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MOST_HOPS = 20
LONGEST = 64
"""Characters of an address, with brackets and a port; what is longer is none, and not worth being kept."""


class TrustedProxies:
    """The proxies of `server.trusted_proxies`."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in networks)
        self._trusts = lru_cache(maxsize=1024)(self._look_up)

    def trusts(self, address: str) -> bool:
        """Whether a proxy of ours has this address."""
        return self._trusts(address)

    def client(self, peer: str, forwarded: Sequence[bytes]) -> str:
        """The address that a request is accounted to. `forwarded`: the values of X-Forwarded-For, in order."""
        if not self._networks or not self._trusts(peer):
            return peer
        found = peer
        hops = b",".join(forwarded).split(b",")
        for hop in reversed(hops[-MOST_HOPS:]):
            address = _address(hop) if len(hop) <= LONGEST else None
            if address is None:
                return found
            found = address
            if not self._trusts(address):
                return found
        return found

    def _look_up(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)  # an IPv4 client of a socket that takes both kinds
        return any((mapped or parsed) in network for network in self._networks)


@lru_cache(maxsize=1024)
def _address(hop: bytes) -> str | None:
    """An address, as proxies write it: with a port behind it, or in brackets."""
    text = hop.strip().decode("latin-1")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None

"""The gateway and forward-auth beside their peers, all in front of one nginx with constant answers.

*Direct*: that nginx. *Plain nginx*: another one in front of it that checks nobody. *auth_request*: the same with the
portal's authorize endpoint asked for each request; *traefik*, *caddy* and *envoy* ask it, too.
*configurable-http-proxy*: JupyterHub's, which checks nobody.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from core.tests.gateway.real import RealHouse, real_house

from bench import exchange, peers, relay, servers, streams
from bench.figures import ROUNDS, Figure, median_of_pairs
from bench.peers import PROXY, Way

GENTLE, BUSY, BUSIEST, BULK = 1, 16, 32, 4
TRUSTED = {"gateway": {"forward_auth": True, "trusted_addresses": ["127.0.0.1"]}}


def measure(folder: Path) -> Iterator[Figure]:
    """P1 to P4, as far as their peers can be had here."""
    folder.chmod(0o755)  # nginx and Apache read from it as other accounts
    with ExitStack() as stack:
        house = stack.enter_context(real_house(folder / "house", 1, TRUSTED))
        ways = {"direct": stack.enter_context(peers.application(folder / "application", house.target_port))}
        ways["gateway"] = _gateway(house)
        ways |= stack.enter_context(peers.nginx(folder / "nginx", house, ways["gateway"]))
        ways |= stack.enter_context(peers.forward_auth(folder / "ingresses", house, ways["gateway"]))
        ways["proxy"] = stack.enter_context(peers.proxy(folder / "proxy", house.target_port))
        if apache := stack.enter_context(peers.mod_auth_openidc(folder, house.target_port)):
            ways["apache"] = apache
        else:
            print("mod_auth_openidc is not measured: it can be neither found nor installed", file=sys.stderr)
        yield from _requests(ways)
        yield from _waiting(ways)
        yield from _bulk(ways, house)
        yield from _decision(folder, house)
    yield from relay.measure(folder / "websockets")


def _requests(ways: dict[str, Way]) -> Iterator[Figure]:
    names = list(ways)
    rounds = [tuple(ways[name].small(BUSY).rate for name in names) for _ in range(ROUNDS)]

    def ratio(upper: str, lower: str) -> float:
        return median_of_pairs(rounds, names.index(upper), names.index(lower))

    yield Figure("P1", f"gateway / {PROXY} that checks nobody", ratio("gateway", "proxy"), 1.5, True)
    if "apache" in ways:
        yield Figure("P1", "gateway / mod_auth_openidc", ratio("gateway", "apache"), 1.0, True)
    what = "gateway / nginx that asks the same portal for each request"
    yield Figure("P1", what, ratio("gateway", "auth_request"), 0.5, True)
    yield Figure("P4", "nginx that asks the portal / gateway", ratio("auth_request", "gateway"), 1.5, True)
    for name in ("traefik", "caddy", "envoy"):
        yield Figure("P4", f"{name} that asks the portal / gateway", ratio(name, "gateway"))
    yield Figure("P1", "gateway / plain nginx that checks nobody", ratio("gateway", "nginx"))


def _waiting(ways: dict[str, Way]) -> Iterator[Figure]:
    gentle = [tuple(ways[name].small(GENTLE).p50 for name in ("direct", "gateway", "proxy")) for _ in range(ROUNDS)]
    added = [(ours - direct, theirs - direct) for direct, ours, theirs in gentle]
    yield Figure("P2", f"added p50 at one connection / {PROXY}'s", median_of_pairs(added, 0, 1), 0.9)
    busy = [tuple(ways[name].small(BUSIEST).p99 for name in ("gateway", "proxy")) for _ in range(ROUNDS)]
    yield Figure("P2", f"p99 at {BUSIEST} connections / {PROXY}'s", median_of_pairs(busy, 0, 1), 0.5)


def _bulk(ways: dict[str, Way], house: RealHouse) -> Iterator[Figure]:
    before = house.memory()
    rounds = [(ways["gateway"].large(BULK).throughput, ways["nginx"].large(BULK).throughput) for _ in range(ROUNDS)]
    grown = (house.memory() - before) / BULK / (1024 * 1024)
    yield Figure("P3", "10 MB bodies at 4 connections, gateway / plain nginx", median_of_pairs(rounds, 0, 1), 0.6, True)
    yield Figure("P3", "memory grown a transfer, MiB", grown, 4)


def _decision(folder: Path, house: RealHouse) -> Iterator[Figure]:
    """Processor time of an answer of the authorize endpoint beside that of a raw ASGI application."""
    seat = house.seat_of()
    cookie = "; ".join(f"{name}={value}" for name, value in seat.cookies.items())
    address = f"127.0.0.1:{house.replica.port}"
    head = f"GET /api/gateway/authorize HTTP/1.1\r\nHost: {address}\r\nX-Original-Method: GET\r\n"
    ask = f"{head}X-Original-Host: {seat.host}\r\nX-Original-Uri: /small\r\nCookie: {cookie}\r\n\r\n".encode()
    assert house.replica.process is not None
    portal = servers.Running(house.replica.port, house.replica.process, 0.0)
    with servers.raw(folder / "raw") as raw:
        rounds = [(_cost(portal, ask), _cost(raw, raw.request("/"))) for _ in range(ROUNDS)]
    yield Figure("P4", "CPU of an authorize answer / of a raw ASGI answer", median_of_pairs(rounds, 0, 1), 1.5)


def _cost(running: servers.Running, ask: bytes) -> float:
    """Seconds of processor time for one answer."""
    before = streams.used(running)[1]
    done = exchange.load(running.port, ask, BUSY)
    return (streams.used(running)[1] - before) / done.answers


def _gateway(house: RealHouse) -> Way:
    seat = house.seat_of()
    return Way(house.replica.port, seat.host, "; ".join(f"{name}={value}" for name, value in seat.cookies.items()))

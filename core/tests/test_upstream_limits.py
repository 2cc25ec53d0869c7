"""How much of an upstream's answer is read: as much as the upstream's limit allows, or that of the one call."""

from collections.abc import Callable

import pytest

from openlakes_portal._host.upstreams import HttpUpstreamClient
from openlakes_portal.spi import Principal, Upstream, UpstreamAnswerTooLarge, UpstreamCredential
from openlakes_portal.testing import FakeUpstream


async def nobodys(principal: Principal, audience: str) -> UpstreamCredential:
    raise AssertionError("no call of these is made for a person")


async def test_an_answer_over_the_limit_is_named_and_the_rest_not_read(
    upstream: Callable[[str], FakeUpstream],
) -> None:
    fake = upstream("acme")
    fake.get("/thousand").answers_raw(b"x" * 1000, "text/plain")
    client = HttpUpstreamClient(Upstream("acme", fake.address, max_body=1000), nobodys)
    try:
        assert len((await client.request("GET", "/thousand")).content) == 1000
        assert len((await client.request("GET", "/thousand", max_body=1000)).content) == 1000
        with pytest.raises(UpstreamAnswerTooLarge, match=r"^acme answered with more than 999 bytes\.$"):
            await client.request("GET", "/thousand", max_body=999)
        assert len((await client.request("GET", "/thousand")).content) == 1000, "for that one call only"
    finally:
        await client.close()

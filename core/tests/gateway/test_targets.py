"""Where an app may be: judged when the settings are read, and for every address that a name turns out to have."""

import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openlakes_portal._gateway.targets import TargetError, addresses, parse_target, refusal
from openlakes_portal.spi import UpstreamUnavailable


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("http://airflow:8080", "http://airflow:8080"),
        ("http://airflow:8080/", "http://airflow:8080"),
        ("https://superset.lake.svc.cluster.local", "https://superset.lake.svc.cluster.local"),
        ("http://127.0.0.1:8088", "http://127.0.0.1:8088"),
        ("http://localhost:8088", "http://localhost:8088"),
        ("http://[::1]:8088", "http://[::1]:8088"),
        ("http://10.0.0.9", "http://10.0.0.9"),
    ],
)
def test_a_target_is_scheme_host_and_port(text: str, origin: str) -> None:
    assert parse_target(text).origin == origin


@pytest.mark.parametrize(
    "text",
    [
        "airflow:8080", "ftp://airflow", "http://", "http://a b", "http://airflow/base", "http://airflow?x", "http://u@a",
        "http://airflow:0", "http://airflow:99999", "http://169.254.169.254", "http://[fe80::1]", "http://[fd00:ec2::254]",
        "http://2852039166", "http://0xA9FEA9FE", "http://0251.0376.0251.0376", "http://127.1", "http://0.0.0.0",
        "http://224.0.0.1", "http://[::ffff:169.254.169.254]", "http://100.100.100.200", "http://a\\b", "http://ä",
        "http://[::]:80", "http://a%00b", "http://[fe80::1%25eth0]",
    ],
)  # fmt: skip
def test_any_other_target_is_refused(text: str) -> None:
    with pytest.raises(TargetError):
        parse_target(text)


def resolver(*found: str) -> object:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return found

    return resolve


@pytest.mark.parametrize(
    "found",
    [
        ["169.254.169.254"], ["10.0.0.9", "169.254.169.254"], ["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"],
        ["::ffff:169.254.169.254"], ["fe80::1%eth0"], ["0.0.0.0"], ["fd00:ec2::254"], ["2002:7f00:1::"],
        ["2002:a9fe:a9fe::"], [],
    ],
)  # fmt: skip
async def test_a_name_that_leads_to_a_place_where_no_app_is_reaches_nothing(found: list[str]) -> None:
    target = parse_target("http://airflow:8080")
    with pytest.raises(UpstreamUnavailable):
        await addresses(target, resolver(*found))  # type: ignore[arg-type]


async def test_a_name_that_leads_into_the_network_is_connected_to_as_judged() -> None:
    target = parse_target("http://airflow:8080")
    assert await addresses(target, resolver("10.0.0.9", "10.0.0.9", "fd12::1")) == ["10.0.0.9", "fd12::1"]  # type: ignore[arg-type]
    assert await addresses(parse_target("http://airflow.openlakes.localhost:1")) == ["127.0.0.1"]


@given(st.ip_addresses())
def test_no_address_is_let_in_that_is_this_machine_or_link_local(address: ipaddress.IPv4Address) -> None:
    if refusal(address, configured=False) is None:
        assert not any((address.is_loopback, address.is_link_local, address.is_unspecified, address.is_multicast))
    if refusal(address, configured=True) is not None:
        assert refusal(address, configured=False) is not None


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    try:
        target = parse_target(text)
    except TargetError:
        return
    assert target.scheme in ("http", "https")
    assert 0 < target.port < 65536

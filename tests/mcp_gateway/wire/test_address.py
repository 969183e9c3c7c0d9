"""The gateway connects to public addresses, and to private ones that are listed."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.address import Reach, embedded, here, literal, party, public
from mcp_gateway.wire.failures import AddressRefused

FORBIDDEN = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "::",
    "::1",
    "::10.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::8.8.8.8",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::10.0.0.1",
    "100::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:808:808::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700:4700::1111", "2a00::1"]


def check(reach: Reach, text: str) -> None:
    reach.check(ipaddress.ip_address(text))


@pytest.mark.requirement("http:private-addresses-are-refused")
@pytest.mark.parametrize("text", FORBIDDEN)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    with pytest.raises(AddressRefused, match="private_upstreams") as failure:
        check(Reach(), text)

    assert not failure.value.sent


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_allowed(text: str) -> None:
    check(Reach(), text)


def test_a_listed_block_is_allowed_and_its_neighbours_are_not() -> None:
    reach = Reach(["10.1.0.0/16", "fd00:1::/32"])

    check(reach, "10.1.2.3")
    check(reach, "fd00:1::5")
    for text in ("10.2.0.1", "fd00:2::1", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(AddressRefused):
            check(reach, text)


def test_a_block_that_is_none_is_told() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.1/8 has host bits set"):
        Reach(["10.0.0.1/8"])


@pytest.mark.parametrize("text", ["127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_allowed_by_its_own_switch(text: str) -> None:
    check(Reach(loopback=True), text)


@pytest.mark.parametrize("text", ["0.0.0.0", "::", "::ffff:127.0.0.1", "10.0.0.1"])
def test_that_switch_allows_nothing_else(text: str) -> None:
    with pytest.raises(AddressRefused):
        check(Reach(loopback=True), text)


def test_a_listed_translator_does_not_open_what_is_behind_it() -> None:
    reach = Reach(["64:ff9b::/96"])

    check(reach, "64:ff9b::8.8.8.8")
    for inner in ("10.0.0.1", "127.0.0.1", "169.254.169.254"):
        with pytest.raises(AddressRefused, match=inner):
            check(reach, f"64:ff9b::{inner}")


@given(st.ip_addresses(v=4))
def test_no_way_of_writing_an_address_reaches_more_than_the_address(
    inner: ipaddress.IPv4Address,
) -> None:
    number = int(inner)
    forms = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
        ipaddress.IPv6Address((0x20010000 << 96) | (number ^ 0xFFFFFFFF)),
    ]
    for form in forms:
        assert embedded(form) == inner
        assert not public(form)


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_calls_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if public(address):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.requirement("http:private-addresses-are-refused")
@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0X7F.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "127.0.0.01",
        "127.0.0.256",
        "1.2.3.4.5",
        "example.0x7f",
        "0x",
        "::1%eth0",
        "fe80::1%25eth0",
        "1::2::3",
    ],
)
def test_an_address_in_an_odd_form_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused, match="no usual form"):
        literal(host)


@pytest.mark.parametrize("host", ["example.com", "a", "1a", "7f.com", "0x7f.example", "x-1.com."])
def test_a_name_is_no_address(host: str) -> None:
    assert literal(host) is None


def test_an_address_is_read_as_one() -> None:
    assert literal("127.0.0.1") == ipaddress.ip_address("127.0.0.1")
    assert literal("::1") == ipaddress.ip_address("::1")


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "localhost.", "127.3.2.1", "::1"])
def test_this_machine_is_known_by_its_names(host: str) -> None:
    assert here(host)


@pytest.mark.parametrize("host", ["localhost.com", "mylocalhost", "10.0.0.1", "example.com"])
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not here(host)


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a socket:path", "a socket:path"),
    ],
)
def test_the_addresses_that_one_party_is_given_count_as_one(peer: str, counted: str) -> None:
    assert party(peer) == counted

"""The SSRF guard: which addresses the gateway connects to."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from mcp_gateway.wire.failures import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def blocks(listed: Sequence[str]) -> tuple[Block, ...]:
    """The address blocks of a configuration. Raises ValueError for one that is none."""
    return tuple(ipaddress.ip_network(text) for text in listed)


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address.sixtofour:
        return address.sixtofour
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def check(text: str, allowed: Sequence[Block], *, loopback: bool) -> None:
    """Raises AddressRefused for an address that is not public and not allowed by name.

    `loopback` allows 127.0.0.0/8 and ::1, for upstreams that the operator runs beside the
    gateway.
    """
    outer = ipaddress.ip_address(text.partition("%")[0])
    address = embedded(outer)
    if any(address in block or outer in block for block in allowed):
        return
    if address.is_loopback and loopback:
        return
    if address.is_multicast or not address.is_global:
        raise AddressRefused(
            f"{text} is not a public address; list its block in [network] private_upstreams"
        )

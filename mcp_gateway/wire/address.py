"""The SSRF guard: which addresses the gateway connects to."""

import ipaddress
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from mcp_gateway.wire.failures import AddressRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Block = ipaddress.IPv4Network | ipaddress.IPv6Network

NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
PUBLIC_6: Final = ipaddress.IPv6Network("2000::/3")
"""The only part of IPv6 that is assigned for global unicast."""

# The IANA registries of special addresses, in full: what the standard library counts as global
# changed between releases, and a guard must not.
SPECIAL: Final = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared with carriers (CGNAT); a cloud's metadata too
        "127.0.0.0/8",
        "168.63.129.16/32",  # public by number, a cloud's platform service by use
        "169.254.0.0/16",  # link-local; metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class Reach:
    """Which addresses may be connected to: the public ones, and those that are listed.

    `private` are blocks (CIDR); `loopback` allows this machine, for upstreams that the operator
    runs beside the gateway. Raises ValueError for a block that is none.
    """

    def __init__(self, private: Sequence[str] = (), *, loopback: bool = False) -> None:
        self._allowed: tuple[Block, ...] = tuple(ipaddress.ip_network(text) for text in private)
        self._loopback = loopback

    def check(self, address: Address) -> None:
        """Raises AddressRefused for an address that is neither public nor listed.

        An address that stands for another (IPv4-mapped, NAT64, 6to4, Teredo) is never public.
        It must be listed as written, and the one it stands for must be allowed as well.
        """
        if not self._covers(address):
            raise AddressRefused(
                f"{address} is not a public address; list its block in [network] private_upstreams"
            )
        inner = embedded(address)
        if inner is not address:
            self.check(inner)

    def _covers(self, address: Address) -> bool:
        if any(address in block for block in self._allowed):
            return True
        return (self._loopback and address.is_loopback) or public(address)


def public(address: Address) -> bool:
    """Whether anybody on the Internet has this address."""
    if isinstance(address, ipaddress.IPv6Address) and address not in PUBLIC_6:
        return False
    return address.is_global and not any(address in block for block in SPECIAL)


def embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def literal(host: str) -> Address | None:
    """The address that a host is, None when it is a name.

    Raises AddressRefused for an address in a form that only some resolvers take for one:
    2130706433, 0x7f.1, 0177.0.0.1, 127.1, with a final dot or a zone.
    """
    with suppress(ValueError):
        if "%" not in host:
            return ipaddress.ip_address(host)
    last = host.removesuffix(".").rpartition(".")[2]
    if ":" in host or _NUMBER.fullmatch(last):
        raise AddressRefused(f"{host!r} is an address in no usual form")
    return None


def here(host: str) -> bool:
    """Whether a host is this machine by its very name (RFC 6761, section 6.3)."""
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = literal(host)
    return address is not None and address.is_loopback


def party(peer: str) -> str:
    """Who is counted as one: an IPv6 address with its /64, which is what one party is given."""
    if ":" not in peer:
        return peer
    try:
        address = ipaddress.IPv6Address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))

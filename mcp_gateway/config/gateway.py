"""How the gateway is reached, and how it reaches others."""

import ipaddress
from pathlib import Path

from pydantic import Field

from mcp_gateway.config.sections import Address, Block, Section, Url


class Gateway(Section):
    """`url` is how downstreams reach the gateway; `contact` is whom a refused caller may ask.

    `page` is how many entries of a list are shown at a time.

    A gateway that is told to stop listens for `notice` seconds more, with readiness red, and
    gives the calls in flight `drain` seconds after that.
    """

    listen: Address = "127.0.0.1:8080"
    url: Url = ""
    data: Path = Path("var")
    tenant: str = "default"
    contact: str = "your administrator"
    origins: list[str] = []
    hosts: list[str] = []
    page: int = Field(default=1000, ge=1, le=100_000)
    notice: float = Field(default=1.0, ge=0, le=60)
    drain: float = Field(default=10.0, ge=0, le=3600)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def loopback(self) -> bool:
        host = self.address[0]
        try:
            return host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:  # a name, and names may be made to mean anything
            return False


class Certificate(Section):
    certificate: str
    key: str


class NetworkSection(Section):
    """Every connection out and in."""

    proxy: str = Field(default="", repr=False)
    ca: list[str] = []
    tls: Certificate | None = None
    client: Certificate | None = None
    trusted_proxies: list[Block] = []
    private_upstreams: list[Block] = []

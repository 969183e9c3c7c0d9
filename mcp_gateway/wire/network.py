"""How the gateway reaches others."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Network:
    """What holds for every connection out.

    `proxy` is an http or https URL, with credentials in it if the proxy wants some. `ca` and
    the client certificate with its key are paths of PEM files; the authorities are added to
    those of the system. `private` lists blocks (CIDR) that are allowed though not public;
    `loopback` allows this machine.
    """

    proxy: str = field(default="", repr=False)
    ca: tuple[str, ...] = ()
    certificate: str = ""
    key: str = ""
    private: tuple[str, ...] = ()
    loopback: bool = False

"""Services: what a connector may use of the gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mcp_gateway.core import ports
from mcp_gateway.wire.http import HttpClient


def nobody(server: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Services:
    """`data` is a folder that a connector may write below.

    `changed` asks for a new discovery of the server that it names: call it when an upstream may
    no longer be what was discovered. Calling it often costs little.
    """

    http: HttpClient
    ledger: ports.Ledger
    data: Path
    changed: Callable[[str], None] = nobody

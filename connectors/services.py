"""Services: what a connector may use of the gateway."""

from dataclasses import dataclass
from pathlib import Path

from mcp_gateway.core import ports
from mcp_gateway.wire.http import HttpClient


@dataclass(frozen=True, slots=True)
class Services:
    """`data` is a folder that a connector may write below."""

    http: HttpClient
    ledger: ports.Ledger
    data: Path

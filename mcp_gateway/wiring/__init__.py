"""How the parts that know who calls, and with which credential, are put together.

Each file wires one of them: it takes what is there already, and adds what it brings.
"""

from typing import Final

from mcp_gateway.wiring import (
    authorization,
    connecting,
    connections,
    issuers,
    logins,
    secrets,
    upstreams,
)
from mcp_gateway.wiring.ground import Ground, Wired

ORDER: Final = (secrets, connecting, upstreams, issuers, logins, authorization, connections)


def wired(ground: Ground) -> Wired:
    """Everything, on one ground. What needs what a later one brings looks for it when it runs."""
    made = Wired()
    for part in ORDER:
        part.wire(ground, made)
    return made

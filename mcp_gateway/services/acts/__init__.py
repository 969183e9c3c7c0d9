"""What administrators and people do besides calls: each file has the acts of one service.

`ACTS` maps names to operations. They run through the chain like any call, so they are allowed,
recorded and refused like one.
"""

from collections.abc import Mapping
from typing import Final

from mcp_gateway.services.acts import clients, connections, grants, people, tokens, vault
from mcp_gateway.services.operation import Operation

ACTS: Final[Mapping[str, Operation]] = {
    **people.ACTS,
    **tokens.ACTS,
    **grants.ACTS,
    **connections.ACTS,
    **vault.ACTS,
    **clients.ACTS,
}

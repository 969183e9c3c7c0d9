"""The guards that ship. The name is the key in the configuration."""

from collections.abc import Mapping
from typing import Final

from local_models.guards.rules import RulesGuard
from mcp_gateway.core import ports
from mcp_gateway.core.catalogue import catalogue

GUARDS: Final[Mapping[str, type[ports.Guard]]] = catalogue(
    "local_models.guards", (("rules", RulesGuard),)
)

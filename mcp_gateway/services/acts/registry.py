"""The catalogue of servers."""

from collections.abc import Mapping
from typing import Final

from mcp_gateway.services.operation import Operation

ACTS: Final[Mapping[str, Operation]] = {}

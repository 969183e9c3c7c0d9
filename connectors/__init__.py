"""How an upstream is reached: a file each kind of connector."""

from collections.abc import Mapping
from typing import Any, Final

from connectors.mcp_http import McpHttp
from connectors.mcp_sse import McpSse
from connectors.mcp_stdio import McpStdio
from connectors.openapi import OpenApi
from connectors.services import Services
from mcp_gateway.core.catalogue import catalogue

CONNECTORS: Final[Mapping[str, Any]] = catalogue(
    "mcp_gateway.connectors",
    (
        ("mcp_http", McpHttp),
        ("mcp_stdio", McpStdio),
        ("mcp_sse", McpSse),
        ("openapi", OpenApi),
    ),
)

__all__ = ["CONNECTORS", "Services"]

"""The command line: one file a group."""

from mcp_gateway.cli.main import main

__all__ = ["main"]

"""What people paste so that their runtime asks the gateway: one source for all that say it.

A `bearer` is the key, or how the client names the variable that holds it. Without one, people log
in with a browser.
"""

import json
from typing import Any, Final

NAME: Final = "gateway"
"""What the gateway is called in a client's configuration."""


def headers(bearer: str) -> dict[str, Any]:
    """The header of a server's entry, where a key is shown."""
    return {"headers": {"Authorization": f"Bearer {bearer}"}} if bearer else {}


def claude(url: str, bearer: str) -> str:
    """The command for Claude Code."""
    shown = f' -H "Authorization: Bearer {bearer}"' if bearer else ""
    return f"claude mcp add --transport http {NAME} {url}{shown}"


def codex(url: str, variable: str) -> str:
    """The command for Codex, which takes a key from a variable and from nowhere else."""
    shown = f" --bearer-token-env-var {variable}" if variable else ""
    return f"codex mcp add {NAME} --url {url}{shown}"


def cursor(url: str, bearer: str) -> dict[str, Any]:
    """The content of Cursor's `mcp.json`."""
    return {"mcpServers": {NAME: {"url": url, **headers(bearer)}}}


def vscode(url: str, *, key: bool) -> dict[str, Any]:
    """The content of VS Code's `mcp.json`. A key is asked for once, and kept by VS Code."""
    if not key:
        return {"servers": {NAME: {"type": "http", "url": url}}}
    asked = {"type": "promptString", "id": "key", "description": "Key of the gateway"}
    server = {"type": "http", "url": url, **headers("${input:key}")}
    return {"inputs": [{**asked, "password": True}], "servers": {NAME: server}}


def one_line(content: dict[str, Any]) -> str:
    """The content of a file on two lines at most, as a terminal shows it."""
    return json.dumps(content).replace(', "headers"', ',\n  "headers"')

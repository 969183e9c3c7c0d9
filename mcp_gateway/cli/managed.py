"""What an administrator installs so that a client reaches the gateway, and nothing but the gateway.

Each file says where the client reads it, and whether the client holds people to it or merely offers
it. docs/clients.md says how each of these was found out.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_gateway.cli import snippets
from mcp_gateway.cli.snippets import NAME


@dataclass(frozen=True, slots=True)
class ManagedFile:
    """A file of a client's configuration. `enforced`: people cannot undo what it says."""

    name: str
    content: str
    enforced: bool
    says: str
    place: str


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway as clients reach it. `variable` holds a person's key; without it they log in."""

    base: str
    variable: str = ""

    @property
    def endpoint(self) -> str:
        return f"{self.base}/mcp"


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"


def _only(gateway: Gateway) -> str:
    """The list that Claude Code and Copilot read: an address that is not on it is blocked."""
    allowed = [{"serverUrl": f"{gateway.base}/*"}]
    return _json({"allowManagedMcpServersOnly": True, "allowedMcpServers": allowed})


def claude(gateway: Gateway) -> tuple[ManagedFile, ...]:
    bearer = f"${{{gateway.variable}}}" if gateway.variable else ""
    server = {"type": "http", "url": gateway.endpoint, **snippets.headers(bearer)}
    return (
        ManagedFile(
            "managed-mcp.json",
            _json({"mcpServers": {NAME: server}}),
            enforced=True,
            says="Claude Code loads the servers of this file and no others, and nobody can add one",
            place="/etc/claude-code/, /Library/Application Support/ClaudeCode/ or"
            " C:\\Program Files\\ClaudeCode\\",
        ),
        ManagedFile(
            "managed-settings.json",
            _only(gateway),
            enforced=True,
            says="whatever else brings a server along, its address must be the gateway's",
            place="beside managed-mcp.json, or the organization's managed settings",
        ),
    )


def codex(gateway: Gateway) -> tuple[ManagedFile, ...]:
    url = json.dumps(gateway.endpoint)
    table = f"[mcp_servers.{NAME}]\nurl = {url}\n"
    if gateway.variable:
        table += f"bearer_token_env_var = {json.dumps(gateway.variable)}\n"
    return (
        ManagedFile(
            "requirements.toml",
            f"[mcp_servers.{NAME}.identity]\nurl = {url}\n",
            enforced=True,
            says="Codex disables every server that has not this name and this address",
            place="/etc/codex/, or the requirements that an administrator sets for the workspace",
        ),
        ManagedFile(
            "managed_config.toml",
            table,
            enforced=False,
            says="Codex starts with the gateway configured; people can change it while it runs",
            place="/etc/codex/",
        ),
    )


def vscode(gateway: Gateway) -> tuple[ManagedFile, ...]:
    return (
        ManagedFile(
            "managed-settings.json",
            _only(gateway),
            enforced=True,
            says="Copilot, in VS Code and elsewhere, runs servers at the gateway's address alone",
            place="the enterprise's .github-private repository, or device management",
        ),
        ManagedFile(
            "policy.json",
            _json({"ChatMCP": "registry", "McpGalleryServiceUrl": gateway.base}),
            enforced=False,
            says="chat.mcp.access: VS Code offers what the gateway's registry lists, and runs"
            " servers of these names alone. It compares no addresses, so that an edited mcp.json"
            " gets around it: managed-settings.json is what holds",
            place="/etc/vscode/; elsewhere policies of these names, by group policy or profile",
        ),
        ManagedFile(
            "mcp.json",
            _json(snippets.vscode(gateway.endpoint, key=bool(gateway.variable))),
            enforced=False,
            says="VS Code offers the gateway; people can change it. policy.json blocks it in favour"
            " of the servers that the registry lists: install one of the two",
            place="the person's profile, or .vscode/ of a repository",
        ),
    )


def cursor(gateway: Gateway) -> tuple[ManagedFile, ...]:
    bearer = f"${{env:{gateway.variable}}}" if gateway.variable else ""
    return (
        ManagedFile(
            "mcp.json",
            _json(snippets.cursor(gateway.endpoint, bearer)),
            enforced=False,
            says="Cursor offers the gateway; people can change it. No file holds them to it: what"
            f" does is the list of allowed servers in the team's dashboard, with {gateway.base}/*",
            place="~/.cursor/, or .cursor/ of a repository",
        ),
    )


MANAGED: Final[Mapping[str, Callable[[Gateway], tuple[ManagedFile, ...]]]] = {
    "claude": claude,
    "codex": codex,
    "vscode": vscode,
    "cursor": cursor,
}

import json
import tomllib
from typing import Any

import pytest

from mcp_gateway.cli.managed import MANAGED, Gateway

BASE = "https://gateway.example.com"
URL = f"{BASE}/mcp"
LOGIN, KEY = Gateway(BASE), Gateway(BASE, "GATEWAY_KEY")


def parsed(client: str, gateway: Gateway = LOGIN) -> dict[str, dict[str, Any]]:
    """The files of a client, each as the client reads it."""
    return {
        file.name: (tomllib if file.name.endswith(".toml") else json).loads(file.content)
        for file in MANAGED[client](gateway)
    }


@pytest.mark.requirement("clients:managed-files")
def test_claude_code_gets_one_server_and_a_list_that_no_other_is_on() -> None:
    files = parsed("claude")

    assert files["managed-mcp.json"] == {"mcpServers": {"gateway": {"type": "http", "url": URL}}}
    assert files["managed-settings.json"] == {
        "allowManagedMcpServersOnly": True,
        "allowedMcpServers": [{"serverUrl": f"{BASE}/*"}],
    }


@pytest.mark.requirement("clients:managed-files")
def test_codex_gets_the_identity_that_it_must_find_and_the_server_that_has_it() -> None:
    files = parsed("codex")

    assert files["requirements.toml"] == {"mcp_servers": {"gateway": {"identity": {"url": URL}}}}
    assert files["managed_config.toml"] == {"mcp_servers": {"gateway": {"url": URL}}}


@pytest.mark.requirement("clients:managed-files")
def test_vs_code_gets_the_registry_of_the_gateway_and_the_list_of_addresses() -> None:
    files = parsed("vscode")

    assert files["policy.json"] == {"ChatMCP": "registry", "McpGalleryServiceUrl": BASE}
    assert files["managed-settings.json"]["allowedMcpServers"] == [{"serverUrl": f"{BASE}/*"}]
    assert files["mcp.json"]["servers"]["gateway"]["url"] == URL


@pytest.mark.requirement("clients:managed-files")
def test_a_persons_key_is_named_and_never_written() -> None:
    claude = parsed("claude", KEY)["managed-mcp.json"]["mcpServers"]["gateway"]
    codex = parsed("codex", KEY)["managed_config.toml"]["mcp_servers"]["gateway"]
    cursor = parsed("cursor", KEY)["mcp.json"]["mcpServers"]["gateway"]
    vscode = parsed("vscode", KEY)["mcp.json"]["servers"]["gateway"]

    assert claude["headers"] == {"Authorization": "Bearer ${GATEWAY_KEY}"}
    assert codex["bearer_token_env_var"] == "GATEWAY_KEY"
    assert cursor["headers"] == {"Authorization": "Bearer ${env:GATEWAY_KEY}"}
    assert vscode["headers"] == {"Authorization": "Bearer ${input:key}"}


@pytest.mark.requirement("clients:says-what-holds")
def test_what_merely_offers_the_gateway_is_not_called_enforced() -> None:
    held = {client: [f.name for f in of(LOGIN) if f.enforced] for client, of in MANAGED.items()}

    assert held == {
        "claude": ["managed-mcp.json", "managed-settings.json"],
        "codex": ["requirements.toml"],
        "vscode": ["managed-settings.json"],
        "cursor": [],
    }

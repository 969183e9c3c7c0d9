from pathlib import Path

import pytest

from mcp_gateway.cli.welcome import welcome
from mcp_gateway.config import Settings
from mcp_gateway.home import Home

HOME = Home(Path("var"))
NAMED = Settings.model_validate({"gateway": {"url": "https://gateway.example.com"}})


@pytest.mark.requirement("operations:a-start-tells-no-secret-twice")
def test_the_first_time_the_key_stands_in_every_line_to_paste() -> None:
    said = welcome(HOME, HOME.config, NAMED, "mcpgw_1_x")

    assert "MCP gateway   https://gateway.example.com/mcp\n" in said
    assert "Ledger        var/ledger\n" in said
    assert "Configuration var/gateway.toml\n" in said
    assert (
        'claude mcp add --transport http gateway https://gateway.example.com/mcp -H "Auth' in said
    )
    assert '"headers": {"Authorization": "Bearer mcpgw_1_x"}' in said
    assert "export MCP_GATEWAY_KEY=mcpgw_1_x\n" in said
    assert said.count("mcpgw_1_x") == 4


def test_afterwards_it_says_how_a_lost_key_is_replaced() -> None:
    said = welcome(HOME, Path("/etc/gateway.toml"), Settings(), "")

    assert "`mcp-gateway init --reset-admin` replaces a lost one" in said
    assert said.count("YOUR_KEY") == 3
    assert "Configuration /etc/gateway.toml\n" in said
    assert "shown this once" not in said

"""What `serve` prints once it listens: where everything is, and what to paste where."""

from pathlib import Path

from mcp_gateway.config import Settings
from mcp_gateway.home import Home


def welcome(home: Home, config: Path, settings: Settings, key: str) -> str:
    """What to paste where. The key is shown once."""
    url = f"{settings.public}/mcp"
    shown = key or "YOUR_KEY"
    lines = [f"MCP gateway   {url}", f"Ledger        {home.ledger}", f"Configuration {config}"]
    if key:
        lines += ["", "Your API key, shown this once:", f"  {key}"]
    else:
        lines += ["", "Keys are kept; `mcp-gateway init --reset-admin` replaces a lost one."]
    lines += [
        "",
        "Claude Code:",
        f'  claude mcp add --transport http gateway {url} -H "Authorization: Bearer {shown}"',
        "",
        "Cursor (~/.cursor/mcp.json):",
        f'  {{"mcpServers": {{"gateway": {{"url": "{url}",',
        f'    "headers": {{"Authorization": "Bearer {shown}"}}}}}}}}',
        "",
        "Codex:",
        f"  export MCP_GATEWAY_KEY={shown}",
        f"  codex mcp add gateway --url {url} --bearer-token-env-var MCP_GATEWAY_KEY",
        "",
    ]
    return "\n".join(lines)

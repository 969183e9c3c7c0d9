"""What `serve` prints once it listens: where everything is, and what to paste where."""

from pathlib import Path
from textwrap import indent
from typing import Final

from mcp_gateway.cli import snippets
from mcp_gateway.config import Settings
from mcp_gateway.home import Home

VARIABLE: Final = "MCP_GATEWAY_KEY"
_WITHOUT_A_KEY: Final = (
    "Or leave the key out of these lines, and log in with a browser when your runtime asks you to.",
    "",
)


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
        f"  {snippets.claude(url, shown)}",
        "",
        "Cursor (~/.cursor/mcp.json):",
        indent(snippets.one_line(snippets.cursor(url, shown)), "  "),
        "",
        "Codex:",
        f"  export {VARIABLE}={shown}",
        f"  {snippets.codex(url, VARIABLE)}",
        "",
        *(_WITHOUT_A_KEY if settings.authorization.enabled else ()),
    ]
    return "\n".join(lines)

"""The MCP Inspector's command line, at a gateway under test."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.support.runtimes.programs import Ran, Shell

SCRIPT = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"


@dataclass(frozen=True, slots=True)
class Inspector:
    """One caller, in one era: "legacy", "auto" or "modern"."""

    shell: Shell
    url: str
    key: str
    era: str

    @classmethod
    def at(cls, home: Path, url: str, key: str, era: str) -> Self:
        shell = Shell(home)
        shell.install("mcp-inspector", "inspector", SCRIPT)
        return cls(shell, url, key, era)

    async def run(self, method: str, *options: str) -> Ran:
        return await self.shell.run(
            str(self.shell.home / "bin" / "mcp-inspector"),
            *("--cli", "--transport", "http", "--server-url", self.url),
            *("--header", f"Authorization: Bearer {self.key}"),
            *("--protocol-era", self.era, "--method", method),
            *options,
        )

    async def ask(self, method: str, *options: str) -> dict[str, Any]:
        """The result that it printed. Raises AssertionError when it met an error."""
        ran = await self.run(method, *options)
        assert ran.code == 0, ran.err
        result: dict[str, Any] = json.loads(ran.out)
        return result

    async def call(self, tool: str, **arguments: object) -> tuple[Ran, dict[str, Any]]:
        """How it ended, and the tool's result: that of a refusal is printed too."""
        given = json.dumps(arguments)
        ran = await self.run("tools/call", "--tool-name", tool, "--tool-args-json", given)
        result: dict[str, Any] = json.loads(ran.out)
        return ran, result

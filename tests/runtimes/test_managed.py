"""Claude Code and Codex, unmodified, with the exported files where an administrator puts them.

Their folders are below /etc. Each program runs in a mount namespace of its own, in which the files
lie there: nothing of this machine is changed.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.mcp_gateway.cli.conftest import run
from tests.runtimes.test_agents import CLAUDE, CODEX, PROVIDER
from tests.support.raw_server import raw_server
from tests.support.runtimes.model import scripted_model
from tests.support.runtimes.programs import Ran, Shell
from tests.support.runtimes.script import Script, Step
from tests.support.served import Served, served

pytestmark = pytest.mark.agents

CONFIG = '[policy]\nrules = ["policy.csv"]\n'
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
QUIET: Final = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
LAID: Final = 'mount -t overlay overlay -o lowerdir=/etc,upperdir="$1",workdir="$2" /etc'
TRY: Final = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Try.")


@dataclass(frozen=True, slots=True)
class Machine:
    """A person's home on a machine that an administrator manages, if they exported anything."""

    shell: Shell
    etc: Path

    def manage(self, client: str, folder: str, gateway: Served) -> None:
        exported = ("--url", gateway.url, "--key-variable", "MCP_GATEWAY_KEY")
        ran = run("clients", "export", client, *exported, "--out", str(self.etc / folder))
        assert ran.exit_code == 0, ran.output

    def a_project_brings(self, url: str) -> None:
        """A server in the folder that the person works in, which they trust as it is."""
        servers = {"mcpServers": {"project": {"type": "http", "url": url}}}
        (self.shell.home / ".mcp.json").write_text(json.dumps(servers), "utf-8")
        trusted = self.shell.home / ".claude" / "settings.local.json"
        trusted.parent.mkdir(exist_ok=True)
        trusted.write_text(json.dumps({"enableAllProjectMcpServers": True}), "utf-8")

    async def run(self, *words: str, **variables: str) -> Ran:
        work = self.etc.with_name("work")
        work.mkdir(exist_ok=True)
        inside = ("/bin/sh", "-ec", f'{LAID}; shift 2; exec "$@"', "sh", str(self.etc), str(work))
        return await self.shell.run("unshare", "-rm", *inside, *words, **variables)


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "gateway").mkdir()
    async with served(tmp_path / "gateway", CONFIG) as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "etc").mkdir()
    return Machine(Shell(tmp_path / "home"), tmp_path / "etc")


@asynccontextmanager
async def another_server() -> AsyncIterator[tuple[str, list[str]]]:
    """Yields the URL of a server that is not the gateway, and where on it messages were sent."""
    heard: list[str] = []

    def answer(request: bytes) -> bytes:
        method, path, *_ = request.decode("latin-1").split(" ")
        if method == "POST":
            heard.append(path)
        return NOT_FOUND

    async with raw_server(answer) as (url, _):
        yield url.rstrip("/"), heard


@pytest.mark.requirement("clients:claude-code-reaches-only-the-gateway")
async def test_a_managed_claude_code_reaches_the_gateway_and_no_other_server(
    gateway: Served, machine: Machine
) -> None:
    machine.shell.install("claude", "agents", CLAUDE)
    shown, script = {"MCP_GATEWAY_KEY": gateway.key}, Script([Step("gateway__whoami")])
    asked = ("-p", "Try.", "--allowedTools", "mcp__gateway", "--output-format", "json")

    async with another_server() as (other, heard), scripted_model(script) as url:
        adds = ("claude", "mcp", "add", "--transport", "http")
        await machine.run(*adds, "other", f"{other}/added")
        machine.a_project_brings(f"{other}/project")
        await machine.run("claude", "mcp", "list")
        unmanaged = list(heard)
        machine.manage("claude", "claude-code", gateway)
        model = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none", **QUIET, **shown}
        server = {"mcpServers": {"flag": {"type": "http", "url": f"{other}/flag"}}}
        listed = await machine.run("claude", "mcp", "list", **shown)
        added = await machine.run(*adds, "another", f"{other}/another")
        ran = await machine.run("claude", *asked, **model)
        flagged = await machine.run("claude", *asked, "--mcp-config", json.dumps(server), **model)

    assert {"/added", "/project"} <= set(unmanaged)
    assert f"gateway: {gateway.url}/mcp (HTTP) - ✔ Connected" in listed.out
    assert other not in listed.out
    assert (added.code, "exclusive control" in added.err) == (1, True)
    assert json.loads(ran.out)["result"] == "Done."
    assert '"subject":"admin"' in script.shown[0].replace(" ", "")
    assert "flag" in flagged.err
    assert heard == unmanaged


@pytest.mark.requirement("clients:claude-code-reaches-only-the-gateway")
async def test_the_list_alone_keeps_claude_code_from_servers_that_people_add(
    gateway: Served, machine: Machine
) -> None:
    machine.shell.install("claude", "agents", CLAUDE)
    machine.manage("claude", "claude-code", gateway)
    (machine.etc / "claude-code" / "managed-mcp.json").unlink()

    async with another_server() as (other, heard):
        adds = ("claude", "mcp", "add", "--transport", "http")
        added = await machine.run(*adds, "other", f"{other}/added")
        machine.a_project_brings(f"{other}/project")
        ours = ("gateway", f"{gateway.url}/mcp", "-H", f"Authorization: Bearer {gateway.key}")
        await machine.run(*adds, *ours)
        listed = await machine.run("claude", "mcp", "list")

    assert "✔ Connected" in listed.out
    assert added.code == 1
    assert heard == []


@pytest.mark.requirement("clients:codex-reaches-only-the-gateway")
async def test_a_managed_codex_reaches_the_gateway_and_no_other_server(
    gateway: Served, machine: Machine
) -> None:
    machine.shell.install("codex", "agents", CODEX)
    config = machine.shell.home / ".codex" / "config.toml"
    config.parent.mkdir()
    script, shown = Script([Step("gateway__whoami")]), {"MCP_GATEWAY_KEY": gateway.key}

    async with another_server() as (other, heard), scripted_model(script) as url:
        servers = (
            f'[mcp_servers.other]\nurl = "{other}/mcp"\n[mcp_servers.local]\ncommand = "false"\n'
        )
        config.write_text(PROVIDER.format(model=url) + servers, "utf-8")
        free = await machine.run("codex", "mcp", "list", "--json")
        machine.manage("codex", "codex", gateway)
        held = await machine.run("codex", "mcp", "list", "--json", **shown)
        ran = await machine.run("codex", *TRY, **shown)

    assert {server["name"] for server in json.loads(free.out) if server["enabled"]} == {
        "other",
        "local",
    }
    assert [server["name"] for server in json.loads(held.out) if server["enabled"]] == ["gateway"]
    assert ran.out.splitlines()[-1:] == ["Done."], ran
    assert '"subject":"admin"' in script.shown[0].replace(" ", "")
    assert heard == []

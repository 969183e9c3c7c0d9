"""Claude Code and Codex, unmodified, log a person in: no key is pasted anywhere."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.demo.browser import form_browser
from tests.runtimes.test_agents import CLAUDE, CODEX, PROVIDER
from tests.support.certificates import Authority
from tests.support.oidc_provider import openid_provider
from tests.support.process import Served, command, served
from tests.support.runtimes.login import log_in
from tests.support.runtimes.model import scripted_model
from tests.support.runtimes.programs import Shell
from tests.support.runtimes.script import Script, Step

pytestmark = pytest.mark.agents

LISTENS: Final = """
[gateway]
listen = "127.0.0.1:@PORT@"

[policy]
rules = ["builtin:first-run"]
"""
ELSEWHERE: Final = """
[network]
ca = ["{ca}"]

[identity]
issuer = "{issuer}"
audience = "http://127.0.0.1:@PORT@/mcp"
scopes = ["openid"]
"""
HERE: Final = "[authorization]\nenabled = true\n"
REGISTERS: Final = {"registration": {"enabled": True}}
QUIET: Final = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
TRY: Final = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Try.")
NO_BROWSER: Final = {"BROWSER": "/bin/true"}


@dataclass(frozen=True, slots=True)
class World:
    """A gateway, how a person's browser gets from an address back to their runtime, and as whom."""

    gateway: Served
    visit: Callable[[str], Awaitable[None]]
    issuer: str
    subject: str
    trust: Mapping[str, str] = field(default_factory=dict)

    def unknown_before(self) -> list[str]:
        """Clients that had to say who they are, by a registration or a document of theirs."""
        entries = self.gateway.entries("client.registered") + self.gateway.entries("client.fetched")
        return [entry["client"] for entry in entries]

    def who_called(self) -> list[tuple[str, str]]:
        outcomes = self.gateway.entries("outcome")
        called = [e for e in outcomes if e.get("target") == "tool/gateway/whoami"]
        return [(entry["issuer"], entry["subject"]) for entry in called]


@asynccontextmanager
async def at_an_issuer(folder: Path) -> AsyncIterator[World]:
    """Tokens are a provider's, where the runtime logs people in, past the gateway."""
    authority = Authority(folder)
    trusted = authority.certificate
    async with openid_provider(folder, authority, features=REGISTERS) as provider:

        async def visit(address: str) -> None:
            async with form_browser(provider.trusted) as browser:
                await browser.open(address)
                await browser.send(login="ada", password="any")
                await browser.send()

        config = LISTENS + ELSEWHERE.format(ca=trusted, issuer=provider.url)
        async with served(folder, config) as gateway:
            trust = {"SSL_CERT_FILE": trusted, "NODE_EXTRA_CA_CERTS": trusted}
            yield World(gateway, visit, provider.url, "ada", trust)


@asynccontextmanager
async def at_the_gateway(folder: Path) -> AsyncIterator[World]:
    """Tokens are the gateway's own, and so are the pages."""
    async with served(folder, LISTENS + HERE) as gateway:
        made = command(
            *("keys", "create", "--subject", "ada", "--role", "user"),
            MCP_GATEWAY_URL=gateway.url,
            MCP_GATEWAY_KEY=gateway.key,
        )

        async def visit(address: str) -> None:
            async with form_browser(ssl.create_default_context()) as browser:
                await browser.open(address)
                await browser.send(key=made.out.strip())
                await browser.send("Allow")

        yield World(gateway, visit, "local", "ada")


@pytest.fixture(params=[at_the_gateway, at_an_issuer])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    async with request.param(tmp_path) as made:
        yield made


@pytest.mark.requirement("runtimes:claude-code-logs-in")
async def test_claude_code_logs_a_person_in_and_calls_as_them(world: World, tmp_path: Path) -> None:
    shell, script = Shell(tmp_path / "home"), Script([Step("gateway__whoami")])
    shell.install("claude", "agents", CLAUDE)
    asked = ("-p", "Try.", "--allowedTools", "mcp__gateway", "--output-format", "json")
    mcp = ("claude", "mcp")

    added = await shell.run(
        *mcp, "add", "--transport", "http", "gateway", f"{world.gateway.url}/mcp"
    )
    before = await shell.run(*mcp, "list", **world.trust)
    code, shown = await log_in(
        shell, *mcp, "login", "gateway", visit=world.visit, **world.trust, **NO_BROWSER
    )
    after = await shell.run(*mcp, "list", **world.trust)
    async with scripted_model(script) as url:
        model = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none", **QUIET, **world.trust}
        ran = await shell.run("claude", *asked, **model)

    assert added.code == 0
    assert "Needs authentication" in before.out
    assert code == 0, shown
    assert "✔ Connected" in after.out
    assert json.loads(ran.out)["result"] == "Done."
    assert world.who_called() == [(world.issuer, world.subject)]
    assert world.unknown_before() == []


@pytest.mark.requirement("runtimes:codex-logs-in")
async def test_codex_logs_a_person_in_and_calls_as_them(world: World, tmp_path: Path) -> None:
    shell, script = Shell(tmp_path / "home"), Script([Step("gateway__whoami")])
    shell.install("codex", "agents", CODEX)
    config = shell.home / ".codex" / "config.toml"
    config.parent.mkdir()
    server = f'[mcp_servers.gateway]\nurl = "{world.gateway.url}/mcp"\n'

    async with scripted_model(script) as url:
        store = 'mcp_oauth_credentials_store = "file"\n'
        config.write_text(store + PROVIDER.format(model=url) + server, "utf-8")
        code, shown = await log_in(
            shell, "codex", "mcp", "login", "gateway", visit=world.visit, **world.trust
        )
        ran = await shell.run("codex", *TRY, **world.trust)

    assert code == 0, shown
    assert ran.out.splitlines()[-1:] == ["Done."], ran
    assert world.who_called() == [(world.issuer, world.subject)]
    assert world.unknown_before() == []

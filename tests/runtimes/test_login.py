"""Claude Code and Codex, unmodified, log a person in: no key is pasted anywhere."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.demo.browser import form_browser
from tests.runtimes.test_agents import CLAUDE, CODEX, PROVIDER
from tests.support.certificates import Authority
from tests.support.oidc_provider import Provider, openid_provider
from tests.support.process import Served, served
from tests.support.runtimes.login import log_in
from tests.support.runtimes.model import scripted_model
from tests.support.runtimes.programs import Shell
from tests.support.runtimes.script import Script, Step

pytestmark = pytest.mark.agents

CONFIG: Final = """
[gateway]
listen = "127.0.0.1:@PORT@"

[network]
ca = ["{ca}"]

[identity]
issuer = "{issuer}"
audience = "http://127.0.0.1:@PORT@/mcp"
scopes = ["openid"]

[policy]
rules = ["builtin:first-run"]
"""
REGISTERS: Final = {"registration": {"enabled": True}}
QUIET: Final = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
TRY: Final = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Try.")
NO_BROWSER: Final = {"BROWSER": "/bin/true"}


@dataclass(frozen=True, slots=True)
class World:
    """A gateway that takes the tokens of a provider, which both runtimes trust."""

    gateway: Served
    provider: Provider
    trust: dict[str, str]

    async def as_ada(self, address: str) -> None:
        """The browser, up to the page of the runtime that it comes back to."""
        async with form_browser(self.provider.trusted) as browser:
            await browser.open(address)
            await browser.send(login="ada", password="any")
            await browser.send()

    def who_called(self) -> list[tuple[str, str]]:
        outcomes = self.gateway.entries("outcome")
        called = [e for e in outcomes if e.get("target") == "tool/gateway/whoami"]
        return [(entry["issuer"], entry["subject"]) for entry in called]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    authority = Authority(tmp_path)
    trusted = authority.certificate
    async with openid_provider(tmp_path, authority, features=REGISTERS) as provider:
        config = CONFIG.format(ca=trusted, issuer=provider.url)
        async with served(tmp_path, config) as gateway:
            trust = {"SSL_CERT_FILE": trusted, "NODE_EXTRA_CA_CERTS": trusted}
            yield World(gateway, provider, trust)


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
        shell, *mcp, "login", "gateway", visit=world.as_ada, **world.trust, **NO_BROWSER
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
    assert world.who_called() == [(world.provider.url, "ada")]


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
            shell, "codex", "mcp", "login", "gateway", visit=world.as_ada, **world.trust
        )
        ran = await shell.run("codex", *TRY, **world.trust)

    assert code == 0, shown
    assert ran.out.splitlines()[-1:] == ["Done."], ran
    assert world.who_called() == [(world.provider.url, "ada")]

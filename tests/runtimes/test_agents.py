"""Claude Code and Codex, unmodified, with the lines that `make up` prints pasted.

The model is a script on this machine: it calls a tool of each upstream, meets a refusal that an
administrator makes while it works, asks for its reason, and then has a tool taken away.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.ledger.verify import verify
from tests.support.gateway import BOUND
from tests.support.runtimes.model import scripted_model
from tests.support.runtimes.programs import Shell
from tests.support.runtimes.script import Script, Step, always
from tests.support.served import Served, served

pytestmark = pytest.mark.agents

CLAUDE = "@anthropic-ai/claude-code/cli-wrapper.cjs"
CODEX = "@openai/codex/bin/codex.js"
KNOWN = "Several servers stand behind this gateway"
CLOSED = "p, 5, closed-today, role:admin, *, tool/orders/*, *, , deny, approval:security\n"
GONE = "p, 4, gone-today, role:admin, *, tool/orders/*, *, , deny,\n"
CONFIG = """
[policy]
rules = ["policy.csv"]

[servers.orders]
connector = "openapi"
url = "http://127.0.0.1:{port}"
document = "builtin:orders"
command = ["@PYTHON@", "-m", "connectors.samples.orders", "{port}"]

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]

[servers.everything]
connector = "mcp_http"
url = "http://127.0.0.1:{port}/mcp"
command = ["@PYTHON@", "@EXAMPLE@", "{port}"]
"""
# Codex asks a person before a tool that is not marked read-only: this is that person's yes to all.
TRY = "codex exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox 'Try them.'"
PROVIDER = """
model = "scripted"
model_provider = "scripted"

[model_providers.scripted]
name = "scripted"
base_url = "{model}/v1"
wire_api = "responses"
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, CONFIG) as running:
        yield running


def _tools_lists(gateway: Served) -> int:
    return [line["method"] for line in gateway.entries("outcome")].count("tools/list")


async def _ruled(gateway: Served, line: str) -> None:
    """Puts a rule in force before all others."""
    rules = gateway.data / "policy.csv"
    before = len(gateway.entries("configuration.applied"))
    await asyncio.to_thread(rules.write_text, line + rules.read_text("utf-8"), "utf-8")
    async with asyncio.timeout(BOUND):
        while len(gateway.entries("configuration.applied")) == before:
            await asyncio.sleep(0.05)


def scripted(gateway: Served, *, hears: bool) -> Script:
    """`hears`: the runtime listens, and lists again when its list has changed."""

    async def close_the_desk() -> None:
        await _ruled(gateway, CLOSED)

    async def take_away() -> None:
        before = _tools_lists(gateway)
        await _ruled(gateway, GONE)
        async with asyncio.timeout(BOUND):
            while hears and _tools_lists(gateway) == before:
                await asyncio.sleep(0.05)

    return Script(
        [
            Step("orders__list_orders"),
            Step("time__echo", always(text="over stdio")),
            Step("everything__echo", always(text="over http")),
            Step("orders__refund_order", always(id="1001"), before=close_the_desk),
            Step("gateway__explain_denial", _the_call_that_was_refused),
            Step("gateway__whoami", before=take_away),
            Step("orders__list_orders"),
        ]
    )


def _the_call_that_was_refused(shown: Sequence[str]) -> dict[str, Any]:
    named = re.search(r"Call: (\w+)\.", shown[-1])
    return {"call": named[1] if named else shown[-1][:200]}


def _check(gateway: Served, script: Script, taken: str, *last: tuple[str, str]) -> None:
    """What the model was shown, and what the ledger says of it.

    `taken` is what it is shown of the tool that was taken away, and `last` what was recorded.
    """
    orders, over_stdio, over_http, refused, explained, _, gone = script.shown
    assert KNOWN in script.told[-1]
    assert '"customer":"Ada"' in orders
    assert "over stdio" in over_stdio
    assert "over http" in over_http
    assert "Rule: closed-today." in refused
    assert "Do not retry" in refused
    assert '"rule":"closed-today"' in explained.replace(" ", "")
    assert taken in gone
    outcomes = [(line["target"], line["outcome"]) for line in gateway.entries("outcome")]
    called = [outcome for outcome in outcomes if outcome[0].startswith("tool/")]
    assert called == [
        ("tool/orders/list_orders", "ok"),
        ("tool/time/echo", "ok"),
        ("tool/everything/echo", "ok"),
        ("tool/orders/refund_order", "approval_required"),
        ("tool/gateway/explain_denial", "ok"),
        ("tool/gateway/whoami", "ok"),
        *last,
    ]
    assert [report.damage for report in verify(gateway.data / "ledger")] == [[]]


@pytest.mark.requirement("runtimes:claude-code")
async def test_claude_code_works_with_the_line_that_is_printed(
    gateway: Served, tmp_path: Path
) -> None:
    script = scripted(gateway, hears=True)
    shell = Shell(tmp_path / "home")
    shell.install("claude", "agents", CLAUDE)
    asked = ("-p", "Try the tools.", "--allowedTools", "mcp__gateway", "--output-format", "json")

    added = await shell.paste(gateway.printed("Claude Code"))
    listed = await shell.run("claude", "mcp", "list")
    async with scripted_model(script) as url:
        quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
        model = {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none"}
        ran = await shell.run("claude", *asked, **model, **quiet)

    assert (added.code, ran.code) == (0, 0), (added, ran)
    assert "✔ Connected" in listed.out
    assert json.loads(ran.out)["result"] == "Done."
    _check(gateway, script, "No such tool available")


@pytest.mark.requirement("runtimes:codex")
async def test_codex_works_with_the_lines_that_are_printed(gateway: Served, tmp_path: Path) -> None:
    script = scripted(gateway, hears=False)
    shell = Shell(tmp_path / "home")
    shell.install("codex", "agents", CODEX)
    config = shell.home / ".codex" / "config.toml"
    config.parent.mkdir()

    async with scripted_model(script) as url:
        config.write_text(PROVIDER.format(model=url), "utf-8")
        ran = await shell.paste(f"{gateway.printed('Codex')}\n{TRY}")

    assert ran.code == 0, ran
    assert ran.out.splitlines()[-1] == "Done."
    _check(gateway, script, "Rule: gone-today.", ("tool/orders/list_orders", "forbidden"))

"""A configuration that changes under a running process: whole, or not at all, and never unseen."""

import asyncio
import hashlib
import json
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.issuer import issuer
from tests.support.process import Served, served, until

CONFIG = """
[gateway]
listen = "127.0.0.1:@PORT@"
contact = "desk@example.com"

[policy]
rules = ["policy.csv"]
suites = ["suites/*.toml"]

[limits]
principal = { default = "1000/minute" }

[servers.time]
connector = "mcp_stdio"
command = ["@PYTHON@", "@EXAMPLE@"]
"""
RULES = """
p, 1, no-slow, role:admin, *, tool/time/slow, *, , deny,
p, 2, all, role:admin, *, */*/*, *, , allow,
"""
SUITE = """
[[case]]
as = "admin"
roles = ["admin"]
action = "tools/call"
target = "tool/time/echo"
expect = "allow"
"""


@pytest.fixture(scope="module")
async def process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    folder = tmp_path_factory.mktemp("reload")
    (folder / "var" / "suites").mkdir(mode=0o700, parents=True)
    (folder / "var").chmod(0o700)
    (folder / "var" / "policy.csv").write_text(RULES)
    (folder / "var" / "suites" / "own.toml").write_text(SUITE)
    async with served(folder, CONFIG) as running:
        await running.serving("time")
        yield running


class Configured:
    """The running gateway, beginning each test with the configuration above."""

    def __init__(self, gateway: Served, text: str) -> None:
        self.gateway = gateway
        self.text = text
        self.rules = gateway.data / "policy.csv"
        self.suite = gateway.data / "suites" / "own.toml"

    def entries(self) -> list[dict[str, Any]]:
        lines = self.gateway.entries()
        return [line for line in lines if line["kind"].startswith("configuration.")]

    async def after(self, change: Callable[[], object], *, said: str = "") -> dict[str, Any]:
        """The entry about the files as a change has left them; it says what is given."""
        before = len(self.entries())
        change()
        file = hashlib.sha256(self.gateway.config.read_bytes()).hexdigest()

        def found() -> list[dict[str, Any]]:
            entries = self.entries()[before:]
            return [e for e in entries if e["file"] == file and said in json.dumps(e)]

        await until(found)
        return found()[0]

    async def write(self, *replaced: tuple[str, str], more: str = "") -> dict[str, Any]:
        text = self.text
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        return await self.after(lambda: self.gateway.config.write_text(text + more))

    async def says(self, tool: str, key: str = "", **arguments: Any) -> str:
        """The text of a tool's answer, or of its refusal."""
        answer = json.loads((await self.gateway.call(tool, key, **arguments)).content)
        if "error" in answer:
            return str(answer["error"]["message"])
        return str(answer["result"]["content"][0]["text"])


@pytest.fixture
async def configured(process: Served) -> AsyncIterator[Configured]:
    text = process.config.read_text()
    start = Configured(process, text)
    yield start
    start.rules.write_text(RULES)
    start.suite.write_text(SUITE)
    # A text of its own: what follows is about this one, and about none that came before.
    entry = await start.after(lambda: process.config.write_text(f"{text}#\n"))
    assert entry["kind"] == "configuration.applied"
    await process.serving("time")


@pytest.mark.requirement("reload:both-triggers")
async def test_a_changed_file_and_a_signal_both_take_effect(configured: Configured) -> None:
    written = await configured.write(("desk@", "help@"))
    by_file = await configured.says("time__slow", seconds=0)
    configured.gateway.config.write_text(configured.text)
    signalled = await configured.after(lambda: configured.gateway.send(signal.SIGHUP))

    assert (written["kind"], written["changed"]) == ("configuration.applied", ["gateway.contact"])
    assert "Ask help@example.com" in by_file
    assert signalled["kind"] == "configuration.applied"


@pytest.mark.requirement("reload:both-triggers")
async def test_a_file_that_an_editor_replaces_by_another_is_seen(configured: Configured) -> None:
    fresh = configured.gateway.data / ".gateway.toml.swp"
    fresh.write_text(configured.text.replace("desk@", "help@"))

    entry = await configured.after(lambda: fresh.replace(configured.gateway.config))
    again = await configured.write(("desk@", "front@"))

    assert entry["changed"] == ["gateway.contact"]
    assert again["kind"] == "configuration.applied"


@pytest.mark.requirement("reload:both-triggers")
async def test_a_burst_of_writes_settles_into_the_last(configured: Configured) -> None:
    before = len(configured.entries())
    for number in range(19):
        text = configured.text.replace("desk@", f"desk{number}@")
        configured.gateway.config.write_text(text)
        await asyncio.sleep(0.01)
    entry = await configured.write(("desk@", "desk19@"))

    assert entry["kind"] == "configuration.applied"
    assert "Ask desk19@example.com" in await configured.says("time__slow", seconds=0)
    # One, and on a busy machine a few: each write would be twenty.
    assert len(configured.entries()) - before <= 5


@pytest.mark.requirement("reload:both-triggers")
@pytest.mark.requirement("snapshot:swapped-whole")
async def test_rules_and_suites_beside_the_file_trigger_too(configured: Configured) -> None:
    rules = RULES.replace("no-slow", "none-slow")
    by_rules = await configured.after(lambda: configured.rules.write_text(rules), said="policy")
    denied = await configured.says("time__slow", seconds=0)
    suite = SUITE.replace('"allow"', '"deny"')
    by_suite = await configured.after(lambda: configured.suite.write_text(suite), said="own.toml")

    assert by_rules["kind"] == "configuration.applied"
    assert "none-slow" in denied
    assert by_suite["kind"] == "configuration.refused"
    assert "own.toml, case 1: expected deny" in by_suite["reason"]


@pytest.mark.requirement("snapshot:a-bad-file-is-refused")
async def test_a_bad_file_is_refused_with_every_reason_and_nothing_of_it_is_taken(
    configured: Configured,
) -> None:
    gateway = configured.gateway
    entry = await configured.write(
        ("desk@", "help@"),
        more='guard = "strickt"\n[servers.more]\nconnector = "carrier-pigeon"\n',
    )
    refused = await gateway.ready()
    denied = await configured.says("time__slow", seconds=0)
    mended = await configured.after(lambda: gateway.config.write_text(configured.text))

    assert entry["kind"] == "configuration.refused"
    assert refused["configuration refused"] == entry["reason"]
    for reason in ("servers.time: no guard profile is called 'strickt'", "carrier-pigeon"):
        assert reason in entry["reason"]
        assert gateway.logged(reason)
    assert "Ask desk@example.com" in denied
    assert mended["kind"] == "configuration.applied"
    assert "configuration refused" not in await gateway.ready()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("[gateway", "gateway.toml"),
        ('[gateway]\nlisten = "127.0.0.1:1"\nlisten_on = "x"', "gateway.listen_on"),
    ],
)
@pytest.mark.requirement("snapshot:a-bad-file-is-refused")
async def test_what_is_no_configuration_is_refused(
    configured: Configured, text: str, said: str
) -> None:
    entry = await configured.after(lambda: configured.gateway.config.write_text(text))

    assert entry["kind"] == "configuration.refused"
    assert said in entry["reason"]
    assert "echo" in await configured.says("time__echo", text="echo")


@pytest.mark.requirement("reload:next-start-is-said")
async def test_what_cannot_change_while_it_runs_is_said_in_all_three_places(
    configured: Configured,
) -> None:
    gateway = configured.gateway
    old = gateway.url.removeprefix("http://")
    entry = await configured.write(
        (old, "127.0.0.1:9"),
        ("desk@", "help@"),
        more='[ledger]\ndurability = "written"\n[network]\nprivate_upstreams = ["10.0.0.0/8"]\n',
    )
    troubles = await gateway.ready()
    denied = await configured.says("time__slow", seconds=0)

    waiting = ["gateway.listen", "ledger.durability", "network.private_upstreams"]
    assert sorted(entry["waiting"]) == waiting
    assert all(name in troubles["configuration waiting"] for name in waiting)
    assert gateway.logged("these settings take effect at the next start")
    assert "Ask help@example.com" in denied


@pytest.mark.requirement("reload:limits")
async def test_a_new_limit_counts_anew_and_the_others_go_on(configured: Configured) -> None:
    default = 'default = "1000/minute"'
    await configured.write((default, f'{default}, "tool/time/echo" = "2/day"'))
    first = [await configured.says("time__echo", text="hi") for _ in range(3)]
    counts = f'{default}, "tool/time/echo" = "2/day", "tool/time/count" = "1/day"'
    await configured.write((default, counts))
    unchanged = await configured.says("time__echo", text="hi")
    await configured.write((default, f'{default}, "tool/time/echo" = "3/day"'))
    changed = await configured.says("time__echo", text="hi")

    assert first[:2] == ["hi", "hi"]
    assert "over the limit of 2/day" in first[2]
    assert "over the limit of 2/day" in unchanged
    assert changed == "hi"


@pytest.mark.requirement("reload:guards")
async def test_a_guard_profile_takes_effect_at_once(configured: Configured) -> None:
    own = 'guard = "own"\n[guards.own]\nresult = { hidden_unicode = "%s" }\n'
    await configured.write(more=own % "observe")
    observed = await configured.says("time__secret")
    await configured.write(more=own % "deny")
    denied = await configured.says("time__secret")

    assert "drow" in observed
    assert "hidden unicode" in denied


@pytest.mark.requirement("reload:servers")
async def test_a_server_whose_connection_did_not_change_is_not_started_again(
    configured: Configured,
) -> None:
    spawns = len(configured.gateway.entries("spawn"))
    await configured.write(more='guard = "strict"\n[servers.more]\n' + _AWAY)
    troubles = await configured.gateway.ready()
    said = await configured.says("time__echo", text="hi")

    assert "server more" in troubles
    assert said == "hi"
    assert len(configured.gateway.entries("spawn")) == spawns


@pytest.mark.requirement("reload:servers")
async def test_a_call_in_flight_is_answered_by_a_server_that_is_taken_away(
    configured: Configured,
) -> None:
    rules = "p, 1, all, role:admin, *, */*/*, *, , allow,\n"
    await configured.after(lambda: configured.rules.write_text(rules), said="policy")
    intents = len(configured.gateway.entries("intent"))
    slow = asyncio.ensure_future(configured.says("time__slow", seconds=1.5))
    await until(lambda: len(configured.gateway.entries("intent")) > intents)
    await configured.after(
        lambda: configured.gateway.config.write_text(configured.text.split("[servers")[0])
    )
    gone = await configured.says("time__echo", text="hi")

    assert "no tool is called 'time__echo'" in gone
    assert await slow == "done"


@pytest.mark.requirement("reload:identity")
async def test_an_issuer_and_what_is_expected_of_its_tokens_may_change(
    configured: Configured,
) -> None:
    gateway = configured.gateway
    with issuer() as login:
        section = (
            f'[identity]\nissuer = "{login.url}"\naudience = "gateway"\naliases = {{ ada = '
            f'"{login.url}|ada" }}\n'
        )
        token = login.token("ada", "gateway", roles=["admin"], groups=["nobody"])
        before = await gateway.call("gateway__whoami", token)
        await configured.write(more=section)
        await until(lambda: _without(gateway, "issuer"))
        known = await configured.says("gateway__whoami", token)
        await configured.write(more=section + 'roles_claim = "groups"\n')
        other = await configured.says("gateway__whoami", token)
        await configured.write(more=section + "max_token_lifetime = 60\n")
        long = await gateway.call("gateway__whoami", token)

    assert before.status_code == 401
    assert json.loads(known)["roles"] == ["admin"]
    assert "no tool is called" in other
    assert "lives longer than 60 s" in long.text


@pytest.mark.requirement("reload:telemetry")
async def test_the_level_of_the_log_may_change(configured: Configured) -> None:
    gateway = configured.gateway
    await configured.write(more='[telemetry]\nlog_level = "error"\n')
    lines = len(gateway.log())
    await configured.after(lambda: gateway.config.write_text("["))
    quiet = len(gateway.log())
    await configured.write()
    await configured.after(lambda: gateway.config.write_text("["))

    assert quiet == lines
    assert gateway.log()[-1]["level"] == "warning"


async def _without(gateway: Served, trouble: str) -> bool:
    return trouble not in await gateway.ready()


_AWAY = 'connector = "mcp_http"\nurl = "http://127.0.0.1:9/mcp"\n'


async def test_the_folder_of_a_gateway_is_its_owners_alone(process: Served) -> None:
    modes = {p: p.stat().st_mode & 0o077 for p in (process.data, *_files(process.data))}
    own = {"gateway.toml", "policy.csv", "own.toml"}
    assert [p.name for p, mode in modes.items() if mode and p.name not in own] == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]

"""Examples are what they show: configurations and rules load, commands exist, code runs."""

import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import policies
from connectors import CONNECTORS
from local_models.guards.profiles import built_in
from local_models.guards.rules import RulesGuard
from mcp_gateway.cli import main
from mcp_gateway.config import Settings
from mcp_gateway.home import Home
from mcp_gateway.limits.memory import MemoryLimiter
from policies.suites import Suite
from tests.architecture.documents import (
    ROOT,
    Block,
    blocks,
    documents,
    every_block,
    files,
    inline,
    name_of,
    prose,
)

LANGUAGES = {"console", "csv", "python", "text", "toml", "toml suite"}
PROGRAM = "mcp-gateway"
_MODULE = re.compile(r"\bpython -m ([A-Za-z_][\w.]*)")
_MAKE = re.compile(r"^make ([a-z][a-z-]*)")
_QUOTED = re.compile(rf"`({PROGRAM} [^`\n]+)`")


def where(block: Block) -> str:
    return block.where


def runs(text: str, *, whole: bool) -> str:
    """What is wrong with a command line; empty when nothing is. `whole`: no argument is missing."""
    words = shlex.split(text, comments=True)[1:]
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.commands.get(words.pop(0))
        if found is None:
            return f"{text}: {command.name} has no such command"
        command = found
    if isinstance(command, click.Group) and whole and not words:
        return f"{text}: a command of {command.name} is missing"
    if isinstance(command, click.Group) and not words:
        return ""
    return _fault(command, text, words, whole=whole)


def _fault(command: click.Command, text: str, words: list[str], *, whole: bool) -> str:
    """What click's own parser says of the words behind a command."""
    try:
        given, rest, _ = command.make_parser(click.Context(command)).parse_args(list(words))
    except click.UsageError as error:
        return f"{text}: {error.format_message()}"
    if rest:
        return f"{text}: {' '.join(rest)} is too much"
    wanted = [p.name for p in command.params if p.required and not p.envvar]
    missing = [name for name in wanted if not isinstance(given.get(name or ""), str | tuple)]
    return f"{text}: {missing} is missing" if whole and missing else ""


def mentioned(path: Path) -> Iterator[str]:
    """The command lines that a text names in passing; of `a | b` each."""
    text = prose(path) if path.suffix == ".md" else path.read_text("utf-8")
    spans = inline(text) if path.suffix == ".md" else _QUOTED.findall(text)
    for span in spans:
        if span.startswith(f"{PROGRAM} "):
            first, *others = span.split(" | ")
            yield first
            yield from (f"{PROGRAM} {other}" for other in others)


def commands() -> Iterator[tuple[str, str]]:
    """Everything that is typed anywhere in the documents, with its place."""
    for path in documents():
        for block in blocks(path):
            yield from ((block.where, line) for line in block.commands)
        yield from ((name_of(path), span) for span in inline(prose(path)))


def test_every_block_says_what_it_is() -> None:
    found = [block for path in documents() for block in blocks(path)]

    assert found
    assert [b.where for b in found if b.language not in LANGUAGES] == []


@pytest.mark.requirement("docs:examples-run")
@pytest.mark.parametrize("block", every_block("toml"), ids=where)
def test_every_configuration_is_one(block: Block) -> None:
    settings = Settings.model_validate(tomllib.loads(block.text))

    for server in settings.servers.values():
        CONNECTORS[server.connector].Config.model_validate(server.own())
        assert server.guard in {*built_in(RulesGuard()), *settings.guards}
    MemoryLimiter(settings.limits)


@pytest.mark.requirement("docs:examples-run")
@pytest.mark.parametrize("block", every_block("toml suite"), ids=where)
def test_every_suite_can_be_read(block: Block) -> None:
    assert Suite.model_validate(tomllib.loads(block.text)).case


@pytest.mark.requirement("docs:examples-run")
@pytest.mark.parametrize("block", every_block("csv"), ids=where)
def test_every_policy_can_be_loaded(block: Block, tmp_path: Path) -> None:
    rules = tmp_path / "rules.csv"
    rules.write_text(block.text, "utf-8")

    assert policies.load([rules]).rules.rules


def test_a_suite_in_the_documents_holds_for_the_rules_beside_it(tmp_path: Path) -> None:
    shown = {b.language: b.text for b in blocks(ROOT / "docs" / "policy.md")}
    rules, suite = tmp_path / "rules.csv", tmp_path / "suite.toml"
    rules.write_text(shown["csv"], "utf-8")
    suite.write_text(shown["toml suite"], "utf-8")

    assert policies.suites.run(policies.load([rules]), [suite]) == []


@pytest.mark.requirement("docs:examples-run")
@pytest.mark.parametrize("block", every_block("python"), ids=where)
def test_every_program_runs(block: Block) -> None:
    exec(compile(block.text, block.where, "exec"), {"__name__": "__main__"})


@pytest.mark.requirement("docs:examples-run")
def test_every_command_that_is_shown_could_be_typed() -> None:
    typed = [
        (block.where, line)
        for block in every_block("console")
        for line in block.commands
        if line.startswith(f"{PROGRAM} ")
    ]

    assert typed
    assert [fault for _, line in typed if (fault := runs(line, whole=True))] == []


@pytest.mark.requirement("docs:examples-run")
def test_every_command_that_is_named_exists_with_its_options() -> None:
    sources = [path for path in files() if path.suffix == ".py" and "tests" not in path.parts]
    named = [line for path in [*documents(), *sources] for line in mentioned(path)]

    assert named
    assert [fault for line in named if (fault := runs(line, whole=False))] == []


@pytest.mark.requirement("docs:examples-run")
def test_every_command_of_its_page_exists_with_its_options() -> None:
    spans = inline(prose(ROOT / "docs" / "commands.md"))
    named = [span for span in spans if span.partition(" ")[0] in main.commands and " " in span]

    assert named
    assert [f for span in named if (f := runs(f"{PROGRAM} {span}", whole=False))] == []


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert "no such command" in runs("mcp-gateway keys forge", whole=False)
    assert "No such option" in runs("mcp-gateway verify --colour", whole=False)
    assert "too much" in runs("mcp-gateway verify one two", whole=False)
    assert "missing" in runs("mcp-gateway explain tools/call", whole=True)
    assert "missing" in runs("mcp-gateway keys", whole=True)


@pytest.mark.requirement("docs:examples-run")
def test_an_explanation_says_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Home(tmp_path / "var")
    home.prepare()
    home.write_defaults()
    monkeypatch.setenv("GATEWAY_DATA", str(home.folder))
    shown = [
        found
        for block in every_block("console")
        for found in re.findall(
            rf"^\$ {PROGRAM} (explain .*)\n((?:[^$\n].*\n)*)", block.text, re.MULTILINE
        )
    ]

    assert shown
    for line, output in shown:
        assert CliRunner().invoke(main, shlex.split(line)).output == output


@pytest.mark.requirement("docs:examples-run")
def test_every_recipe_of_make_that_is_named_exists() -> None:
    recipes = set(
        re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )
    named = [(place, found[1]) for place, line in commands() if (found := _MAKE.match(line))]

    assert named
    assert [(place, recipe) for place, recipe in named if recipe not in recipes] == []


@pytest.mark.requirement("docs:examples-run")
def test_every_module_that_is_run_exists() -> None:
    named = [(place, module) for place, line in commands() for module in _MODULE.findall(line)]

    assert named
    assert [(p, m) for p, m in named if importlib.util.find_spec(m) is None] == []

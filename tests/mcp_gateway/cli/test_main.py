import errno
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mcp_gateway.cli import main
from mcp_gateway.cli.main import Words
from mcp_gateway.config import ConfigError
from mcp_gateway.ledger.folder import LedgerDamagedError
from mcp_gateway.store.database import StoreDamagedError
from policies import PolicyError
from tests.mcp_gateway.cli.conftest import run


def commands(group: click.Group = main, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        yield (*above, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*above, name))


@pytest.mark.requirement("cli:every-command-helps")
@pytest.mark.parametrize("words", [(), *commands()], ids=" ".join)
def test_every_command_says_what_it_is_for(words: tuple[str, ...]) -> None:
    result = run(*words, "--help")

    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    assert command.help
    assert command.help.split("\n")[0][:40] in result.output
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.opts[-1] in result.output


def test_help_is_asked_for_shortly_too() -> None:
    assert run("-h").output == run("--help").output


def test_the_version_is_said() -> None:
    assert "0.1.0" in run("--version").output


@pytest.mark.requirement("cli:bad-input-ends-in-words")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (ConfigError("one"), "Error: one\n"),
        (ConfigError("one", "two"), "Error: 2 faults:\n  one\n  two\n"),
        (PolicyError(["a.csv:1: x"]), "Error: a.csv:1: x\n"),
        (LedgerDamagedError("the ledger"), "Error: the ledger\n"),
        (StoreDamagedError("the store"), "Error: the store\n"),
        (PermissionError(13, "Permission denied", "var"), "Permission denied: 'var'\n"),
    ],
)
def test_a_known_fault_ends_with_its_words_and_the_code_1(fault: Exception, said: str) -> None:
    @click.group(cls=Words)
    def group() -> None: ...

    @group.command()
    def fails() -> None:
        raise fault

    result = CliRunner().invoke(group, ["fails"])

    assert result.exit_code == 1
    assert result.output.endswith(said)
    assert "Traceback" not in result.output


def test_a_pipe_that_was_closed_is_no_fault_to_be_told() -> None:
    @click.group(cls=Words)
    def group() -> None: ...

    @group.command()
    def writes() -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    assert CliRunner().invoke(group, ["writes"]).output == ""


def test_a_fault_that_nobody_foresaw_is_shown_as_it_is() -> None:
    @click.group(cls=Words)
    def group() -> None: ...

    @group.command()
    def breaks() -> None:
        raise ZeroDivisionError

    assert isinstance(CliRunner().invoke(group, ["breaks"]).exception, ZeroDivisionError)


@pytest.mark.requirement("cli:bad-input-ends-in-words")
def test_a_folder_that_others_may_read_is_refused_in_words(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for command in ("init", "serve"):
        result = run(command, "--data", str(tmp_path))
        assert result.exit_code == 1
        assert f"run `chmod 700 {tmp_path}`" in result.output

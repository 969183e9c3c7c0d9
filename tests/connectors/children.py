"""Children for tests: real programs, started as the gateway starts them."""

import sys
import textwrap
from pathlib import Path
from typing import Any

from connectors.child import Child, Command
from tests.support.fakes import FakeLedger
from tests.support.waiting import until


def command(folder: Path, *words: str, **limits: Any) -> Command:
    return Command("up", words, folder / "own", **limits)


def python(folder: Path, program: str, **limits: Any) -> Command:
    """A child that runs this program."""
    script = folder / "program.py"
    script.write_text(textwrap.dedent(program), "utf-8")
    return command(folder, sys.executable, str(script), **limits)


async def spoken(made: Command) -> bytes:
    """All that a program writes on its standard output, to its end."""
    child = await Child.spawn(made, FakeLedger(), piped=True)
    assert child.streams.heard is not None
    said = await child.streams.heard.read()
    await child.aclose()
    return said


async def finished(made: Command, ledger: FakeLedger | None = None) -> Child:
    """A child that has come to its own end."""
    child = await Child.spawn(made, ledger or FakeLedger(), piped=False)
    await until(lambda: child.end)
    await child.aclose()
    return child

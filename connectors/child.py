"""Child: a process that belongs to an upstream, started with next to nothing."""

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import UpstreamFailed

GRACE: Final = 3.0
"""Seconds a child has to end by itself before it is killed."""
LINE_LIMIT: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What is started. `environment` names variables of the gateway's that the child may see."""

    server: str
    words: Sequence[str]
    folder: Path
    environment: Sequence[str] = ()
    variables: tuple[tuple[str, str], ...] = ()
    memory: int = 1024 * 1024 * 1024
    files: int = 256


class Child:
    """One running process: no shell, its own group, an empty environment but what is named."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def spawn(cls, command: Command, ledger: ports.Ledger, *, piped: bool) -> "Child":
        """Records the spawn, then starts. Raises UpstreamFailed, Overloaded."""
        command.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await ledger.append(
            Entry("spawn", body={"server": command.server, "command": list(command.words)})
        )
        pipe = asyncio.subprocess.PIPE if piped else asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *command.words,
                cwd=command.folder,
                env=environment_of(command),
                stdin=pipe,
                stdout=pipe,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LINE_LIMIT,
                start_new_session=True,
                preexec_fn=_limits(command),
            )
        except OSError as error:
            raise UpstreamFailed(f"{command.server}: cannot start {command.words[0]!r}") from error
        return cls(process)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None

    async def aclose(self) -> None:
        """Ends the process and whatever it started, within twice the grace time."""
        if not self.alive:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            _signal_group(self.process.pid, number)
            try:
                async with asyncio.timeout(GRACE):
                    await self.process.wait()
            except TimeoutError:
                continue
            return


def environment_of(command: Command) -> dict[str, str]:
    """The whole environment of the child."""
    named = {name: os.environ[name] for name in command.environment if name in os.environ}
    return named | dict(command.variables)


def _limits(command: Command) -> Callable[[], None]:
    def apply() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (command.files, command.files))
        resource.setrlimit(resource.RLIMIT_DATA, (command.memory, command.memory))

    return apply


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return

"""Child: a process that belongs to an upstream, started with next to nothing."""

import asyncio
import logging
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors import launcher
from connectors.streams import Ends, Streams
from connectors.words import LastWords, drain
from mcp_gateway.core import ports
from mcp_gateway.core.entry import Entry
from mcp_gateway.core.errors import Refusal, UpstreamFailed

PATIENCE: Final = 1.0
"""Seconds a child has to see that its standard input has ended."""
GRACE: Final = 3.0
"""Seconds it then has to end by itself, and again to be gone after it was killed."""
DRAIN: Final = 0.5
"""Seconds that its last words may take, when somebody else holds its standard error open."""
STOPPED: Final = "was stopped"
LINE_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of a line on its standard output."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """What is started. `environment` names variables of the gateway's that the child may see.

    `folder` is its working folder, `memory` in bytes and `files` are limits of each process.
    """

    server: str
    words: Sequence[str]
    folder: Path
    environment: Sequence[str] = ()
    variables: tuple[tuple[str, str], ...] = ()
    memory: int = 1024 * 1024 * 1024
    files: int = 256


class Child:
    """One running process: no shell, its own group, an empty environment but what is named."""

    def __init__(
        self,
        command: Command,
        id_: str,
        process: asyncio.subprocess.Process,
        streams: Streams,
        ledger: ports.Ledger,
    ) -> None:
        self.process = process
        self.streams = streams
        self.end = ""
        """How it ended, in words; empty while it runs."""
        self.words = LastWords(command.server, environment_of(command).values())
        self._id = id_
        self._server = command.server
        self._ledger = ledger
        loop = asyncio.get_running_loop()
        self._since = loop.time()
        self._gone = asyncio.Event()
        self._ended: list[Callable[[], None]] = []
        self._stopped = ""
        # Ends with the process, which aclose ends.
        self._watching = loop.create_task(self._follow())

    @classmethod
    async def spawn(cls, command: Command, ledger: ports.Ledger, *, piped: bool) -> "Child":
        """Records the spawn, then starts. Raises UpstreamFailed, Overloaded.

        `piped`: its standard streams are for whoever speaks to it; else all it says is kept with
        its last words.
        """
        spawning = asyncio.ensure_future(cls._spawned(command, ledger, piped=piped))
        try:
            return await asyncio.shield(spawning)
        except asyncio.CancelledError:
            # Half a start would be a process that belongs to nobody.
            with suppress(Refusal):
                await (await spawning).aclose()
            raise

    @classmethod
    async def _spawned(cls, command: Command, ledger: ports.Ledger, *, piped: bool) -> "Child":
        environment = environment_of(command)
        try:
            command.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            command.folder.chmod(0o700)
            words = _launched(command, environment)
            id_ = secrets.token_hex(4)
            body = {"server": command.server, "child": id_, "command": list(command.words)}
            await ledger.append(Entry("spawn", body=body))
            process, streams = await _started(words, command.folder, environment, piped=piped)
        except OSError as error:
            said = error.strerror or type(error).__name__
            raise UpstreamFailed(f"{command.server} cannot be started: {said}") from None
        return cls(command, id_, process, streams, ledger)

    @property
    def alive(self) -> bool:
        return self.process.returncode is None and not self.end

    def on_end(self, call: Callable[[], None]) -> None:
        """Calls this, once, when the process has ended."""
        if self.end:
            call()
        else:
            self._ended.append(call)

    async def aclose(self, why: str = STOPPED) -> None:
        """Ends the process and whatever it started, within ten seconds. May be called again."""
        if self.alive:
            self._stopped = self._stopped or why
        try:
            await self._ending()
        except BaseException:
            _signal_group(self.process.pid, signal.SIGKILL)
            raise
        finally:
            self.streams.close()
        await asyncio.wait({self._watching}, timeout=GRACE)

    async def _ending(self) -> None:
        """End of input first, as the protocol has it; then a signal, and then force."""
        if spoken := self.streams.spoken:
            spoken.close()
            if await self.gone_within(PATIENCE):
                return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.end:
                _signal_group(self.process.pid, number)
            if await self.gone_within(GRACE):
                return
        log.error("%s: process %d does not end", self._server, self.process.pid)

    async def gone_within(self, seconds: float) -> bool:
        """Whether it has ended, or does so before this time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self._gone.wait()
        except TimeoutError:
            return False
        return True

    async def _follow(self) -> None:
        """Waits for the end, leaves nothing of it running, and records it."""
        async with asyncio.TaskGroup() as group:
            draining = group.create_task(drain(self.streams.words, self.words))
            code = await self.process.wait()
            _signal_group(self.process.pid, signal.SIGKILL)
            await asyncio.wait({draining}, timeout=DRAIN)
            draining.cancel()
        self.streams.hush()
        self.end = self._stopped or ended(code)
        self._gone.set()
        for call in self._ended:
            call()
        if self.end != STOPPED:
            log.warning("%s %s; its last words:\n%s", self._server, self.end, self.words)
        await self._recorded(code)

    async def _recorded(self, code: int) -> None:
        seconds = int(asyncio.get_running_loop().time() - self._since)
        body = {
            "server": self._server,
            "child": self._id,
            "end": self.end,
            "code": code,
            "seconds": seconds,
        }
        try:
            await self._ledger.append(Entry("child.ended", body=body))
        except Refusal as refusal:
            log.warning("the end of %s could not be recorded: %s", self._server, refusal)


async def _started(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], *, piped: bool
) -> tuple[asyncio.subprocess.Process, Streams]:
    """Raises OSError."""
    ends = Ends(piped=piped)
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            cwd=folder,
            env=environment,
            stdin=ends.stdin,
            stdout=ends.stdout,
            stderr=ends.stderr,
            start_new_session=True,
        )
        ends.given()
        return process, await ends.opened(LINE_LIMIT)
    except BaseException:
        ends.close()
        raise


def environment_of(command: Command) -> dict[str, str]:
    """The whole environment of the child."""
    named = {name: os.environ[name] for name in command.environment if name in os.environ}
    return named | dict(command.variables)


def ended(code: int) -> str:
    """An exit code in words; a negative one is the number of a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"


def _launched(command: Command, environment: Mapping[str, str]) -> list[str]:
    """The launcher, and the program by its whole path. Raises UpstreamFailed when it is not there.

    A preexec_fn would run Python between fork and exec, where another thread's lock can be held
    for ever; limits set from outside come after the program's first instructions.
    """
    limits = [str(os.getpid()), str(command.files), str(command.memory), ",".join(environment)]
    program = _program(command, environment)
    return [
        *(sys.executable, "-I", "-S", launcher.__file__),
        *limits,
        program,
        *command.words[1:],
    ]


def _program(command: Command, environment: Mapping[str, str]) -> str:
    """As the child would find it: by its own PATH, or from its own folder."""
    word = command.words[0]
    path = environment.get("PATH", os.defpath)
    named = str(command.folder.absolute() / word) if os.sep in word else word
    found = shutil.which(named, path=path)
    if found is None:
        raise UpstreamFailed(f"{command.server} cannot be started: there is no program {word!r}")
    return found


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return

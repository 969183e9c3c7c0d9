"""Application: a program of the gateway's own that listens on a port of this machine."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.child import STOPPED, Child, Command
from connectors.restarts import Restarts
from connectors.services import Services
from mcp_gateway.core.errors import UpstreamFailed

READY: Final = 10.0
"""Seconds that a program has to listen."""
READY_PAUSE: Final = 0.1
PORT: Final = "{port}"


@dataclass(frozen=True, slots=True)
class Program:
    """What is started. `{port}` in the words and in `url` is a port that was free a moment ago."""

    server: str
    url: str
    words: Sequence[str]
    folder: Path
    environment: Sequence[str] = ()


class Application:
    """Starts its program when it is needed, and again when it has ended."""

    def __init__(self, program: Program, services: Services, ended: Callable[[], None]) -> None:
        """`ended` is called whenever the program is gone."""
        self._program = program
        self._services = services
        self._ended = ended
        self._restarts = Restarts()
        self._starting = asyncio.Lock()
        self._child: Child | None = None
        self._url = ""
        self._closed = False

    async def url(self) -> str:
        """Where it listens. Raises UpstreamFailed when it cannot be started, or not yet again."""
        if self._child and self._child.alive and self._url:
            return self._url
        async with self._starting:
            if self._closed:
                raise UpstreamFailed(f"{self._program.server} is being stopped")
            if not (self._child and self._child.alive and self._url):
                await self._start()
        return self._url

    async def aclose(self) -> None:
        """Ends the program, for good."""
        self._closed = True
        if self._child:
            await self._child.aclose()

    async def _start(self) -> None:
        self._restarts.check()
        self._restarts.started()
        try:
            await self._started()
        except UpstreamFailed as failure:
            self._restarts.failed(failure)
            raise

    async def _started(self) -> None:
        program, port, self._url = self._program, free_port(), ""
        words = [word.replace(PORT, str(port)) for word in program.words]
        command = Command(
            program.server,
            words,
            program.folder,
            program.environment,
            (("PORT", str(port)),),
        )
        child = self._child = await Child.spawn(command, self._services.ledger, piped=False)
        try:
            listening = await _listening(child, port)
        except BaseException:
            await child.aclose()
            raise
        if not listening:
            await child.aclose()
            how = "does not listen on its port" if child.end == STOPPED else child.end
            raise UpstreamFailed(f"{program.server} {how}", detail=str(child.words))
        self._url = program.url.replace(PORT, str(port))
        child.on_end(lambda: self._gone(child))

    def _gone(self, child: Child) -> None:
        failure = UpstreamFailed(f"{self._program.server} {child.end}", detail=str(child.words))
        self._restarts.failed(failure)
        self._ended()


async def _listening(child: Child, port: int) -> bool:
    """Whether it came to listen, before it ended and in time."""
    loop = asyncio.get_running_loop()
    late = loop.time() + READY
    while child.alive and loop.time() < late:
        if await listens(port):
            return child.alive
        await asyncio.sleep(READY_PAUSE)
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listens(port: int) -> bool:
    """Whether anybody takes a connection on this port of this machine."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True

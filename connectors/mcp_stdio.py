"""An MCP server that is a child process, spoken to over its standard streams."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from connectors import abilities, asked, attending, dialect, discovery, requests
from connectors.abilities import NONE
from connectors.child import Child, Command
from connectors.pipe import Pipe
from connectors.restarts import Restarts
from connectors.services import Services
from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import Interest
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc

STARTING: Final = 20.0
"""Seconds that a child has for `initialize`."""


class StdioConfig(BaseModel):
    """`[servers.<name>]` with `connector = "mcp_stdio"`.

    `environment` names the variables of the gateway's that the child may see: no other does it
    see. `memory` is in bytes.
    """

    model_config = ConfigDict(extra="forbid")

    command: list[str] = Field(min_length=1)
    environment: list[str] = []
    timeout: float = Field(default=60.0, gt=0)
    memory: int = Field(default=1024 * 1024 * 1024, gt=0)


class McpStdio:
    """One child, shared by every call, and started again when it has ended."""

    Config: ClassVar = StdioConfig

    def __init__(self, name: str, config: StdioConfig, services: Services, folder: Path) -> None:
        self._name = name
        self._config = config
        self._services = services
        self._folder = folder
        self._pipe: Pipe | None = None
        self._starting = asyncio.Lock()
        self._restarts = Restarts()
        self._closed = False
        self._ears = attending.Ears(name, services.changed)

    @classmethod
    async def open(cls, name: str, config: StdioConfig, services: Services) -> "McpStdio":
        """Never waits for the child: it is started by discovery, or by the first call."""
        return cls(name, config, services, services.data / "servers" / name)

    async def discover(self, credential: Credential) -> Sequence[Definition]:  # noqa: ARG002
        pipe = await self._running()
        declared = frozenset(pipe.offered.capabilities or ())
        return await discovery.listed(self._name, self._asking(pipe), declared)

    async def attend(
        self,
        credential: Credential,  # noqa: ARG002  # a child is shown none
        interest: Interest,
        announce: attending.Announce,
    ) -> None:
        """What a child says by itself comes over its one pipe, whatever it was asked by."""
        pipe = await self._running()

        async def listen(params: bytes, heard: attending.Heard) -> jsonrpc.Message:
            self._ears.heard = heard
            own = jsonrpc.replaced(params, {"_meta": requests.own_meta(*attending.KNOWN)})
            return await pipe.duplex.ask(attending.LISTEN, own, attending.QUIET)

        if pipe.modern:
            await attending.listen(self._name, listen, interest, announce)
            return
        self._ears.to(announce)
        read = partial(attending.until, self._name, pipe.duplex.ended)
        await attending.stream(self._name, read, self._asking(pipe), interest, announce)

    def _asking(self, pipe: Pipe) -> attending.Ask:
        async def ask(method: str, params: bytes) -> bytes:
            if pipe.modern:
                params = jsonrpc.replaced(params, {"_meta": requests.own_meta()})
            answer = await pipe.duplex.ask(method, params, self._config.timeout)
            return discovery.payload(self._name, method, answer)

        return ask

    async def send(self, call: Call) -> Result:
        pipe = await self._running()
        idle = self._config.timeout
        if pipe.modern:
            params = requests.modern_params(call)
            return await pipe.duplex.send(call, params, self._modern, able=NONE, idle=idle)
        params, able = requests.legacy_params(call), abilities.of(call)
        return await pipe.duplex.send(call, params, self._legacy, able=able, idle=idle)

    @property
    def offered(self) -> Offered:
        return self._pipe.offered if self._pipe else NOT_OFFERED

    async def aclose(self) -> None:
        """Ends the child, for good."""
        self._closed = True
        if self._pipe:
            await self._pipe.aclose()

    def _modern(self, call: Call, answer: jsonrpc.Message) -> Result:
        return asked.result(self._name, call.method, answer)

    def _legacy(self, call: Call, answer: jsonrpc.Message) -> Result:
        return dialect.result(self._name, call.method, answer)

    async def _running(self) -> Pipe:
        if self._pipe and self._pipe.open:
            return self._pipe
        async with self._starting:
            if self._closed:
                raise UpstreamFailed(f"{self._name} is being stopped")
            if self._pipe is None or not self._pipe.open:
                self._pipe = await self._start()
        return self._pipe

    async def _start(self) -> Pipe:
        self._restarts.check()
        self._restarts.started()
        if self._pipe:
            await self._pipe.aclose()
        try:
            return await self._started()
        except (UpstreamFailed, UpstreamTimedOut, ResultTooLarge) as failure:
            self._restarts.failed(failure)
            raise

    async def _started(self) -> Pipe:
        config = self._config
        command = Command(
            self._name, config.command, self._folder, config.environment, memory=config.memory
        )
        child = await Child.spawn(command, self._services.ledger, piped=True)
        pipe = Pipe(self._name, child, self._ears)
        try:
            await pipe.agree(STARTING)
        except BaseException:
            await pipe.aclose()
            raise
        child.on_end(lambda: self._gone(child))
        return pipe

    def _gone(self, child: Child) -> None:
        failure = UpstreamFailed(f"{self._name} {child.end}", detail=str(child.words))
        self._restarts.failed(failure)
        self._services.changed(self._name)

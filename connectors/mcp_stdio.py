"""An MCP server that is a child process, spoken to over its standard streams."""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from connectors import discovery, requests
from connectors.child import Child, Command
from connectors.services import Services
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Notify
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc, legacy

STARTING: Final = 20.0
"""Seconds that a child has for `initialize`."""
RESTART_PAUSE: Final = 1.0


class StdioConfig(BaseModel):
    """`[servers.<name>]` with `connector = "mcp_stdio"`.

    `environment` names the variables of the gateway's that the child may see: no other does it
    see. `memory` is in bytes.
    """

    model_config = ConfigDict(extra="forbid")

    command: list[str] = Field(min_length=1)
    environment: list[str] = []
    timeout: float = Field(default=60.0, gt=0)
    memory: int = 1024 * 1024 * 1024


class McpStdio:
    """One child, shared by every call: ids and progress tokens are the gateway's own."""

    Config: ClassVar = StdioConfig

    def __init__(self, name: str, config: StdioConfig, services: Services, folder: Path) -> None:
        self._name = name
        self._config = config
        self._services = services
        self._folder = folder
        self._pipe: Pipe | None = None
        self._starting = asyncio.Lock()
        self._failed_at = float("-inf")

    @classmethod
    async def open(cls, name: str, config: StdioConfig, services: Services) -> "McpStdio":
        """Never waits for the child: it is started by discovery, or by the first call."""
        return cls(name, config, services, services.data / "servers" / name)

    async def discover(self, credential: Credential) -> Sequence[Definition]:  # noqa: ARG002
        pipe = await self._running()

        async def ask(method: str, params: bytes) -> bytes:
            answer = await pipe.ask(method, params, self._config.timeout)
            raw, failed = requests.answered(answer, self._name)
            if failed:
                raise discovery.NotOffered(method)
            return raw

        return await discovery.listed(self._name, ask)

    async def send(self, call: Call) -> Result:
        pipe = await self._running()
        raw = requests.legacy_params(call)
        answer = await pipe.ask(call.method, raw, self._config.timeout, call.notify)
        payload, failed = requests.answered(answer, self._name)
        if not failed:
            payload = legacy.result_to_modern(call.method, payload)
        return jsonrpc.body(payload, failed=failed)

    async def aclose(self) -> None:
        if self._pipe:
            await self._pipe.aclose()

    async def _running(self) -> "Pipe":
        if self._pipe and self._pipe.open:
            return self._pipe
        async with self._starting:
            if self._pipe is None or not self._pipe.open:
                self._pipe = await self._start()
        return self._pipe

    async def _start(self) -> "Pipe":
        now = asyncio.get_running_loop().time()
        if now - self._failed_at < RESTART_PAUSE:
            raise UpstreamFailed(f"{self._name} has just failed to start")
        self._failed_at = now
        if self._pipe:
            await self._pipe.aclose()
        config = self._config
        command = Command(
            self._name, config.command, self._folder, config.environment, memory=config.memory
        )
        child = await Child.spawn(command, self._services.ledger, piped=True)
        pipe = Pipe(self._name, child)
        try:
            await pipe.initialize()
        except BaseException:
            await pipe.aclose()
            raise
        self._failed_at = float("-inf")
        return pipe


class Pipe:
    """JSON-RPC over a child's standard streams, a message a line."""

    def __init__(self, name: str, child: Child) -> None:
        self._name = name
        self._child = child
        self._ids = itertools.count(1)
        self._asked: dict[bytes, asyncio.Future[jsonrpc.Message]] = {}
        self._listening: dict[bytes, tuple[bytes, Notify]] = {}
        loop = asyncio.get_running_loop()
        # Kept here and ended in aclose: it lives exactly as long as the pipe.
        self._reading = loop.create_task(self._read())

    @property
    def open(self) -> bool:
        return self._child.alive and not self._reading.done()

    async def initialize(self) -> None:
        params = legacy.initialize_params(requests.CLIENT)
        answer = await self.ask("initialize", params, STARTING)
        requests.answered(answer, self._name)
        self._write(jsonrpc.notification("notifications/initialized", b"{}"))

    async def ask(
        self, method: str, params: bytes, timeout: float, notify: Notify | None = None
    ) -> jsonrpc.Message:
        """Sends a request and waits for its answer. Cancelling it tells the child."""
        id_ = b"%d" % next(self._ids)
        if notify:
            params = self._own_token(params, id_, notify)
        answer: asyncio.Future[jsonrpc.Message] = asyncio.get_running_loop().create_future()
        self._asked[id_] = answer
        try:
            self._write(jsonrpc.request(id_, method, params))
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            self._cancelled(id_)
            raise UpstreamTimedOut(f"{self._name} did not answer within {timeout:g} s") from None
        except asyncio.CancelledError:
            self._cancelled(id_)
            raise
        finally:
            self._asked.pop(id_, None)
            self._listening.pop(id_, None)

    async def aclose(self) -> None:
        self._reading.cancel()
        await self._child.aclose()
        self._lost("was stopped")

    def _own_token(self, params: bytes, id_: bytes, notify: Notify) -> bytes:
        """Two callers may have chosen the same progress token: the child sees the request id."""
        meta = jsonrpc.members(params).get("_meta")
        token = None if meta is None else jsonrpc.members(bytes(meta)).get("progressToken")
        if meta is None or token is None:
            return params
        self._listening[id_] = (bytes(token), notify)
        return jsonrpc.replaced(
            params, {"_meta": jsonrpc.replaced(bytes(meta), {"progressToken": id_})}
        )

    def _write(self, message: bytes) -> None:
        stdin = self._child.process.stdin
        if stdin is None or stdin.is_closing():
            raise UpstreamFailed(f"{self._name} has ended")
        stdin.write(message + b"\n")

    def _cancelled(self, id_: bytes) -> None:
        if self.open:
            note = b'{"requestId":%b}' % id_
            self._write(jsonrpc.notification("notifications/cancelled", note))

    async def _read(self) -> None:
        stdout = self._child.process.stdout
        try:
            while stdout and (line := await stdout.readline()):
                await self._take(line.strip())
        except ValueError:
            self._lost("wrote a line that is too long", ResultTooLarge)
            await self._child.aclose()
            return
        self._lost("has ended")

    async def _take(self, line: bytes) -> None:
        try:
            message = jsonrpc.parse(line)
        except jsonrpc.Malformed:
            return
        if message.method and message.id:
            self._write(
                jsonrpc.error(
                    message.id, jsonrpc.METHOD_NOT_FOUND, f"{message.method} is not offered here"
                )
            )
        elif message.method:
            await self._aside(message)
        elif (answer := self._asked.get(message.id)) and not answer.done():
            answer.set_result(message)

    async def _aside(self, message: jsonrpc.Message) -> None:
        """Progress goes to the call that asked for it, under that call's own token."""
        params = message.params.raw
        token = jsonrpc.members(params).get("progressToken")
        listening = None if token is None else self._listening.get(bytes(token))
        if listening:
            own, notify = listening
            params = jsonrpc.replaced(params, {"progressToken": own})
            await notify(jsonrpc.body(jsonrpc.notification(message.method, params)))

    def _lost(
        self, how: str, failure: type[UpstreamFailed | ResultTooLarge] = UpstreamFailed
    ) -> None:
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(failure(f"{self._name} {how}"))

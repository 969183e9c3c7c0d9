"""An MCP server over Streamable HTTP, of either era."""

import asyncio
import itertools
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict, Field

from connectors import discovery, requests
from connectors.child import Child, Command
from connectors.services import Services
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call, Notify, silent
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc, legacy, modern, sse
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge

Headers = list[tuple[str, str]]
EVENT_STREAM: Final = "application/json, text/event-stream"
SESSION_GONE: Final = 404
CANCEL_BOUND: Final = 2.0
READY_TRIES: Final = 40
READY_PAUSE: Final = 0.25


class HttpConfig(BaseModel):
    """`[servers.<name>]` with `connector = "mcp_http"`.

    With a `command` the gateway starts the server itself; `{port}` in it and in `url` is a free
    port of this machine.
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    timeout: float = Field(default=60.0, gt=0)
    command: list[str] = []
    environment: list[str] = []


class McpHttp:
    """One upstream. Its era is found out once, and again after it was away."""

    Config: ClassVar = HttpConfig

    def __init__(self, name: str, config: HttpConfig, services: Services, folder: Path) -> None:
        self._name = name
        self._config = config
        self._services = services
        self._folder = folder
        self._url = config.url
        self._child: Child | None = None
        self._era = ""
        self._session: Headers = []
        self._opening = asyncio.Lock()
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, name: str, config: HttpConfig, services: Services) -> "McpHttp":
        """Never waits for the upstream."""
        return cls(name, config, services, services.data / "servers" / name)

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        await self._started()
        await self._opened(credential)
        return await discovery.listed(self._name, lambda m, p: self._ask(m, p, credential))

    async def send(self, call: Call) -> Result:
        if not self._era:
            await self._opened(call.credential)
        id_ = b"%d" % next(self._ids)
        try:
            return await self._exchange(call, id_)
        except asyncio.CancelledError:
            await self._cancel(id_, call.credential)
            raise

    async def aclose(self) -> None:
        if self._child:
            await self._child.aclose()

    # one request

    def _message(self, call: Call, id_: bytes) -> bytes:
        modern_ = self._era == "modern"
        params = requests.modern_params(call) if modern_ else requests.legacy_params(call)
        return jsonrpc.request(id_, call.method, params)

    async def _exchange(self, call: Call, id_: bytes) -> Result:
        method, credential, name = call.method, call.credential, requests.mirrored(call)
        response = await self._post(method, name, self._message(call, id_), credential)
        if response.status == SESSION_GONE and self._era == "legacy" and self._session:
            self._era = ""
            await self._opened(credential)
            response = await self._post(method, name, self._message(call, id_), credential)
        if response.streaming:
            answer = await self._streamed(response, id_, call.notify)
        else:
            answer = self._whole(response, id_)
        return self._result(method, answer)

    def _result(self, method: str, answer: jsonrpc.Message) -> Result:
        raw, failed = requests.answered(answer, self._name)
        if self._era == "legacy" and not failed:
            raw = legacy.result_to_modern(method, raw)
        return jsonrpc.body(raw, failed=failed)

    async def _post(
        self, method: str, name: str, message: bytes, credential: Credential
    ) -> Response:
        headers = [*self._headers(method, name), *credential.headers]
        try:
            response = await self._services.http.request(
                "POST", self._url, headers, message, timeout=self._config.timeout
            )
        except HttpTimedOut as error:
            raise UpstreamTimedOut(f"{self._name}: {error}") from None
        except TooLarge as error:
            raise ResultTooLarge(f"{self._name}: {error}") from None
        except HttpFailed as error:
            self._era = ""
            raise UpstreamFailed(f"{self._name}: {error}") from None
        if response.status == 401:
            raise CredentialRefused
        return response

    def _headers(self, method: str, name: str) -> Headers:
        if self._era == "modern":
            return modern.request_headers(method, name)
        return [("content-type", "application/json"), ("accept", EVENT_STREAM), *self._session]

    async def _answer(self, response: Response, id_: bytes, notify: Notify) -> jsonrpc.Message:
        """The message that answers, whatever the status: an error has its code in the body."""
        if response.streaming:
            return await self._streamed(response, id_, notify)
        return self._whole(response, id_)

    def _whole(self, response: Response, id_: bytes) -> jsonrpc.Message:
        try:
            message = jsonrpc.parse(response.body)
        except jsonrpc.Malformed:
            raise UpstreamFailed(
                f"{self._name} answered {response.status} and no JSON-RPC message"
            ) from None
        if message.id != id_ and not message.error:
            raise UpstreamFailed(f"{self._name} answered another request")
        return message

    async def _streamed(self, response: Response, id_: bytes, notify: Notify) -> jsonrpc.Message:
        decoder = sse.Decoder()
        try:
            async for chunk in response.chunks(idle=self._config.timeout):
                for event in decoder.feed(chunk):
                    if not event.data:
                        continue  # primes an id to resume from (SEP-1699)
                    message = jsonrpc.parse(event.data)
                    if message.id == id_ and not message.method:
                        return message
                    await self._aside(message, event.data, notify)
        except HttpTimedOut as error:
            raise UpstreamTimedOut(f"{self._name}: {error}") from None
        except (HttpFailed, jsonrpc.Malformed, ValueError) as error:
            raise UpstreamFailed(f"{self._name}: {error}") from None
        finally:
            response.close()
        raise UpstreamFailed(f"{self._name} ended its stream without an answer")

    async def _aside(self, message: jsonrpc.Message, raw: bytes, notify: Notify) -> None:
        """Passes on a notification; a request of the upstream's is answered with a refusal."""
        if message.id:
            refusal = jsonrpc.error(
                message.id, jsonrpc.METHOD_NOT_FOUND, f"{message.method} is not offered here"
            )
            await self._post("", "", refusal, Credential())
            return
        await notify(jsonrpc.body(raw))

    # the connection's life

    async def _opened(self, credential: Credential) -> None:
        if self._era:
            return
        async with self._opening:
            if not self._era:
                await self._negotiate(credential)

    async def _negotiate(self, credential: Credential) -> None:
        """Asks as 2026-07-28; a server that does not know it is of the initialize era."""
        self._era, self._session = "modern", []
        params = b'{"_meta":%b}' % requests.own_meta()
        try:
            answer = await self._own("server/discover", params, credential)
        except UpstreamFailed:
            self._era = "legacy"
            answer = None
        if answer is not None and not answer.error:
            return
        self._era = "legacy"
        try:
            await self._initialize(credential)
        except BaseException:
            self._era = ""
            raise

    async def _initialize(self, credential: Credential) -> None:
        id_ = b"%d" % next(self._ids)
        params = legacy.initialize_params(requests.CLIENT)
        message = jsonrpc.request(id_, "initialize", params)
        response = await self._post("initialize", "", message, credential)
        answer = await self._answer(response, id_, silent)
        raw, failed = requests.answered(answer, self._name)
        if failed:
            raise UpstreamFailed(f"{self._name} does not take part: {raw[:200]!r}")
        revision = jsonrpc.decode(raw).get("protocolVersion")
        if revision not in legacy.REVISIONS:
            raise UpstreamFailed(f"{self._name} speaks the unknown revision {revision!r}")
        self._session = [("mcp-protocol-version", revision)]
        if session := response.headers.get(legacy.SESSION):
            self._session.append((legacy.SESSION, session))
        note = jsonrpc.notification("notifications/initialized", b"{}")
        (await self._post("notifications/initialized", "", note, credential)).close()

    async def _ask(self, method: str, params: bytes, credential: Credential) -> bytes:
        if self._era == "modern":
            params = jsonrpc.replaced(params, {"_meta": requests.own_meta()})
        answer = await self._own(method, params, credential)
        raw, failed = requests.answered(answer, self._name)
        if failed:
            raise discovery.NotOffered(method)
        return raw

    async def _own(self, method: str, params: bytes, credential: Credential) -> jsonrpc.Message:
        """A request of the gateway's own."""
        id_ = b"%d" % next(self._ids)
        message = jsonrpc.request(id_, method, params)
        return await self._answer(await self._post(method, "", message, credential), id_, silent)

    async def _cancel(self, id_: bytes, credential: Credential) -> None:
        """Tells a legacy upstream; a modern one sees its response stream closed."""
        if self._era != "legacy":
            return
        note = jsonrpc.notification("notifications/cancelled", b'{"requestId":%b}' % id_)
        sending = asyncio.ensure_future(self._post("notifications/cancelled", "", note, credential))
        await asyncio.wait({sending}, timeout=CANCEL_BOUND)

    async def _started(self) -> None:
        """Starts the server, if it is the gateway's to start, and waits until it listens."""
        if not self._config.command or (self._child and self._child.alive):
            return
        port = str(free_port())
        self._url, self._era = self._config.url.replace("{port}", port), ""
        words = [word.replace("{port}", port) for word in self._config.command]
        command = Command(
            self._name, words, self._folder, self._config.environment, (("PORT", port),)
        )
        self._child = await Child.spawn(command, self._services.ledger, piped=False)
        for _ in range(READY_TRIES):
            if not self._child.alive:
                raise UpstreamFailed(f"{self._name} ended as soon as it was started")
            if await listens(int(port)):
                return
            await asyncio.sleep(READY_PAUSE)
        raise UpstreamTimedOut(f"{self._name} does not listen on its port")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True

"""An MCP server over Streamable HTTP, of either era."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors import answers, asked, asked_back, discovery, eras, progress, requests
from connectors.application import Application, Program
from connectors.failures import requested, told
from connectors.services import Services
from connectors.urls import check_url
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import Refusal, UpstreamFailed
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc, legacy, mirror, modern
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge

Headers = eras.Headers
Session = tuple[tuple[str, str], ...]
CANCEL_BOUND: Final = 2.0

log = logging.getLogger(__name__)


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

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        check_url(self.url, self.command)
        return self


class McpHttp:
    """One upstream. What it speaks is found out once, and again after it was away."""

    Config: ClassVar = HttpConfig

    def __init__(self, name: str, config: HttpConfig, services: Services, folder: Path) -> None:
        self._name = name
        self._config = config
        self._services = services
        self._url = config.url
        self._application = (
            Application(
                Program(name, config.url, config.command, folder, config.environment),
                services,
                self._lost,
            )
            if config.command
            else None
        )
        self._era = ""
        self._session: Session = ()
        self._declared: frozenset[str] = frozenset()
        self._opening: asyncio.Task[None] | None = None
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, name: str, config: HttpConfig, services: Services) -> "McpHttp":
        """Never waits for the upstream."""
        return cls(name, config, services, services.data / "servers" / name)

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        await self._opened(credential)

        async def ask(method: str, params: bytes) -> bytes:
            return await self._ask(method, params, credential)

        return await discovery.listed(self._name, ask, self._declared)

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
        if self._opening:
            self._opening.cancel()
        if self._application:
            await self._application.aclose()

    # one request

    def _message(self, call: Call, id_: bytes) -> bytes:
        if self._era == "modern":
            return jsonrpc.request(id_, call.method, requests.modern_params(call))
        params = progress.renumbered(requests.legacy_params(call), id_)
        return jsonrpc.request(id_, call.method, params)

    async def _exchange(self, call: Call, id_: bytes) -> Result:
        spoken = self._era, self._session
        response = await self._call(call, id_)
        if response.status in eras.STALE and await self._renewed(response, spoken, call.credential):
            spoken = self._era, self._session
            response = await self._call(call, id_)
        if response.streaming:
            answer = await self._streamed(response, id_, spoken[0], call)
        else:
            answer = answers.whole(self._name, response, id_)
        return self._result(call.method, spoken[0], answer)

    def _call(self, call: Call, id_: bytes) -> Awaitable[Response]:
        name = requests.mirrored(call)
        mirrors = self._mirrors(call) if call.target.mirrored else ()
        return self._post(call.method, name, self._message(call, id_), call.credential, mirrors)

    def _result(self, method: str, era: str, answer: jsonrpc.Message) -> Result:
        raw, failed = requests.answered(answer, self._name)
        if failed:
            return jsonrpc.body(raw, failed=True)
        if era == "legacy":
            return jsonrpc.body(legacy.result_to_modern(method, raw))
        return jsonrpc.body(raw, asked=asked.of(self._name, method, raw))

    async def _post(
        self,
        method: str,
        name: str,
        message: bytes,
        credential: Credential,
        mirrors: Sequence[tuple[str, str]] = (),
    ) -> Response:
        headers = [*self._headers(method, name), *mirrors, *credential.headers]
        try:
            response = await self._services.http.request(
                "POST", self._url, headers, message, timeout=self._config.timeout
            )
        except HttpFailed as failure:
            if not isinstance(failure, HttpTimedOut | TooLarge):
                self._lost()
            raise told(self._name, failure) from None
        except ValueError as error:
            raise UpstreamFailed(f"{self._name}: {error}") from None
        if response.status == 401:
            response.close()
            raise CredentialRefused
        return response

    def _headers(self, method: str, name: str) -> Headers:
        if self._era == "modern":
            return modern.request_headers(method, name)
        return eras.headers(self._session)

    def _mirrors(self, call: Call) -> Headers:
        """`Mcp-Param-*`, made anew of what leaves: the caller's own may not fit it any more."""
        if self._era != "modern":
            return []
        return mirror.headers(call.target.mirrored, call.outgoing.view().get("arguments"))

    async def _streamed(
        self, response: Response, id_: bytes, era: str, call: Call
    ) -> jsonrpc.Message:
        async def aside(message: jsonrpc.Message, raw: bytes) -> None:
            if message.method and message.id:
                await self._reply(message, era, call.credential)
            elif message.method == progress.METHOD and era == "legacy":
                await self._progressed(message.params.raw, id_, call)
            elif message.method:
                await call.notify(jsonrpc.body(raw))

        return await answers.answer(
            self._name, response, id_, idle=self._config.timeout, aside=aside
        )

    async def _progressed(self, params: bytes, id_: bytes, call: Call) -> None:
        """Of other requests than this one its caller hears nothing."""
        token = progress.token_of(call.outgoing.raw)
        if token and progress.about(params) == id_:
            await call.notify(progress.returned(params, token))

    # what the gateway says of its own accord

    async def _ask(self, method: str, params: bytes, credential: Credential) -> bytes:
        spoken = self._era, self._session
        response, id_ = await self._own(method, params, credential)
        if response.status in eras.STALE and await self._renewed(response, spoken, credential):
            response, id_ = await self._own(method, params, credential)
        answer = await answers.answer(
            self._name, response, id_, idle=self._config.timeout, aside=answers.nothing
        )
        return discovery.payload(self._name, method, answer)

    async def _own(
        self, method: str, params: bytes, credential: Credential
    ) -> tuple[Response, bytes]:
        """Sends a request of the gateway's own, in what is spoken now."""
        id_ = b"%d" % next(self._ids)
        if self._era == "modern":
            params = jsonrpc.replaced(params, {"_meta": requests.own_meta()})
        message = jsonrpc.request(id_, method, params)
        return await self._post(method, "", message, credential), id_

    async def _reply(self, message: jsonrpc.Message, era: str, credential: Credential) -> None:
        if era == "legacy":  # no other server may ask
            await self._say("", asked_back.reply(message), credential)

    async def _cancel(self, id_: bytes, credential: Credential) -> None:
        """Tells a legacy upstream; a modern one sees its response stream closed."""
        if self._era != "legacy":
            return
        method = "notifications/cancelled"
        note = jsonrpc.notification(method, b'{"requestId":%b}' % id_)
        # A task of its own: the one that this is said in is being cancelled.
        saying = asyncio.ensure_future(self._say(method, note, credential))
        try:
            await asyncio.wait({saying}, timeout=CANCEL_BOUND)
        finally:
            saying.cancel()

    async def _say(self, method: str, message: bytes, credential: Credential) -> None:
        """Sends what nobody waits for an answer to: it is no matter to the call if it fails."""
        try:
            async with asyncio.timeout(CANCEL_BOUND):
                (await self._post(method, "", message, credential)).close()
        except (Refusal, CredentialRefused, TimeoutError) as failure:
            log.debug("%s was not told: %s", self._name, type(failure).__name__)

    # the connection's life

    async def _opened(self, credential: Credential) -> None:
        """Finds out what is spoken, once for all who wait for it."""
        if self._era:
            return
        if self._opening is None or self._opening.done():
            # Kept here, and ended in aclose: no one caller who leaves takes it along.
            self._opening = asyncio.get_running_loop().create_task(self._agree(credential))
            self._opening.add_done_callback(_looked_at)
        opening = self._opening
        await asyncio.wait({opening})
        if opening.cancelled():
            raise UpstreamFailed(f"{self._name} is being stopped")
        opening.result()

    async def _agree(self, credential: Credential) -> None:
        if self._application:
            self._url = await self._application.url()

        async def post(headers: Headers, message: bytes) -> Response:
            request = ("POST", self._url, [*headers, *credential.headers], message)
            return await requested(self._services.http, self._name, request, self._config.timeout)

        spoken = await eras.agreed(self._name, post, self._ids, self._config.timeout)
        self._era, self._session, self._declared = spoken.era, spoken.session, spoken.declared

    async def _renewed(
        self, response: Response, spoken: tuple[str, Session], credential: Credential
    ) -> bool:
        """Whether something else is spoken now than when this response was asked for.

        If so the request is sent again: an upstream that turned it away has not carried it out.
        """
        if not eras.outdated(*spoken, response):
            return False
        if (self._era, self._session) == spoken:
            self._lost()
        await self._opened(credential)
        return (self._era, self._session) != spoken

    def _lost(self) -> None:
        """The upstream may be another one when it is back."""
        self._era = ""
        self._services.changed(self._name)


def _looked_at(task: asyncio.Task[None]) -> None:
    """Whoever waited has been told; that nobody did is no error."""
    if not task.cancelled():
        task.exception()

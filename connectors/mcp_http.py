"""An MCP server over Streamable HTTP, of either era."""

import asyncio
import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors import abilities, attending, discovery, eras, requests, sessions
from connectors.abilities import Abilities
from connectors.application import Application, Program
from connectors.endpoint import Endpoint
from connectors.failures import requested
from connectors.http_modern import HttpModern
from connectors.http_session import HttpSession
from connectors.services import Services
from connectors.sessions import Sessions
from connectors.urls import check_url
from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import Interest
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import Refusal, UpstreamFailed
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.connection import Response

Speaking = HttpModern | HttpSession


class HttpConfig(BaseModel):
    """`[servers.<name>]` with `connector = "mcp_http"`.

    With a `command` the gateway starts the server itself; `{port}` in it and in `url` is a free
    port of this machine.
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    timeout: float = Field(default=60.0, gt=0)
    sessions: int = Field(default=sessions.MOST, gt=0)
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
        self._application = (
            Application(
                Program(name, config.url, config.command, folder, config.environment),
                services,
                self._lost,
            )
            if config.command
            else None
        )
        http = services.http
        self._endpoint = Endpoint(
            name, http, config.url, config.timeout, self._lost, folder=services.data
        )
        self._era = ""
        self._modern: HttpModern | None = None
        self._sessions = Sessions(name, self._begin, most=config.sessions)
        self._probing: asyncio.Task[None] | None = None
        self._ids = itertools.count(1)
        self._offered = NOT_OFFERED
        self._ears = attending.Ears(name, services.changed)

    @classmethod
    async def open(cls, name: str, config: HttpConfig, services: Services) -> "McpHttp":
        """Never waits for the upstream."""
        return cls(name, config, services, services.data / "servers" / name)

    @property
    def offered(self) -> Offered:
        return self._offered

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        speaking = await self._speaking(credential, abilities.NONE)
        declared = frozenset(speaking.offered.capabilities or ())
        return await discovery.listed(self._name, self._asking(credential), declared)

    async def attend(
        self, credential: Credential, interest: Interest, announce: attending.Announce
    ) -> None:
        """On a stream of its own; what comes on the streams of calls is announced as well."""
        speaking = await self._speaking(credential, abilities.NONE)
        self._ears.to(announce)
        if isinstance(speaking, HttpModern):
            listen = partial(speaking.listen, credential)
            await attending.listen(self._name, listen, interest, announce)
        else:
            ask = self._asking(credential)
            await attending.stream(self._name, speaking.told, ask, interest, announce)

    async def send(self, call: Call) -> Result:
        speaking: Speaking
        if self._modern:
            speaking, able = self._modern, abilities.NONE
        else:
            able = abilities.of(call)
            known = self._sessions.known(call.credential, able) if self._era else None
            speaking = known or await self._speaking(call.credential, able)
        try:
            return await speaking.send(call)
        except eras.Outdated as outdated:
            now = await self._renewed(speaking, call.credential, able)
            if now is None:
                raw, failed = requests.answered(outdated.answer(self._name), self._name)
                return jsonrpc.body(raw, failed=failed)
            return await now.send(call, again=True)

    async def aclose(self) -> None:
        if self._probing:
            self._probing.cancel()
        await self._sessions.aclose()
        if self._application:
            await self._application.aclose()

    def _asking(self, credential: Credential) -> attending.Ask:
        async def ask(method: str, params: bytes) -> bytes:
            answer = await self._ask(method, params, credential)
            return discovery.payload(self._name, method, answer)

        return ask

    async def _ask(self, method: str, params: bytes, credential: Credential) -> jsonrpc.Message:
        """A request of the gateway's own."""
        speaking = await self._speaking(credential, abilities.NONE)
        try:
            return await speaking.ask(method, params, credential)
        except eras.Outdated as outdated:
            now = await self._renewed(speaking, credential, abilities.NONE)
            if now is None:
                return outdated.answer(self._name)
            return await now.ask(method, params, credential, again=True)

    # what is spoken

    async def _speaking(self, credential: Credential, able: Abilities) -> Speaking:
        """What is spoken now with whom shows this and can answer that."""
        if not self._era:
            await self._probed(credential)
        return self._modern or await self._sessions.of(credential, able)

    async def _renewed(
        self, speaking: Speaking, credential: Credential, able: Abilities
    ) -> Speaking | None:
        """What is spoken instead of this; None where that is the same.

        A request that was turned away is sent again there: it has not been carried out.
        """
        if speaking is self._modern or self._known(speaking):
            self._lost()
        now = await self._speaking(credential, able)
        return None if now.era == speaking.era == "modern" else now

    def _known(self, speaking: Speaking) -> bool:
        return isinstance(speaking, HttpSession) and self._sessions.lost(speaking)

    async def _probed(self, credential: Credential) -> None:
        """Finds out what is spoken, once for all who wait for it."""
        if self._probing is None or self._probing.done():
            # Kept here, and ended in aclose: no one caller who leaves takes it along.
            self._probing = asyncio.get_running_loop().create_task(self._probe(credential))
            self._probing.add_done_callback(_looked_at)
        probing = self._probing
        await asyncio.wait({probing})
        if probing.cancelled():
            raise UpstreamFailed(f"{self._name} is being stopped")
        probing.result()

    async def _probe(self, credential: Credential) -> None:
        if self._application:
            self._endpoint.url = await self._application.url()
        post = self._posting(credential)
        spoken = await eras.probed(self._name, post, self._ids, self._config.timeout)
        if spoken is None:
            self._era = "legacy"
            return
        self._era, self._offered = "modern", spoken.offered
        self._modern = HttpModern(self._endpoint, self._ids, spoken)
        self._sessions.clear()

    async def _begin(self, credential: Credential, able: Abilities) -> HttpSession:
        post = self._posting(credential)
        try:
            spoken = await eras.initialized(self._name, post, self._ids, self._config.timeout, able)
        except (Refusal, CredentialRefused):
            self._era = ""  # it may be of the other era by the time that it is asked again
            raise
        self._offered = spoken.offered
        session = HttpSession(self._endpoint, self._ids, spoken, credential, able, self._ears)
        await session.begun()
        return session

    def _posting(self, credential: Credential) -> eras.Post:
        async def post(headers: eras.Headers, message: bytes) -> Response:
            request = ("POST", self._endpoint.url, [*headers, *credential.headers], message)
            return await requested(self._services.http, self._name, request, self._config.timeout)

        return post

    def _lost(self) -> None:
        """The upstream may be another one when it is back."""
        self._era, self._modern = "", None
        self._services.changed(self._name)


def _looked_at(task: asyncio.Task[None]) -> None:
    """Whoever waited has been told; that nobody did is no error."""
    if not task.cancelled():
        task.exception()

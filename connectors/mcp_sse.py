"""An MCP server over HTTP+SSE, the transport of 2024-11-05."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from connectors import abilities, attending, discovery
from connectors.abilities import Abilities
from connectors.endpoint import Endpoint
from connectors.services import Services
from connectors.sessions import Sessions
from connectors.sse_session import SseSession
from connectors.urls import check_url
from mcp_gateway.core.asking import NOT_OFFERED, Offered
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.change import Interest
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.target import Definition


class SseConfig(BaseModel):
    """`[servers.<name>]` with `connector = "mcp_sse"`. `url` is where the stream is."""

    model_config = ConfigDict(extra="forbid")

    url: str
    timeout: float = Field(default=60.0, gt=0)

    @field_validator("url")
    @classmethod
    def _reachable(cls, url: str) -> str:
        check_url(url, ())
        return url


class McpSse:
    """One upstream, connected to when it is needed, and again when its stream has ended."""

    Config: ClassVar = SseConfig

    def __init__(self, name: str, config: SseConfig, services: Services) -> None:
        self._name = name
        self._timeout = config.timeout
        self._services = services
        self._stream = Endpoint(name, services.http, config.url, config.timeout)
        self._sessions = Sessions(name, self._begin)
        self._offered = NOT_OFFERED
        self._ears = attending.Ears(name, services.changed)

    @classmethod
    async def open(cls, name: str, config: SseConfig, services: Services) -> "McpSse":
        """Never waits for the upstream."""
        return cls(name, config, services)

    @property
    def offered(self) -> Offered:
        return self._offered

    async def discover(self, credential: Credential) -> Sequence[Definition]:
        session = await self._sessions.of(credential, abilities.NONE)
        declared = frozenset(session.offered.capabilities or ())
        return await discovery.listed(self._name, self._asking(session, credential), declared)

    async def attend(
        self, credential: Credential, interest: Interest, announce: attending.Announce
    ) -> None:
        """What is said by itself comes over the one stream of a session."""
        session = await self._sessions.of(credential, abilities.NONE)
        self._ears.to(announce)
        read = partial(attending.until, self._name, session.duplex.ended)
        ask = self._asking(session, credential)
        session.duplex.attended = True  # so that it is not ended for being idle
        try:
            await attending.stream(self._name, read, ask, interest, announce)
        finally:
            session.duplex.attended = False

    def _asking(self, session: SseSession, credential: Credential) -> attending.Ask:
        async def ask(method: str, params: bytes) -> bytes:
            answer = await session.duplex.ask(method, params, self._timeout, credential)
            return discovery.payload(self._name, method, answer)

        return ask

    async def send(self, call: Call) -> Result:
        session = await self._sessions.of(call.credential, abilities.of(call))
        return await session.send(call)

    async def aclose(self) -> None:
        """Ends every session."""
        await self._sessions.aclose()

    async def _begin(self, credential: Credential, able: Abilities) -> SseSession:
        session = SseSession(self._stream, credential, able, self._ears, self._changed)
        await session.begun()
        self._offered = session.offered
        return session

    def _changed(self) -> None:
        self._services.changed(self._name)

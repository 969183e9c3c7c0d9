"""A line of a request at an upstream, played by a test."""

import asyncio
from dataclasses import dataclass, field

from connectors.heard import Heard, Said
from mcp_gateway.core.asking import Fate
from mcp_gateway.core.credential import Credential
from mcp_gateway.wire import jsonrpc


@dataclass
class Played:
    """Implements `exchange.Line`. What is put into `heard` is what the upstream says."""

    id: bytes = b"1"
    heard: Heard = field(default_factory=lambda: Heard("up"))
    replies: list[bytes] = field(default_factory=list)
    refusals: list[bytes] = field(default_factory=list)
    parked: list[bytes] = field(default_factory=list)
    announced: list[str] = field(default_factory=list)
    cancelled: int = 0
    left: int = 0
    refusal: BaseException | None = None

    @property
    def fate(self) -> Fate:
        return self.heard.fate

    async def decided(self) -> Fate:
        return await self.heard.decided()

    async def next(self, idle: float) -> Said:
        return await self.heard.next(idle)

    def park(self, question: bytes) -> None:
        self.parked.append(question)
        self.heard.park(question)

    async def reply(self, message: bytes, credential: Credential) -> None:  # noqa: ARG002
        await asyncio.sleep(0)
        if self.refusal:
            raise self.refusal
        self.replies.append(message)

    async def say(self, message: bytes, credential: Credential) -> None:  # noqa: ARG002
        self.refusals.append(message)

    def announce(self, message: jsonrpc.Message) -> None:
        self.announced.append(message.method)

    async def cancel(self) -> None:
        self.cancelled += 1

    def leave(self) -> None:
        self.left += 1

    def says(self, raw: bytes) -> None:
        said = Said(jsonrpc.parse(raw), raw)
        if not said.message.method:
            self.heard.ended(said)
        elif said.message.id:
            self.heard.asked(said)
        else:
            self.heard.note(said)

"""A client of the initialize era in a test's hands: it calls, is asked, and answers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mcp_gateway.core.asking import Asked, Parked, Question
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import Refusal
from mcp_gateway.core.principal import Principal
from mcp_gateway.wire import jsonrpc
from tests.support.asgi import Answered, Exchange, Pairs
from tests.support.calls import ALICE
from tests.support.edge import INITIALIZE, EdgeUnderTest, message

ADD: Final = {"name": "github__add", "arguments": {"a": 1}}
ALL: Final[dict[str, Any]] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
NAME: Final = Question(
    "elicitation/create",
    b'{"message":"Who?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}',
)
ROOTS: Final = Question("roots/list")
DONE: Final = Body(b'{"content":[],"resultType":"complete"}')
NO_TOOLS: Final = Body(b'{"tools":[],"resultType":"complete"}')


def page(address: str = "https://example.com/a") -> Question:
    return Question(
        "elicitation/create",
        jsonrpc.encode({"mode": "url", "url": address, "message": "Log in"}),
    )


def asking(state: str = "sealed", parked: Parked | None = None, **questions: Question) -> Body:
    """A result that asks, as it comes out of the chain."""
    requests = {
        key: {"method": q.method, "params": jsonrpc.decode(q.params)}
        for key, q in questions.items()
    }
    raw = {"resultType": "input_required", "inputRequests": requests, "requestState": state}
    return jsonrpc.body(jsonrpc.encode(raw), asked=Asked(questions, "its own", parked))


@dataclass
class Parks:
    """Keeps which calls' upstreams were given up, and why; what was not waiting is no matter.

    `waiting` has an event for each, by its call, that is set once its upstream asks no more.
    """

    waiting: dict[str, asyncio.Event] = field(default_factory=dict)
    ended: list[tuple[str, str]] = field(default_factory=list)

    def end(self, call: str, why: str) -> None:
        if over := self.waiting.pop(call, None):
            over.set()
            self.ended.append((call, why))

    async def unasked(self, call: str) -> None:
        if over := self.waiting.get(call):
            await over.wait()


class Rounds:
    """A chain that gives one result after the other, the last one from then on."""

    def __init__(self, edge: EdgeUnderTest, *results: Result) -> None:
        self._results = list(results)
        self.calls: list[Call] = []
        self.refusal: Refusal | None = None
        """Of every call that goes on."""
        self.stuck: asyncio.Event | None = None
        """Set once a call goes on, which then comes to no end."""
        self.parks = edge.sessions.parks = Parks()
        edge.chain = self._chain

    async def _chain(self, call: Call) -> Result:
        if call.method != "tools/call":
            return NO_TOOLS
        self.calls.append(call)
        if call.parent:
            await self._going_on()
        call.attempts = 1
        self.parks.waiting.pop(call.parent, None)
        result = self._results.pop(0) if len(self._results) > 1 else self._results[0]
        if result.asked:
            self.parks.waiting[call.id] = asyncio.Event()
        return result

    async def _going_on(self) -> None:
        if self.refusal:
            raise self.refusal
        if self.stuck:
            self.stuck.set()
            await asyncio.Event().wait()


@dataclass
class UnderWay:
    """A request that was sent, and what came back on its stream so far."""

    exchange: Exchange
    task: asyncio.Task[Answered]

    async def asked(self, nth: int = 1) -> dict[str, Any]:
        """The nth request on the stream."""
        found: dict[str, Any] = await self.exchange.until(lambda said: _nth(said, nth))
        return found

    async def said(self, method: str) -> dict[str, Any]:
        """The first message of a method on the stream."""
        found: dict[str, Any] = await self.exchange.until(
            lambda said: next((e for e in said.events() if e.get("method") == method), None)
        )
        return found

    async def answered(self) -> Any:
        """The response, once it is there."""
        answered = await self.task
        if answered.header(b"content-type") == b"application/json":
            return answered.json()
        return answered.events()[-1]


def _nth(said: Answered, nth: int) -> dict[str, Any] | None:
    requests = [event for event in said.events() if "method" in event and "id" in event]
    return requests[nth - 1] if len(requests) >= nth else None


@dataclass
class LegacyClient:
    """One session."""

    edge: EdgeUnderTest
    session: bytes
    principal: Principal = ALICE

    @classmethod
    async def begun(
        cls,
        edge: EdgeUnderTest,
        revision: str = "2025-11-25",
        capabilities: Mapping[str, Any] = ALL,
        principal: Principal = ALICE,
    ) -> "LegacyClient":
        params = {**INITIALIZE, "protocolVersion": revision, "capabilities": capabilities}
        answered = await edge.legacy("initialize", params, principal=principal)
        return cls(edge, answered.header(b"mcp-session-id"), principal)

    def post(self, body: Any, headers: Pairs = (), **said: Any) -> Exchange:
        session = (b"mcp-session-id", self.session)
        return self.edge.exchange(
            body, headers=[session, *headers], principal=self.principal, **said
        )

    def call(self, id_: Any = 1, params: Mapping[str, Any] = ADD, headers: Pairs = ()) -> UnderWay:
        return self._run(self.post(message("tools/call", params, id_), headers))

    def get(self, last: bytes = b"") -> UnderWay:
        """Listens, or takes up what comes after an event."""
        headers = [(b"last-event-id", last)] if last else []
        return self._run(self.post(b"", headers, method="GET"))

    async def answer(self, id_: Any, result: Any = None, error: Any = None) -> Answered:
        said = {"result": result} if error is None else {"error": error}
        return await self.post({"jsonrpc": "2.0", "id": id_, **said}).run(self.edge.app)

    async def say(self, method: str, params: Mapping[str, Any]) -> Answered:
        note = {"jsonrpc": "2.0", "method": method, "params": params}
        return await self.post(note).run(self.edge.app)

    async def ask(self, method: str, params: Mapping[str, Any]) -> Any:
        return (await self.post(message(method, params)).run(self.edge.app)).json()

    def _run(self, exchange: Exchange) -> UnderWay:
        running = asyncio.get_running_loop().create_task(exchange.run(self.edge.app))
        return UnderWay(exchange, running)


def text_of(answer: Any) -> str:
    return str(answer["result"]["content"][0]["text"])

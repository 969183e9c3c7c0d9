"""The official SDK's own client of the initialize era, over real HTTP, is asked and answers."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
import pytest
import uvicorn
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from mcp_gateway.config import SessionsSection
from mcp_gateway.core.asking import Question
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.edge import http1
from tests.support.calls import ALICE
from tests.support.edge import KEYS, EdgeUnderTest
from tests.support.gateway import Quiet
from tests.support.legacy_client import NAME, NO_TOOLS, ROOTS, Rounds, asking, page

BOUND = 10.0
DONE = Body(b'{"content":[{"type":"text","text":"done"}],"resultType":"complete"}')
SAMPLE = Question(
    "sampling/createMessage",
    b'{"messages":[{"role":"user","content":{"type":"text","text":"?"}}],"maxTokens":5}',
)


async def _elicited(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": "Ada"})


async def _sampled(context: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="42")
    return types.CreateMessageResult(role="assistant", content=content, model="m")


async def _listed(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///a")])


@asynccontextmanager
async def _served(edge: EdgeUnderTest) -> AsyncIterator[str]:
    """The edge behind the protocol that serves it, on the address that it is called by."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            edge.app, http=http1.protocol(), ws="none", lifespan="off", log_config=None
        )
        config.timeout_graceful_shutdown = 1
        server = Quiet(config)
        task = asyncio.get_running_loop().create_task(server.serve([listening]))
        try:
            async with asyncio.timeout(BOUND):
                while not server.started:
                    await asyncio.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
        finally:
            edge.sessions.close_channels()
            server.should_exit = True
            await task


@asynccontextmanager
async def _client(edge: EdgeUnderTest, **callbacks: Any) -> AsyncIterator[Client]:
    """With the callbacks given, else with all."""
    usual: dict[str, Callable[..., Awaitable[Any]]] = {
        "elicitation_callback": _elicited,
        "sampling_callback": _sampled,
        "list_roots_callback": _listed,
    }
    headers = {
        "authorization": f"Bearer {KEYS[ALICE].decode()}",
        "host": "127.0.0.1:8080",
    }
    async with (
        _served(edge) as url,
        httpx2.AsyncClient(headers=headers, timeout=BOUND) as http,
        Client(
            streamable_http_client(url, http_client=http), mode="legacy", **(callbacks or usual)
        ) as client,
    ):
        yield client


@pytest.mark.requirement("edge:clients-are-asked")
async def test_every_question_reaches_its_callback_and_the_call_goes_on() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(
        edge, asking("1", who=NAME, model=SAMPLE, where=ROOTS), asking("2", n=ROOTS), DONE
    )

    async with _client(edge) as client:
        result = await client.call_tool("github__add", {"a": 1})

    said = chain.calls[1].params.view()["inputResponses"]
    assert result.content[0].text == "done"  # type: ignore[union-attr]
    assert said["who"] == {"action": "accept", "content": {"name": "Ada"}}
    assert said["model"]["content"] == {"type": "text", "text": "42"}
    assert said["where"]["roots"][0]["uri"] == "file:///a"
    assert chain.calls[2].params.view()["inputResponses"] == {"n": said["where"]}
    assert chain.calls[0].declared
    assert {b"elicitation", b"sampling", b"roots"} <= {
        name for name in (b"elicitation", b"sampling", b"roots")
        if name in chain.calls[0].declared.capabilities
    }  # fmt: skip


@pytest.mark.requirement("edge:clients-are-asked")
async def test_calls_at_once_are_each_asked_and_answered() -> None:
    edge = EdgeUnderTest()

    async def chain(call: Call) -> Result:
        if call.method != "tools/call":
            return NO_TOOLS
        answers = call.params.view().get("inputResponses")
        return DONE if answers else asking(f"state of {call.id}", one=NAME)

    edge.chain = chain
    async with _client(edge) as client:
        results = await asyncio.gather(
            *(client.call_tool("github__add", {"a": n}) for n in range(10))
        )

    assert [r.content[0].text for r in results] == ["done"] * 10  # type: ignore[union-attr]
    again = [call for call in edge.calls if call.parent]
    assert {call.params.view()["requestState"] for call in again} == {
        f"state of {call.parent}" for call in again
    }


@pytest.mark.requirement("edge:addresses-to-open")
async def test_addresses_are_the_error_that_the_sdk_knows() -> None:
    edge = EdgeUnderTest()
    chain = Rounds(edge, asking(log=page()), DONE)

    async with _client(edge) as client:
        with pytest.raises(MCPError) as raised:
            await client.call_tool("github__add", {"a": 1})
        again = await client.call_tool("github__add", {"a": 1})

    assert raised.value.error.code == -32042
    assert raised.value.error.data["elicitations"][0]["url"] == "https://example.com/a"
    assert again.content[0].text == "done"  # type: ignore[union-attr]
    assert chain.calls[1].params.view()["inputResponses"] == {"log": {"action": "accept"}}


@pytest.mark.requirement("edge:streams-are-polled")
async def test_a_call_that_is_released_is_polled_by_the_sdk() -> None:
    edge = EdgeUnderTest()
    edge.sessions.settings = SessionsSection(release_after=0.01)
    heard: list[float] = []

    async def chain(call: Call) -> Result:
        if call.method != "tools/call":
            return NO_TOOLS
        call.attempts = 1
        await asyncio.sleep(0.5)
        token = call.params.view()["_meta"]["progressToken"]
        note = b'{"jsonrpc":"2.0","method":"notifications/progress","params":%b}'
        params = b'{"progressToken":%b,"progress":1}' % str(token).encode()
        await call.notify(Body(note % params))
        return DONE

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        heard.append(progress)

    edge.chain = chain
    async with _client(edge) as client:
        result = await client.call_tool("github__add", {"a": 1}, progress_callback=on_progress)

    assert result.content[0].text == "done"  # type: ignore[union-attr]
    assert heard == [1]


@pytest.mark.requirement("edge:levels-of-sessions")
async def test_the_stream_by_get_carries_what_a_session_has_to_say() -> None:
    edge = EdgeUnderTest()
    edge.result = NO_TOOLS
    heard: list[Any] = []
    told = asyncio.Event()

    async def on_message(message: Any) -> None:
        heard.append(message)
        told.set()

    async with _client(edge, message_handler=on_message) as client:
        await client.list_tools()
        session = next(iter(edge.sessions._open.values()))
        async with asyncio.timeout(BOUND):
            while session.channel is None:
                await asyncio.sleep(0.01)
        session.say(b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}')
        await asyncio.wait_for(told.wait(), BOUND)

    assert "ToolListChanged" in str(type(heard[0])) + str(heard[0])

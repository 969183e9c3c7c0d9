"""A result that is passed on while its upstream still sends it, and held when it has to be."""

import json
from contextlib import aclosing

import pytest

from connectors.large import STREAMED
from mcp_gateway.core.body import Result
from mcp_gateway.core.errors import (
    Overloaded,
    ResultTooLarge,
    UpstreamFailed,
    UpstreamTimedOut,
)
from mcp_gateway.core.target import Target
from tests.connectors.conftest import Around
from tests.connectors.http import EVENTS, JSON, Asked, Era, connected, raw_upstream
from tests.support.calls import call
from tests.support.large_upstream import WAYS, Way, large_upstream
from tests.support.tcp import plain

HELD = 100_000
GIVE = Target("tool", "up", "give")
README = Target("resource", "up", "repo://readme")


async def asked(around: Around, url: str, **arguments: object) -> Result:
    around.services.http.held = HELD
    around.services.data.mkdir()
    made = call(params={"name": "up__give", "arguments": arguments})
    made.target = GIVE
    async with connected(around, url, timeout=1.0) as connector:
        return await connector.send(made)


async def read(result: Result) -> bytes:
    assert result.stream is not None
    return b"".join([piece async for piece in result.stream.chunks()])


@pytest.mark.requirement("streams:large-results-pass")
@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_large_result_is_of_the_cores_dialect(around: Around, era: Era, way: Way) -> None:
    async with large_upstream(era) as upstream:
        result = await asked(around, upstream.url, size=900_000, way=way, member='"isError":true')
        assert (result.raw, result.failed, result.asked) == (b"", False, None)

        found = json.loads(await read(result))

    assert found["resultType"] == "complete"
    assert found["content"][-1]["text"] == "end"
    assert result.stream is not None
    assert result.stream.failed


@pytest.mark.requirement("streams:ordinary-results-are-whole")
@pytest.mark.parametrize("way", WAYS)
async def test_a_result_up_to_the_buffer_is_no_stream(around: Around, way: Way) -> None:
    async with large_upstream() as upstream:
        result = await asked(around, upstream.url, size=60_000, way=way)

    assert result.stream is None
    assert result.view()["content"][-1]["text"] == "end"


@pytest.mark.requirement("streams:held-while-owed")
@pytest.mark.parametrize("way", WAYS)
async def test_one_that_was_held_is_read_again_as_it_was(around: Around, way: Way) -> None:
    async with large_upstream() as upstream:
        result = await asked(around, upstream.url, size=900_000, way=way)
        assert result.stream is not None

        whole = await result.stream.whole(2_000_000)

        assert await read(result) == whole
        assert json.loads(whole)["content"][-1]["text"] == "end"


@pytest.mark.requirement("streams:refused-beyond-the-limit")
async def test_one_that_cannot_be_held_is_refused_and_its_upstream_left(around: Around) -> None:
    async with large_upstream() as upstream:
        result = await asked(around, upstream.url, size=50_000_000)
        assert result.stream is not None

        with pytest.raises(ResultTooLarge, match="400000 bytes"):
            await result.stream.whole(400_000)
        await result.stream.aclose()

        assert upstream.sent < 40_000_000


async def test_a_disk_that_takes_nothing_is_an_overload(around: Around) -> None:
    async with large_upstream() as upstream:
        result = await asked(around, upstream.url, size=900_000)
        assert result.stream is not None
        around.services.data.rmdir()

        with pytest.raises(Overloaded, match="No such file"):
            await result.stream.whole(2_000_000)
        await result.stream.aclose()


@pytest.mark.requirement("streams:a-cut-answer-is-none")
@pytest.mark.parametrize("way", WAYS)
async def test_one_that_breaks_off_fails_before_its_end(around: Around, way: Way) -> None:
    async with large_upstream() as upstream:
        result = await asked(around, upstream.url, size=900_000, way=way, cut=3)

        with pytest.raises(UpstreamFailed):
            await read(result)


@pytest.mark.requirement("streams:idle-not-total")
async def test_one_that_falls_silent_is_ended(around: Around) -> None:
    def silent(request: Asked) -> bytes:
        head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n"
        )
        return head + b'{"jsonrpc":"2.0","id":%b,"result":{"a":"' % request.id

    async with raw_upstream(silent) as upstream:
        result = await asked(around, upstream.url)
        with pytest.raises(UpstreamTimedOut, match="fell silent"):
            await read(result)


async def test_leaving_it_ends_what_the_upstream_sends(around: Around) -> None:
    async with large_upstream() as upstream:
        result = await asked(around, upstream.url, size=50_000_000)
        assert result.stream is not None

        async with aclosing(result.stream.chunks()) as pieces:
            await anext(pieces)

        assert upstream.sent < 40_000_000


async def test_a_resource_of_that_size_is_kept_by_nobody(around: Around) -> None:
    def readme(request: Asked) -> bytes:
        content = b'{"contents":[{"uri":"repo://readme","text":"%b"}]' % (b"x" * 200_000)
        kept = b',"ttlMs":60000,"cacheScope":"public","resultType":"complete"}'
        return plain(b'{"jsonrpc":"2.0","id":%b,"result":%b%b}' % (request.id, content, kept), JSON)

    around.services.http.held = HELD
    made = call("resources/read", {"uri": "repo://readme"})
    made.target = README
    async with raw_upstream(readme) as upstream, connected(around, upstream.url) as connector:
        found = json.loads(await read(await connector.send(made)))

    assert (found["ttlMs"], found["cacheScope"], found["resultType"]) == (0, "private", "complete")
    assert len(found["contents"][0]["text"]) == 200_000


@pytest.mark.parametrize(
    "said",
    [
        b'{"jsonrpc":"2.0","id":%b,"error":{"code":-1,"message":"%b"}}',
        b'{"jsonrpc":"2.0","id":"other%b","result":{"a":"%b"}}',
        b'{"jsonrpc":"2.0","id":%b,"result":{"resultType":"input_required","a":"%b"}}',
    ],
    ids=["an error", "another's", "a question"],
)
@pytest.mark.parametrize("events", [True, False])
async def test_only_a_complete_result_may_be_that_large(
    around: Around, said: bytes, *, events: bool
) -> None:
    def answer(request: Asked) -> bytes:
        body = said % (request.id, b"x" * 200_000)
        return EVENTS + b"data: " + body if events else plain(body, JSON)

    async with raw_upstream(answer) as upstream:
        result = await asked(around, upstream.url)
        if events:  # not before, or it could arrive whole
            upstream.of("tools/call")[0].end()
        with pytest.raises(UpstreamFailed, match="broke off"):
            await read(result)


def test_only_what_a_target_holds_may_be_that_large() -> None:
    assert {"tools/call", "prompts/get", "resources/read"} == STREAMED

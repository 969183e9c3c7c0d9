"""Results that are larger than anybody holds, on their way through a whole gateway."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx2
import pytest

from mcp_gateway.ledger.commitment import Commitments
from mcp_gateway.wire import jsonrpc
from tests.connectors.http import Era
from tests.soak.caller import Caller
from tests.support.edge import BOTH, message, modern_headers, with_meta
from tests.support.gateway import GatewayUnderTest, gateway_under_test
from tests.support.large_upstream import WAYS, Large, Way, large_upstream
from tests.support.waiting import until

CONFIG = """
[policy]
rules = ["rules.csv"]

[streams]
result_buffer = 1000000
result_limit = 4000000

[servers.large]
connector = "mcp_http"
url = "{url}"
guard = "{guard}"
"""
RULES = "p, 10, all, role:user, *, */*/*, *, , allow,\n"
MEGABYTE = 1_000_000
TOOL = "large__give"
BOTH_ERAS = pytest.mark.parametrize("era", ["modern", "legacy"])
EACH_WAY = pytest.mark.parametrize("way", WAYS)


@asynccontextmanager
async def relayed(
    folder: Path, guard: str = "observe", era: Era = "modern"
) -> AsyncIterator[tuple[GatewayUnderTest, Caller, Large]]:
    """A gateway with small bounds before an upstream of large results."""
    (folder / "var").mkdir(mode=0o700)
    (folder / "var" / "rules.csv").write_text(RULES)
    async with large_upstream(era) as upstream:
        config = CONFIG.format(url=upstream.url, guard=guard)
        async with gateway_under_test(folder, config) as gateway, gateway.http("alice") as http:
            await gateway.serving("large")
            yield gateway, Caller(http, gateway.keys["alice"]), upstream


@asynccontextmanager
async def called(gateway: GatewayUnderTest, **arguments: Any) -> AsyncIterator[httpx2.Response]:
    """The answer to a call, as it comes."""
    params = {"name": TOOL, "arguments": arguments}
    async with gateway.http("alice") as http:
        request = http.build_request(
            "POST",
            "/mcp",
            json=message("tools/call", with_meta(params)),
            headers=[BOTH, *modern_headers("tools/call", params)],
        )
        response = await http.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


def files_open(folder: Path) -> list[str]:
    """What this process holds open in a folder, with a name or without one."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except OSError:
            continue
    return [name for name in found if name.startswith(str(folder)) and "deleted" in name]


@pytest.mark.requirement("streams:large-results-pass")
@BOTH_ERAS
@EACH_WAY
async def test_a_result_larger_than_the_buffer_passes_whole(
    tmp_path: Path, era: Era, way: Way
) -> None:
    async with relayed(tmp_path, era=era) as (gateway, caller, upstream):
        for spoken in ("modern", "legacy"):
            answer = await caller.call(spoken, TOOL, size=3 * MEGABYTE, way=way)

            texts = [item["text"] for item in answer.result["content"]]
            assert sum(map(len, texts)) > 2.5 * MEGABYTE * 6 / 7
            assert texts[-1] == "end"
            assert ("resultType" in answer.result) == (spoken == "modern")
            assert answer.result["_meta"]["of"] == "upstream"
            receipt = answer.result["_meta"]["io.github.mcp-gateway/receipt"]
            outcome = gateway.outcomes()[-1]
            assert (receipt["index"], receipt["call"]) == (outcome["index"], outcome["call"])
            assert (outcome["outcome"], outcome["streamed"]) == ("ok", True)
        assert len([asked for asked in upstream.asked if asked.method == "tools/call"]) == 2


@pytest.mark.requirement("streams:large-results-are-committed-to")
async def test_the_commitment_of_a_streamed_result_is_to_what_passed(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (gateway, caller, _):
        answer = await caller.call("modern", TOOL, size=2 * MEGABYTE)

        outcome = gateway.outcomes()[-1]
        del answer.result["_meta"]["io.github.mcp-gateway/receipt"]
        passed = jsonrpc.encode(answer.result)
        key = Commitments(gateway.parts.home.commitment_secret()).key(
            "local|alice", outcome["call"], "outcome"
        )
        expected = hmac.digest(key, b"result\0" + passed, "sha256").hex()
        assert outcome["commit"]["result"] == expected
        assert outcome["bytes_out"] == len(passed)


@pytest.mark.requirement("streams:held-while-owed")
@EACH_WAY
async def test_a_guard_that_may_deny_holds_it_until_it_has_looked(tmp_path: Path, way: Way) -> None:
    async with relayed(tmp_path, guard="standard") as (gateway, caller, _):
        answer = await caller.call("modern", TOOL, size=3 * MEGABYTE, way=way)
        assert answer.result["content"][-1]["text"] == "end"
        assert gateway.outcomes()[-1]["outcome"] == "ok"

        refused = await caller.call(
            "modern", TOOL, size=3 * MEGABYTE, way=way, member='"hidden":"\u202e"'
        )
        assert refused.result["isError"] is True
        assert "bidi_override" in refused.text
        assert gateway.outcomes()[-1]["outcome"] == "blocked"
        assert files_open(gateway.parts.home.folder) == []


@pytest.mark.requirement("streams:refused-beyond-the-limit")
@EACH_WAY
async def test_what_is_too_large_to_be_held_is_refused_by_name(tmp_path: Path, way: Way) -> None:
    async with relayed(tmp_path, guard="standard") as (gateway, caller, _):
        answer = await caller.call("modern", TOOL, size=8 * MEGABYTE, way=way)

        assert answer.result["isError"] is True
        assert "result_too_large" in answer.text
        assert "4000000" in answer.text
        assert gateway.outcomes()[-1]["outcome"] == "result_too_large"
        assert files_open(gateway.parts.home.folder) == []


@pytest.mark.requirement("streams:observed-as-they-pass")
async def test_what_an_observer_finds_in_a_stream_is_in_the_record(tmp_path: Path) -> None:
    key = "AKIA" + "A" * 16
    async with relayed(tmp_path) as (gateway, caller, _):
        member = f'"note":"it is\\n\\u0041{key[1:]}, so"'
        answer = await caller.call("modern", TOOL, size=2 * MEGABYTE, member=member)

        assert answer.result["note"] == f"it is\n{key}, so"
        findings = gateway.outcomes()[-1]["findings"]
        assert findings == [["result", "credential", "aws_access_key", ""]]


@pytest.mark.requirement("streams:a-cut-answer-is-none")
@EACH_WAY
async def test_an_answer_that_breaks_off_is_no_answer(tmp_path: Path, way: Way) -> None:
    async with relayed(tmp_path) as (gateway, caller, _):
        with pytest.raises(httpx2.TransportError):
            await caller.call("modern", TOOL, size=3 * MEGABYTE, way=way, cut=5)

        await until(gateway.outcomes)
        outcome = gateway.outcomes()[-1]
        assert outcome["outcome"] == "upstream_failed"
        assert outcome["bytes_out"] > MEGABYTE
        assert "commit" not in outcome or "result" not in outcome["commit"]
        again = await caller.call("modern", TOOL, size=10, way=way)
        assert again.text == "end"


@pytest.mark.requirement("streams:a-cut-answer-is-none")
@pytest.mark.parametrize(
    "member",
    ['"resultType":"input_required"', '"_meta":{}', '"a":[}', '"content":[]', '"_meta":"text"'],
)
async def test_what_turns_out_to_be_no_sound_result_breaks_off(tmp_path: Path, member: str) -> None:
    async with relayed(tmp_path) as (gateway, caller, _):
        with pytest.raises(httpx2.TransportError):
            await caller.call("modern", TOOL, size=3 * MEGABYTE, member=member)
        await until(gateway.outcomes)
        assert gateway.outcomes()[-1]["outcome"] == "upstream_failed"


@pytest.mark.requirement("streams:a-reader-that-is-gone-cancels")
@pytest.mark.parametrize("spoken", ["modern", "legacy"])
async def test_a_reader_that_is_gone_ends_what_its_upstream_sends(
    tmp_path: Path, spoken: Literal["modern", "legacy"]
) -> None:
    async with relayed(tmp_path) as (gateway, caller, upstream):
        asked = asyncio.ensure_future(caller.call(spoken, TOOL, size=200 * MEGABYTE))
        await until(lambda: upstream.sent > 4 * MEGABYTE)
        asked.cancel()
        await until(lambda: upstream.left)
        await until(gateway.outcomes)

        outcome = gateway.outcomes()[-1]
        assert outcome["outcome"] == "cancelled"
        assert 0 < outcome["bytes_out"] < 150 * MEGABYTE
        assert "result" not in outcome.get("commit", {})


@pytest.mark.requirement("streams:back-pressure")
async def test_a_slow_reader_holds_its_upstream_up(tmp_path: Path) -> None:
    async with relayed(tmp_path) as (gateway, _, upstream):
        async with called(gateway, size=100 * MEGABYTE) as response:
            pieces = response.aiter_raw()
            await anext(pieces)
            before = -1
            while upstream.sent != before:  # until nothing moves any more
                before = upstream.sent
                await asyncio.sleep(0.3)

            assert before < 30 * MEGABYTE
            read = sum([len(piece) async for piece in pieces])
        assert read > 90 * MEGABYTE
        assert gateway.outcomes()[-1]["outcome"] == "ok"


@pytest.mark.requirement("streams:held-while-owed")
async def test_the_bounds_are_those_of_the_configuration_in_force(tmp_path: Path) -> None:
    async with relayed(tmp_path, guard="standard") as (gateway, caller, _):
        refused = await caller.call("modern", TOOL, size=5 * MEGABYTE)
        assert "result_too_large" in refused.text

        settings = gateway.parts.settings
        streams = settings.streams.model_copy(update={"result_limit": 9 * MEGABYTE})
        await gateway.take(settings.model_copy(update={"streams": streams}))

        answer = await caller.call("modern", TOOL, size=5 * MEGABYTE)
        assert answer.result["content"][-1]["text"] == "end"

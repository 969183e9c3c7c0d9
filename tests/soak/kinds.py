"""The kinds of calls of the load: what each must be answered, and how it must be recorded."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_gateway.edge.refusals import RECEIPT
from tests.soak.caller import Answer, Caller, Era
from tests.soak.faulty import Faulty

RULES: Final = """
p, 1, lists,     role:user, *, catalog/*/*,            *,              , allow,
p, 2, no-naps,   role:user, *, tool/pipe/slow,         *,              , deny,
p, 3, tools,     role:user, *, tool/*/*,               tools/call,     , allow,
p, 3, skills,    role:user, *, resource/gateway/*,     resources/read, , allow,
"""
LIMITED: Final = "tool/pipe/count"


@dataclass(frozen=True, slots=True)
class Lane:
    """Who calls, and the upstream that fails on purpose."""

    caller: Caller
    faulty: Faulty


Run = Callable[[Lane, Era, str], Awaitable[None]]
"""Makes one call with a text of its own. Raises AssertionError for a wrong answer."""


@dataclass(frozen=True, slots=True)
class Kind:
    """`outcome` stands in the ledger and the metrics; `share` is out of the sum of all."""

    run: Run
    outcome: str
    share: int


def _echo(tool: str) -> Run:
    async def run(lane: Lane, era: Era, text: str) -> None:
        answer = await lane.caller.call(era, tool, text=text)
        assert answer.text == text, answer
        assert answer.result["_meta"][RECEIPT]["index"] > 0

    return run


def _refused(tool: str, says: str, text: str = "") -> Run:
    """A refusal is a result that says why, with a receipt, in either era."""

    async def run(lane: Lane, era: Era, own: str) -> None:
        answer = await lane.caller.call(era, tool, text=text or own)
        assert answer.status == 200, answer
        assert answer.result["isError"] is True
        assert says in answer.text, answer
        assert RECEIPT in answer.result["_meta"]

    return run


async def _orders(lane: Lane, era: Era, _: str) -> None:
    answer = await lane.caller.call(era, "orders__list_orders")
    assert answer.result["structuredContent"]["orders"][0]["customer"] == "Ada"


async def _progress(lane: Lane, era: Era, text: str) -> None:
    params = {"name": "http__count", "arguments": {"steps": 3}}
    answer = await lane.caller.ask(era, "tools/call", {**params, "_meta": {"progressToken": text}})
    *notes, _ = answer.messages
    assert [note["params"]["progress"] for note in notes] == [1, 2, 3], answer
    assert {note["params"]["progressToken"] for note in notes} == {text}
    assert answer.text == "3"


async def _listing(lane: Lane, era: Era, _: str) -> None:
    names = {
        tool["name"] for tool in (await lane.caller.ask(era, "tools/list", {})).result["tools"]
    }
    assert {"http__echo", "pipe__echo", "orders__list_orders", "faulty__error"} <= names
    assert "pipe__slow" not in names


async def _skill(lane: Lane, era: Era, _: str) -> None:
    uri = "skill://request-access/SKILL.md"
    answer = await lane.caller.ask(era, "resources/read", {"uri": uri})
    assert "name: request-access" in answer.result["contents"][0]["text"]


async def _unknown(lane: Lane, era: Era, text: str) -> None:
    answer: Answer = await lane.caller.call(era, "nowhere__echo", text=text)
    assert answer.error["code"] == -32602
    assert "nowhere__echo" in answer.error["message"]


async def _failed(lane: Lane, era: Era, text: str) -> None:
    answer = await lane.caller.call(era, "faulty__error", text=text)
    assert answer.error["message"] == "the upstream's own words"


async def _left(lane: Lane, era: Era, text: str) -> None:
    await lane.caller.hang_up(era, lane.faulty.expect(text), "faulty__held", text)


KINDS: Final = (
    Kind(_echo("http__echo"), "ok", 16),
    Kind(_echo("pipe__echo"), "ok", 12),
    Kind(_orders, "ok", 12),
    Kind(_progress, "ok", 4),
    Kind(_listing, "ok", 4),
    Kind(_skill, "ok", 6),
    Kind(_refused("pipe__slow", "Rule: no-naps."), "forbidden", 10),
    Kind(_refused("pipe__count", "Try again in"), "throttled", 10),
    Kind(_refused("http__echo", "credential", "AKIAABCDEFGHIJKLMNOP"), "blocked", 4),
    Kind(_refused("http__secret", "hidden unicode"), "blocked", 4),
    Kind(_unknown, "unknown_target", 4),
    Kind(_failed, "error", 2),
    Kind(_refused("faulty__hang_up", "upstream_failed"), "upstream_failed", 2),
    Kind(_refused("faulty__garbage", "upstream_failed"), "upstream_failed", 2),
    Kind(_refused("faulty__unavailable", "upstream_failed"), "upstream_failed", 2),
    Kind(_refused("late__silent", "upstream_timed_out"), "upstream_timed_out", 2),
    Kind(_left, "cancelled", 4),
)


def plan(calls: int, seed: int) -> Sequence[tuple[Kind, Era]]:
    """So many calls, mixed by their shares; the same for the same seed."""
    chance = random.Random(seed)
    kinds = chance.choices(KINDS, [kind.share for kind in KINDS], k=calls)
    eras: tuple[Era, Era] = ("modern", "legacy")
    return [(kind, chance.choice(eras)) for kind in kinds]

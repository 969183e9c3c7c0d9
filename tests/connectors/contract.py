"""What every connector must pass, whatever it reaches, and however.

A `Case` says how to open a connector to a real upstream, and what can be asked of it. The checks
assert; they know nothing of any one kind.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from mcp_gateway.core import ports
from mcp_gateway.core.body import Result
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.target import Target
from tests.connectors.answering import able, answered
from tests.support.calls import call

BOUND: Final = 15.0
HELD: Final = 256 * 1024
"""Bytes of a result that are held at most: `large` answers more."""
SECRET: Final = "s3cr3t-k3y-0f-th3-c0ntr4ct"
KEY: Final = Credential("static:up", (("authorization", f"Bearer {SECRET}"),))

Opened = AbstractAsyncContextManager[ports.Connector]


@dataclass(frozen=True)
class Case:
    """One kind of connector, with an upstream that is there.

    `tool` with `arguments` answers with a text that holds `answer`. `slow` keeps its caller
    waiting; `seen` and `cancelled` say whether the upstream has met that call, and its end.
    `away`, `silent` and `large` open a connector to an upstream that is not there, never
    answers, and answers more than is taken; `refusing` to one that wants another credential.
    """

    opened: Callable[[], Opened]
    tool: str
    arguments: dict[str, Any]
    answer: str
    slow: str
    slow_arguments: dict[str, Any]
    seen: Callable[[], bool]
    cancelled: Callable[[], bool]
    away: Callable[[], Opened]
    silent: Callable[[], Opened]
    large: Callable[[], Opened]
    refusing: Callable[[], Opened] | None = None
    asks: bool = False
    """Whether the tool `ask` asks for a name, and answers with it."""
    shown: Callable[[], Sequence[str]] = field(default=lambda: ())
    """What the upstream has been shown in `authorization`."""


def asking(case: Case, name: str = "", arguments: dict[str, Any] | None = None) -> Any:
    """A call as it reaches a connector."""
    given = case.arguments if arguments is None else arguments
    made = call(params={"name": f"up__{name or case.tool}", "arguments": given})
    made.target, made.credential = Target("tool", "up", name or case.tool), KEY
    return made


async def opens_without_waiting(case: Case) -> None:
    """An upstream that is away is no reason not to start, and none to start slowly."""
    for opened in (case.away, case.silent):
        started = time.monotonic()
        async with opened():
            assert time.monotonic() - started < 1


async def discovers(case: Case) -> None:
    """What is listed has names and digests, and the same ones every time."""
    async with case.opened() as connector:
        first = await connector.discover(KEY)
        second = await connector.discover(KEY)
    sound = {d.name: d for d in first if not d.flaw}
    assert case.tool in sound
    assert {d.server for d in first} == {"up"}
    assert all(d.digest.startswith("sha256:") for d in sound.values())
    assert [(d.kind, d.name, d.digest) for d in first] == [
        (d.kind, d.name, d.digest) for d in second
    ]


async def sends(case: Case) -> None:
    """A call is answered, many at once are, and none changes what was asked."""
    async with case.opened() as connector:
        calls = [asking(case) for _ in range(8)]
        before = [made.outgoing.raw for made in calls]
        results = await asyncio.gather(*(connector.send(made) for made in calls))
    for result in results:
        assert case.answer in result.view()["content"][0]["text"]
        assert not result.failed
    assert [made.outgoing.raw for made in calls] == before


async def sends_before_discovery(case: Case) -> None:
    """After a restart a call may come before the first look."""
    async with case.opened() as connector:
        assert case.answer in (await connector.send(asking(case))).view()["content"][0]["text"]


async def cancels(case: Case) -> None:
    """Cancelling the call cancels it at the upstream, and costs no other call."""
    async with case.opened() as connector:
        sending = asyncio.ensure_future(
            connector.send(asking(case, case.slow, case.slow_arguments))
        )
        await _until(case.seen)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await _until(case.cancelled)
        assert case.answer in (await connector.send(asking(case))).view()["content"][0]["text"]


async def fails_as_agreed(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    """Each failure is the one that its callers know, and holds no credential."""
    caplog.set_level(logging.DEBUG)
    await _fails(case, case.away, UpstreamFailed)
    await _fails(case, case.silent, UpstreamTimedOut)
    await _fails(case, case.large, ResultTooLarge)
    if case.refusing:
        await _fails(case, case.refusing, CredentialRefused)
    assert SECRET not in caplog.text


async def closes(case: Case) -> None:
    """Closing takes no longer than it may, once, again, and while calls are under way."""
    async with case.opened() as connector:
        await connector.send(asking(case))
        sending = asyncio.ensure_future(
            connector.send(asking(case, case.slow, case.slow_arguments))
        )
        await _until(case.seen)
        async with asyncio.timeout(BOUND):
            await asyncio.gather(connector.aclose(), connector.aclose())
            await connector.aclose()
        sending.cancel()
        await asyncio.wait({sending})


async def closes_unused(case: Case) -> None:
    async with case.opened() as connector, asyncio.timeout(BOUND):
        await connector.aclose()
        await connector.aclose()


async def shows_the_credential_to_the_upstream_alone(case: Case) -> None:
    async with case.opened() as connector:
        result = await connector.send(asking(case))
    assert SECRET.encode() not in result.raw
    if case.refusing:
        assert f"Bearer {SECRET}" in case.shown()


async def asks(case: Case) -> None:
    """What an upstream asks is a result, and the answer to it goes on with the call."""
    if not case.asks:
        return
    async with case.opened() as connector:
        for name in ("Ada", "Grace"):
            made = asking(case, "ask", {"kinds": ["elicitation"]})
            asked = await connector.send(able(made, {"elicitation": {}}))
            again = await answered(
                connector, made, asked, {"action": "accept", "content": {"name": name}}
            )
            assert again.view()["content"][0]["text"] == f"the elicitation: accept {name}"
            assert again.asked is None


async def refuses_what_nobody_can_answer(case: Case) -> None:
    """Who cannot be asked is not asked, and the upstream is told so at once."""
    if not case.asks:
        return
    async with case.opened() as connector, asyncio.timeout(BOUND):
        answer = await connector.send(asking(case, "ask", {"kinds": ["elicitation"]}))
    assert answer.failed or answer.asked


CHECKS: Final[Sequence[Callable[[Case], Awaitable[None]]]] = (
    opens_without_waiting,
    discovers,
    sends,
    sends_before_discovery,
    cancels,
    asks,
    refuses_what_nobody_can_answer,
    closes,
    closes_unused,
    shows_the_credential_to_the_upstream_alone,
)


async def _fails(case: Case, opened: Callable[[], Opened], failure: type[Exception]) -> None:
    async with opened() as connector, asyncio.timeout(BOUND):
        with pytest.raises(failure) as told:
            await _whole(await connector.send(asking(case)))
    words = [str(told.value), repr(told.value), str(getattr(told.value, "detail", ""))]
    assert SECRET not in "".join(words)


async def _whole(result: Result) -> None:
    """Holds what is passed on while it arrives, as somebody does who may hold little."""
    if result.stream is not None:
        try:
            await result.stream.whole(HELD)
        finally:
            await result.stream.aclose()


async def _until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(BOUND):
        while not happened():
            await asyncio.sleep(0.01)

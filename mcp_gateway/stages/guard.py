"""Guard: looks at what leaves and at what comes back, and stops what a profile denies."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import ClassVar, Final

from local_models.guards.profiles import Profile
from local_models.leaves import leaves, whole
from mcp_gateway.core import ports
from mcp_gateway.core.body import Body, Result, Streaming
from mcp_gateway.core.call import Call, Next, Notify
from mcp_gateway.core.decision import Obligation, Side
from mcp_gateway.core.errors import Blocked
from mcp_gateway.core.passing import Passing
from mcp_gateway.wire import jsonrpc

MOST_FINDINGS: Final = 100
LONGEST_PATH: Final = 200
MOST_HELD: Final = 64 * 1024 * 1024
"""Bytes of a result that is held until it has been looked at, where no setting says another."""
OVERLAP: Final = 4096
"""Bytes of a piece that are looked at again with the next one: what stands across both."""
_SHORT: Final = tuple((f"\\{e}", c) for e, c in zip('nrtbf"/', '\n\r\t\b\f"/', strict=True))
_NO_CODE: Final = re.compile(r"\\(?!u[0-9a-fA-F]{4})")
_NAME: Final = re.compile(r"[A-Za-z0-9_.$-]{0,40}")


class Guard:
    """Runs every profile that is owed. One that is not configured stays owed: refused."""

    needs: ClassVar = frozenset({"target", "decision", "params", "notify"})
    sets: ClassVar = frozenset({"outgoing", "notify"})

    def __init__(self, profiles: Mapping[str, Profile], most: int = MOST_HELD) -> None:
        """`most`: bytes of the largest result that is held until it has been looked at."""
        self._profiles = profiles
        self._most = most

    async def __call__(self, call: Call, call_next: Next) -> Result:
        asked = self._owed(call, "request")
        await self._look(call, "arguments", call.params, asked)
        call.discharged.update(asked)
        answered = self._owed(call, "result")
        call.notify = self._watched(call, call.notify, answered)
        result = await call_next(call)
        if result.stream is not None:
            result = await self._streamed(call, result.stream, answered)
        else:
            await self._look(call, "result", result, answered)
        call.discharged.update(answered)
        return result

    async def _streamed(self, call: Call, stream: Streaming, owed: Sequence[Obligation]) -> Result:
        """A result that is not held: it is now, unless nothing that may be found would stop it."""
        if not any(self._profiles[o.value].denies("result") for o in owed):
            return Body(b"", stream=Passing(stream, partial(self._observed, call, owed)))
        try:
            held = jsonrpc.body(await stream.whole(self._most))
            await self._look(call, "result", held, owed)
        except BaseException:
            await stream.aclose()
            raise
        return Body(b"", stream=stream)

    async def _observed(
        self, call: Call, owed: Sequence[Obligation], stream: Streaming
    ) -> AsyncGenerator[bytes, None]:
        """Its pieces, each looked at before it leaves: as text, since no piece is JSON."""
        before = b""
        async with aclosing(stream.chunks()) as pieces:
            async for piece in pieces:
                window = before + piece
                await self._glance(call, window, owed)
                before = window[-OVERLAP:]
                yield piece

    async def _glance(self, call: Call, window: bytes, owed: Sequence[Obligation]) -> None:
        for obligation in owed:
            profile = self._profiles[obligation.value]
            for guard in profile.guards:
                if not guard.clears(window):
                    text = ports.Leaf("", _unescaped(window))
                    await _inspect(call, "result", profile, guard, [text])

    def _owed(self, call: Call, side: Side) -> Sequence[Obligation]:
        owed = call.outstanding(side)
        return [o for o in owed if o.name == "guard" and o.value in self._profiles]

    def _watched(self, call: Call, deliver: Notify, owed: Sequence[Obligation]) -> Notify:
        async def watched(message: Body) -> None:
            """Looks at a message of the upstream's, which is cleared for itself alone."""
            await self._look(call, "result", message, owed)
            call.discharged.update(owed)
            try:
                await deliver(message)
            finally:
                call.discharged.difference_update(owed)

        return watched

    async def _look(
        self, call: Call, channel: ports.Channel, body: Body, owed: Sequence[Obligation]
    ) -> None:
        texts: Sequence[ports.Leaf] | None = None
        for obligation in owed:
            profile = self._profiles[obligation.value]
            for guard in profile.guards:
                if guard.clears(body.raw):
                    continue
                try:
                    texts = _texts(body) if texts is None else texts
                    await _inspect(call, channel, profile, guard, texts)
                except (ValueError, RecursionError):
                    said = f"the {channel} of {call.target} cannot be read, so nobody looked"
                    raise Blocked(said) from None


def _unescaped(window: bytes) -> str:
    """A piece of JSON as the text that it holds, as far as a piece can tell. Never fails."""
    text = window.decode("utf-8", "replace")
    if "\\" not in text:
        return text
    text = text.replace("\\\\", "\0")
    for escape, character in _SHORT:
        text = text.replace(escape, character)
    if "\\" in text:
        codes = _NO_CODE.sub("", text).encode("latin-1", "backslashreplace")
        halves = codes.decode("unicode_escape").encode("utf-16", "surrogatepass")
        text = halves.decode("utf-16", "replace")
    return text.replace("\0", "\\")


def _texts(body: Body) -> Sequence[ports.Leaf]:
    """What a guard reads. Raises ValueError for JSON that two readers may read as two things."""
    found = leaves(body.view())
    if not whole(body.raw, found):
        raise ValueError("a name stands twice in one object")
    return found


def _place(guard: ports.Guard, path: str) -> str:
    """A path that can be told: names on the way are content too, and may hold what was found."""
    tokens = path[:LONGEST_PATH].split("/")
    return "/".join(t if _NAME.fullmatch(t) and guard.clears(t.encode()) else "*" for t in tokens)


async def _inspect(
    call: Call,
    channel: ports.Channel,
    profile: Profile,
    guard: ports.Guard,
    texts: Sequence[ports.Leaf],
) -> None:
    try:
        async with asyncio.timeout(profile.timeout):
            verdict = await guard.inspect(call, channel, texts)
    except TimeoutError:
        if profile.on_error == "allow":
            call.facts["guard_late"] = profile.name
            return
        raise Blocked(f"the guard {profile.name!r} did not answer in time") from None
    for finding in verdict.findings:
        noted = call.facts.setdefault("findings", [])
        found = [channel, finding.label, finding.rule, _place(guard, finding.path)]
        if len(noted) < MOST_FINDINGS and found not in noted:
            noted.append(found)
    if denied := profile.denied(channel, verdict):
        where = f"{_place(guard, denied[0].path) or '/'} ({denied[0].rule})"
        word = denied[0].label.replace("_", " ")
        raise Blocked(f"the {channel} of {call.target} hold {word} at {where}")

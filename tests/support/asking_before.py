"""What the SDK's server asks of its caller, in the way of the revisions before 2026-07-28."""

import warnings
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import UrlElicitationRequiredError

from tests.support.asking import SCHEMA

ADDRESS = "https://accounts.example/connect"
Context = ServerRequestContext[Any, Any]


async def answered(ctx: Context, kinds: list[str], rounds: int) -> str:
    """Asks one after the other, `rounds` times, then says what was answered last."""
    said: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sampling and roots are deprecated, and still there
        for _ in range(rounds):
            for kind in kinds:
                said[kind] = await _ASK[kind](ctx)
    return ", ".join(f"the {kind}: {said[kind]}" for kind in sorted(said))


async def _elicitation(ctx: Context) -> str:
    found = await ctx.session.elicit_form("Who are you?", SCHEMA, related_request_id=ctx.request_id)
    return f"{found.action} {(found.content or {}).get('name')}"


async def _address(ctx: Context) -> str:
    found = await ctx.session.elicit_url(
        "Connect", ADDRESS, "e-1", related_request_id=ctx.request_id
    )
    return found.action


async def _sampling(ctx: Context) -> str:
    said = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="Hi"))
    found = await ctx.session.create_message(
        [said], max_tokens=10, related_request_id=ctx.request_id
    )
    return str(found.content)


async def _roots(ctx: Context) -> str:
    """Not on the stream of its request: the SDK's server asks for roots beside it."""
    return " ".join(str(root.uri) for root in (await ctx.session.list_roots()).roots)


_ASK = {"elicitation": _elicitation, "url": _address, "sampling": _sampling, "roots": _roots}


def visited(times: int) -> str:
    """The first time an address has to be visited."""
    if times > 1:
        return "connected"
    params = types.ElicitRequestURLParams(message="Connect", url=ADDRESS, elicitation_id="e-1")
    raise UrlElicitationRequiredError([params])


async def logged(ctx: Context, levels: list[str]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, and still there
        for level in levels:
            named: Any = level
            await ctx.session.send_log_message(
                named, f"said at {level}", related_request_id=ctx.request_id
            )
    return "logged"

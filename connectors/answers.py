"""How an upstream's HTTP answer becomes the one message that answers a request."""

from collections.abc import Awaitable, Callable
from typing import Final

from connectors.reading import Reading, Unheld
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.connection import Response

Aside = Callable[[jsonrpc.Message, bytes], Awaitable[None]]
"""What is done with a message, parsed and raw, that came before the answer."""


PASSING: Final = frozenset({502, 503, 504})
"""What whoever stands in front of an upstream answers while that is away."""
_SHOWN: Final = 200


async def nothing(message: jsonrpc.Message, raw: bytes) -> None:
    """Drops it."""


async def answer(
    server: str, response: Response, id_: bytes, *, idle: float, aside: Aside
) -> jsonrpc.Message:
    """The message that answers, whatever the status: an error has its code in the body.

    Raises UpstreamFailed, UpstreamTimedOut after `idle` quiet seconds, ResultTooLarge.
    """
    if response.streaming:
        return await streamed(server, response, id_, idle=idle, aside=aside)
    return whole(server, response, id_)


def whole(server: str, response: Response, id_: bytes) -> jsonrpc.Message:
    """The message that is the body. Raises UpstreamFailed for none, or one for another request.

    An error may go by any id: servers that did not get as far as reading the request make one up.
    """
    try:
        message = jsonrpc.parse(response.body)
    except jsonrpc.Malformed:
        raise UpstreamFailed(
            f"{server} answered {response.status} and no JSON-RPC message",
            passing=response.status in PASSING,
        ) from None
    if message.method or (message.id != id_ and not message.error):
        raise UpstreamFailed(f"{server} answered another request")
    return message


async def streamed(
    server: str, response: Response, id_: bytes, *, idle: float, aside: Aside, held: int = 0
) -> jsonrpc.Message:
    """The same from an event stream. Raises Unheld too, unless `held` is 0, and leaves it then."""
    reading = Reading(server, response, held=held)
    try:
        while True:
            said = await reading.next(idle)
            if not said.message.method and said.message.id == id_:
                return said.message
            await aside(said.message, said.raw)
    except Unheld:
        reading.taken()
        raise
    finally:
        reading.leave()


def said(error: bytes) -> str:
    """An upstream's error in a line of its own words, for whoever has to find out why."""
    try:
        view = jsonrpc.decode(error)
    except ValueError:
        view = None
    if not isinstance(view, dict):
        return "an error that cannot be read"
    words = "".join(filter(str.isprintable, str(view.get("message", ""))))[:_SHOWN]
    return f"the error {str(view.get('code', ''))[:_SHOWN]}: {words}"

"""How an upstream's HTTP answer becomes the one message that answers a request."""

from collections.abc import Awaitable, Callable
from typing import Final

from connectors.failures import told
from mcp_gateway.core.errors import ResultTooLarge, UpstreamFailed
from mcp_gateway.wire import jsonrpc, sse
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed

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
        return await _streamed(server, response, id_, idle, aside)
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


async def _streamed(
    server: str, response: Response, id_: bytes, idle: float, aside: Aside
) -> jsonrpc.Message:
    decoder = sse.Decoder()
    try:
        async for chunk in response.chunks(idle):
            for event in _events(server, decoder, chunk):
                if not event.data:
                    continue  # primes an id to resume from (SEP-1699)
                message = jsonrpc.parse(event.data)
                if not message.method and message.id == id_:
                    return message
                await aside(message, event.data)
    except HttpFailed as failure:
        raise told(server, failure) from None
    except jsonrpc.Malformed as fault:
        raise UpstreamFailed(f"{server}: in its stream is {fault.message}") from None
    finally:
        response.close()
    raise UpstreamFailed(f"{server} ended its stream without an answer")


def _events(server: str, decoder: sse.Decoder, chunk: bytes) -> list[sse.Event]:
    try:
        return decoder.feed(chunk)
    except ValueError as error:
        raise ResultTooLarge(f"{server}: {error}") from None


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

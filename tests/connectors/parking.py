"""An upstream that asks on the stream of a call, and the call that is parked at its question."""

from typing import Any, Final

from mcp_gateway.core import ports
from mcp_gateway.core.asking import Parked
from mcp_gateway.core.call import Call
from tests.connectors.answering import ANSWERS, asked_of
from tests.connectors.http import EVENTS, Asked, Raw
from tests.support.tcp import plain

QUESTION: Final = (
    b'{"jsonrpc":"2.0","id":"q-1","method":"elicitation/create",'
    b'"params":{"message":"Who?","requestedSchema":{"type":"object","properties":{}}}}'
)


def asks(asked: Asked) -> bytes:
    """Asks on the stream of a call, which stays open."""
    if asked.verb == "GET":
        return plain(b"", status=b"405 Method Not Allowed")
    if asked.method == "tools/call":
        return EVENTS + b"data: %b\n\n" % QUESTION
    return plain(b"", status=b"202 Accepted")


async def parked(connector: ports.Connector, made: Call) -> Parked:
    found = asked_of(await connector.send(made)).parked
    assert found is not None
    return found


def replies(up: Raw) -> list[Asked]:
    """The answers to questions that the upstream was sent."""
    return [asked for asked in up.of("") if asked.verb == "POST"]


KEYED: Final[dict[str, Any]] = {"elicitation-1": ANSWERS["elicitation/create"]}

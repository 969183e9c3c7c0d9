"""The few ASGI motions that the path of a call needs: headers, a body, an answer."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]
Pairs = Iterable[tuple[bytes, bytes]]

ONCE: Final = frozenset(
    {b"host", b"origin", b"authorization", b"content-type", b"mcp-session-id"}
    | {b"mcp-protocol-version", b"mcp-method", b"mcp-name"}
)
JSON: Final = (b"content-type", b"application/json")


class HttpError(Exception):
    """An answer of HTTP's own, before there is a call."""

    def __init__(self, status: int, text: str, headers: Pairs = ()) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = list(headers)


def headers_of(scope: Scope) -> Headers:
    """The headers by lower-case name. Raises HttpError for one that must stand once and does not.

    Two proxies would otherwise each believe another one.
    """
    found: Headers = {}
    for name, value in scope["headers"]:
        if name in found:
            if name in ONCE:
                raise HttpError(400, f"the header {name.decode('latin-1')} stands twice")
            value = found[name] + b", " + value  # noqa: PLW2901  # RFC 9110, section 5.3
        found[name] = value
    return found


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body. Raises HttpError(413) for a larger one, and ConnectionError when it stops."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            raise HttpError(413, f"a message has at most {most} bytes")
        chunks.append(chunk)
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def respond(send: Send, status: int, body: bytes, headers: Pairs = (JSON,)) -> None:
    """A whole answer."""
    length = (b"content-length", b"%d" % len(body))
    start = {"type": "http.response.start", "status": status, "headers": [*headers, length]}
    await send(start)
    await send({"type": "http.response.body", "body": body})

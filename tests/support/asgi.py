"""An ASGI server in a test's hands: what is said to an application, and what it answers."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp_gateway.edge.asgi import Receive, Scope, Send

App = Callable[[Scope, Receive, Send], Awaitable[None]]
Pairs = Sequence[tuple[bytes, bytes]]


@dataclass
class Answered:
    """What an application sent. `parts` are the bodies as they came."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    whole: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def json(self) -> Any:
        return json.loads(self.body)

    def all(self, name: bytes) -> list[bytes]:
        return [value for known, value in self.headers if known == name]

    def header(self, name: bytes) -> bytes:
        """The one header of this name."""
        (value,) = self.all(name)
        return value

    def events(self) -> list[Any]:
        """The messages of an event stream; an event without data is none."""
        lines = [line for line in self.body.split(b"\n") if line.startswith(b"data: {")]
        return [json.loads(line[5:]) for line in lines]


class Exchange:
    """One request. `hang_up` is set when its caller goes away."""

    def __init__(
        self,
        body: bytes | Iterable[bytes] = b"",
        *,
        method: str = "POST",
        path: str = "/mcp",
        headers: Pairs = (),
        client: tuple[str, int] | None = ("127.0.0.1", 1),
    ) -> None:
        self.hang_up = asyncio.Event()
        self.answered = Answered()
        self.said = asyncio.Event()
        self._chunks = [body] if isinstance(body, bytes) else list(body)
        self.scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": b"",
            "root_path": "",
            "headers": list(headers),
            "client": client,
            "server": ("127.0.0.1", 8080),
            "extensions": {},
        }

    async def receive(self) -> dict[str, Any]:
        if self._chunks:
            chunk = self._chunks.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self._chunks)}
        await self.hang_up.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Holds the application to what ASGI and HTTP allow."""
        answered = self.answered
        assert not answered.whole, "nothing follows a whole answer"
        if message["type"] == "http.response.start":
            assert answered.status == 0, "an answer begins once"
            answered.status = message["status"]
            answered.headers = [(bytes(name), bytes(value)) for name, value in message["headers"]]
            for name, value in answered.headers:
                assert name == name.lower()
                assert not set(b"\r\n\0") & set(name + value), "a header is split"
        else:
            assert message["type"] == "http.response.body"
            assert answered.status, "a body follows a beginning"
            answered.parts.append(message.get("body", b""))
            answered.whole = not message.get("more_body", False)
        self.said.set()

    async def until(self, seen: Callable[[Answered], Any]) -> Any:
        """What `seen` finds in the answer so far, as soon as that is something."""
        async with asyncio.timeout(10):
            while not (found := seen(self.answered)):
                self.said.clear()
                await self.said.wait()
        return found

    async def run(self, app: App) -> Answered:
        async with asyncio.timeout(10):
            await app(self.scope, self.receive, self.send)
        return self.answered


async def exchanged(app: App, body: bytes | Iterable[bytes] = b"", **said: Any) -> Answered:
    """The answer to one request."""
    return await Exchange(body, **said).run(app)

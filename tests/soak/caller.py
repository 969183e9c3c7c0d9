"""A caller of both eras, over plain HTTP, that sees every byte of an answer."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final, Literal

import httpx2

from mcp_gateway.wire import legacy, modern

Era = Literal["modern", "legacy"]
PER_SESSION: Final = 50
"""Calls of the initialize era in one session; then it is ended, and another begun."""
_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_BOTH: Final = "application/json, text/event-stream"


@dataclass(frozen=True, slots=True)
class Answer:
    """The status, and the messages: more than one when the answer was a stream."""

    status: int
    messages: list[dict[str, Any]]

    @property
    def result(self) -> dict[str, Any]:
        assert "result" in self.messages[-1], self
        result: dict[str, Any] = self.messages[-1]["result"]
        return result

    @property
    def error(self) -> dict[str, Any]:
        assert "error" in self.messages[-1], self
        error: dict[str, Any] = self.messages[-1]["error"]
        return error

    @property
    def text(self) -> str:
        return str(self.result["content"][0]["text"])


class Caller:
    """One lane: one call at a time."""

    def __init__(self, http: httpx2.AsyncClient, key: str) -> None:
        self._http = http
        self._bearer = {"authorization": f"Bearer {key}"}
        self._session: dict[str, str] = {}
        self._calls = 0
        self._id = 0

    async def ask(self, era: Era, method: str, params: dict[str, Any]) -> Answer:
        """One request and its whole answer. Raises AssertionError for one that is not JSON-RPC."""
        self._id += 1
        return await self.send(era, self._id, method, params)

    async def send(self, era: Era, id_: int, method: str, params: dict[str, Any]) -> Answer:
        headers = {**self._bearer, "accept": _BOTH}
        if era == "modern":
            meta = {modern.META_VERSION: modern.REVISION, modern.META_CAPABILITIES: {}}
            params = {**params, "_meta": {**params.get("_meta", {}), **meta}}
            headers |= {"mcp-protocol-version": modern.REVISION, "mcp-method": method}
            if method in _NAMED:
                headers["mcp-name"] = params[_NAMED[method]]
        else:
            headers |= await self._in_session()
        message = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        response = await self._http.post("/mcp", json=message, headers=headers)
        return _answer(response, id_)

    async def call(self, era: Era, tool: str, **arguments: Any) -> Answer:
        return await self.ask(era, "tools/call", {"name": tool, "arguments": arguments})

    async def hang_up(self, era: Era, arrived: asyncio.Event, tool: str, text: str) -> None:
        """Calls, and leaves once the call has arrived at its upstream: as each era leaves."""
        self._id += 1
        params = {"name": tool, "arguments": {"text": text}}
        asked = asyncio.ensure_future(self.send(era, self._id, "tools/call", params))
        async with asyncio.timeout(10):
            await arrived.wait()
        if era == "modern":
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            return
        note = {"requestId": self._id, "reason": "no longer wanted"}
        message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": note}
        headers = {**self._bearer, **self._session, "accept": _BOTH}
        noted = await self._http.post("/mcp", json=message, headers=headers)
        assert noted.status_code == 202, noted
        assert "cancelled" in (await asked).error["message"]

    async def aclose(self) -> None:
        """Ends the session; its id is worth nothing afterwards."""
        if not self._session:
            return
        headers = {**self._bearer, **self._session}
        ended = await self._http.delete("/mcp", headers=headers)
        again = await self._http.delete("/mcp", headers=headers)
        assert (ended.status_code, again.status_code) == (204, 404)
        self._session = {}

    async def _in_session(self) -> dict[str, str]:
        if self._calls % PER_SESSION == 0:
            await self.aclose()
            await self._initialize()
        self._calls += 1
        return self._session

    async def _initialize(self) -> None:
        params = {"protocolVersion": legacy.LATEST, "capabilities": {}, "clientInfo": _SELF}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        headers = {**self._bearer, "accept": _BOTH}
        response = await self._http.post("/mcp", json=message, headers=headers)
        revision = _answer(response, 0).result["protocolVersion"]
        session = response.headers[legacy.SESSION]
        self._session = {legacy.SESSION: session, "mcp-protocol-version": revision}


_SELF: Final = {"name": "soak", "version": "1"}


def _answer(response: httpx2.Response, id_: int) -> Answer:
    if response.headers["content-type"].startswith("text/event-stream"):
        lines = response.text.splitlines()
        messages = [json.loads(line[5:]) for line in lines if line.startswith("data: {")]
    else:
        messages = [json.loads(response.content)]
    assert messages[-1].get("id") == id_, (id_, response.status_code, response.text[:500])
    return Answer(response.status_code, messages)

"""The connector behind the upstream "gateway": listings, own tools, skills, operations."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mcp_gateway.config import Settings
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import InvalidRequest, UnknownTarget
from mcp_gateway.core.target import Definition
from mcp_gateway.services.catalog import connects
from mcp_gateway.services.denials import outcome_of
from mcp_gateway.services.invitations import Invitations
from mcp_gateway.services.listens import Listens
from mcp_gateway.services.listing import listing
from mcp_gateway.services.operations import Operations
from mcp_gateway.services.own import media_of, uri_of
from mcp_gateway.store.pins import AccessRequests
from mcp_gateway.store.tables import AccessRequestRow
from mcp_gateway.wire import jsonrpc
from skills import Skill

LONGEST: Final = 500
MOST_REQUESTS: Final = 20
"""Open requests for access of one principal."""
SHOWN: Final[tuple[str, ...]] = ("outcome", "method", "rule", "roles", "mode", "findings")
"""What its caller is told of a call: nothing of the policy that they could not see."""


Ready = Callable[[Call], Awaitable[None]]


async def at_once(call: Call) -> None:
    """Where no server has another list for each person."""


class Local:
    """Implements `ports.Connector`. It answers from the snapshot and the services."""

    def __init__(
        self,
        skills: Sequence[Skill],
        operations: Operations,
        requests: AccessRequests,
        listens: Listens,
        ledger: Path,
        settings: Settings,
    ) -> None:
        self._files = {
            uri_of(skill, path): content
            for skill in skills
            for path, content in skill.files.items()
        }
        self._skills = {skill.name: skill for skill in skills}
        self._operations = operations
        self._requests = requests
        self._ledger = ledger
        self._listens = listens
        self._contact = settings.gateway.contact
        self._ttl_ms = settings.identity.ttl_ms
        self._page = settings.gateway.page
        self.invitations = Invitations(lambda: None)
        """How people are asked to connect a server; nobody can until it is set."""
        self.ready: Ready = at_once
        """Waits until the lists of the caller's own are known."""

    async def discover(self, credential: Credential) -> Sequence[Definition]:  # noqa: ARG002
        return ()

    async def aclose(self) -> None:
        return None

    async def send(self, call: Call) -> Result:
        match call.target.kind:
            case "catalog":
                await self.ready(call)
                return listing(call, self._page, self._ttl_ms)
            case "subscription":
                return await self._listens.run(call)
            case "tool":
                return await self._tool(call)
            case "resource":
                return self._resource(call)
            case "prompt":
                return self._prompt(call)
            case "operation":
                return await self._operations.run(call)
            case _:
                raise UnknownTarget("no such target")

    async def _tool(self, call: Call) -> Result:
        arguments = call.outgoing.view().get("arguments") or {}
        if connects(call.target):
            return _told(await self.invitations.invite(call))
        match call.target.name:
            case "whoami":
                return _said(_whoami(call))
            case "explain_denial":
                return _said(await self._explain(call, _text(arguments, "call")))
            case _:
                return _said(await self._request(call, arguments))

    async def _explain(self, call: Call, wanted: str) -> Mapping[str, Any]:
        """Only the caller's own: another's id is told like one that does not exist."""
        line = await asyncio.to_thread(outcome_of, self._ledger, wanted)
        principal = call.principal
        own = [principal.issuer, principal.subject, principal.tenant]
        if line is None or [line.get(name) for name in ("issuer", "subject", "tenant")] != own:
            raise InvalidRequest(f"you made no call {wanted[:60]!r} that has ended")
        told = {key: line[key] for key in SHOWN if key in line}
        if "hidden_rule" not in line:
            told["target"] = line.get("target", "")
        return {**told, "ask": self._contact}

    async def _request(self, call: Call, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        row = AccessRequestRow(
            id="",
            identity=call.principal.identity,
            tenant=call.principal.tenant,
            target=_text(arguments, "target"),
            reason=_text(arguments, "reason"),
            asked=int(time.time()),
        )
        number = await asyncio.to_thread(self._requests.add, row, MOST_REQUESTS)
        if not number:
            raise InvalidRequest(f"{MOST_REQUESTS} requests of yours are open: wait for an answer")
        return {"request": number, "ask": self._contact, "next": "wait: do not retry the call"}

    def _resource(self, call: Call) -> Result:
        uri = call.target.name
        content = self._files.get(uri)
        if content is None:
            raise UnknownTarget(f"no resource is called {uri!r}")
        item = {"uri": uri, "mimeType": media_of(uri), **_content(content)}
        return _complete({"contents": [item], "ttlMs": self._ttl_ms, "cacheScope": "private"})

    def _prompt(self, call: Call) -> Result:
        skill = self._skills[call.target.name]
        message = {"role": "user", "content": {"type": "text", "text": skill.text}}
        return _complete({"description": skill.description, "messages": [message]})


def _content(raw: bytes) -> Mapping[str, str]:
    """Text as text, and anything else in base64."""
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"blob": b64encode(raw).decode()}


def _whoami(call: Call) -> Mapping[str, Any]:
    principal = call.principal
    return {
        "subject": principal.subject,
        "issuer": principal.issuer,
        "tenant": principal.tenant,
        "client": principal.client,
        "actor": principal.actor,
        "roles": sorted(principal.roles),
        "scopes": sorted(principal.scopes),
        "mode": principal.mode,
    }


def _text(arguments: Mapping[str, Any], name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise InvalidRequest(f"{name!r} is a text of 1 to {LONGEST} characters")
    return value


def _told(text: str) -> Result:
    return _complete({"content": [{"type": "text", "text": text}]})


def _said(fields: Mapping[str, Any]) -> Result:
    text = jsonrpc.encode(fields).decode()
    return _complete({"content": [{"type": "text", "text": text}], "structuredContent": fields})


def _complete(fields: Mapping[str, Any]) -> Result:
    return jsonrpc.body(jsonrpc.encode({**fields, "resultType": "complete"}))

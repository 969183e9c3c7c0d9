"""The connector behind the upstream "gateway": listings, own tools, skills, operations."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import InvalidRequest, UnknownTarget
from mcp_gateway.core.target import Definition
from mcp_gateway.ledger import reader
from mcp_gateway.services.listing import TTL_MS, listing
from mcp_gateway.services.operations import Operations
from mcp_gateway.services.own import uri_of
from mcp_gateway.store.pins import AccessRequests
from mcp_gateway.store.tables import AccessRequestRow
from mcp_gateway.wire import jsonrpc
from skills import Skill

LONGEST = 500


class Local:
    """Implements `ports.Connector`. It answers from the snapshot and the services."""

    def __init__(
        self,
        skills: Sequence[Skill],
        operations: Operations,
        requests: AccessRequests,
        ledger: Path,
        contact: str,
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
        self._contact = contact

    async def discover(self, credential: Credential) -> Sequence[Definition]:  # noqa: ARG002
        return ()

    async def aclose(self) -> None:
        return None

    async def send(self, call: Call) -> Result:
        match call.target.kind:
            case "catalog":
                return listing(call)
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
        match call.target.name:
            case "whoami":
                return _said(_whoami(call))
            case "explain_denial":
                return _said(await self._explain(call, _text(arguments, "call")))
            case _:
                return _said(await self._request(call, arguments))

    async def _explain(self, call: Call, wanted: str) -> Mapping[str, Any]:
        """Only the caller's own: another's id is told like one that does not exist."""
        lines = await asyncio.to_thread(reader.of_call, self._ledger, wanted)
        principal = call.principal
        for line in lines:
            own = (line.get("issuer"), line.get("subject"), line.get("tenant"))
            if line["kind"] == "outcome" and own == (
                principal.issuer,
                principal.subject,
                principal.tenant,
            ):
                shown = ("outcome", "method", "rule", "roles", "mode", "findings")
                told = {key: line[key] for key in shown if key in line}
                if "hidden_rule" not in line:
                    told["target"] = line.get("target", "")
                return {**told, "ask": self._contact}
        raise InvalidRequest(f"you made no call {wanted[:60]!r} that has ended")

    async def _request(self, call: Call, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        row = AccessRequestRow(
            id="",
            identity=call.principal.identity,
            tenant=call.principal.tenant,
            target=_text(arguments, "target"),
            reason=_text(arguments, "reason"),
            asked=int(time.time()),
        )
        number = await asyncio.to_thread(self._requests.add, row)
        return {"request": number, "ask": self._contact, "next": "wait: do not retry the call"}

    def _resource(self, call: Call) -> Result:
        content = self._files.get(call.target.name)
        if content is None:
            raise UnknownTarget(f"no resource is called {call.target.name!r}")
        item = {
            "uri": call.target.name,
            "mimeType": "text/markdown",
            "text": content.decode("utf-8", "replace"),
        }
        return _complete({"contents": [item], "ttlMs": TTL_MS, "cacheScope": "private"})

    def _prompt(self, call: Call) -> Result:
        skill = self._skills[call.target.name]
        message = {"role": "user", "content": {"type": "text", "text": skill.text}}
        return _complete({"description": skill.description, "messages": [message]})


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


def _said(fields: Mapping[str, Any]) -> Result:
    text = jsonrpc.encode(fields).decode()
    return _complete({"content": [{"type": "text", "text": text}], "structuredContent": fields})


def _complete(fields: Mapping[str, Any]) -> Result:
    return jsonrpc.body(jsonrpc.encode({**fields, "resultType": "complete"}))

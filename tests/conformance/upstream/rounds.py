"""Rounds: what a tool or a prompt asks of its client, and what it is answered.

Everything that needs the client is written once, as the round trips of 2026-07-28. A client of the
initialize era is sent the same questions as requests, one after the other.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from tests.conformance.upstream.media import JSON

Context = ServerRequestContext[Any, Any]
INVALID_PARAMS = -32602
MISSING_CAPABILITY = -32021
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
ROOTS: JSON = {"method": "roots/list", "params": {}}
_KEY = secrets.token_bytes(32)
_REQUESTS: dict[str, tuple[Any, Any]] = {
    "elicitation/create": (types.ElicitRequest, types.ElicitResult),
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult),
    "roots/list": (types.ListRootsRequest, types.ListRootsResult),
}


@dataclass(frozen=True, slots=True)
class Round:
    """What one round of a request brings: answers by key, the state, what the client can do."""

    answers: Mapping[str, Any] = field(default_factory=dict)
    state: str | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)

    def answered(self, key: str) -> Mapping[str, Any] | None:
        """The answer to one question, or None while there is none."""
        found = self.answers.get(key)
        return found if isinstance(found, Mapping) else None

    def filled(self, key: str, name: str) -> str | None:
        """A text that the user filled in, or None where it is missing or something else."""
        form = (self.answered(key) or {}).get("content")
        value = form.get(name) if isinstance(form, Mapping) else None
        return value if isinstance(value, str) else None

    def needs(self, capability: str) -> None:
        """Raises MCPError when the client did not declare it."""
        if capability not in self.capabilities:
            raise missing({capability: {}})


def missing(required: JSON) -> MCPError:
    said = "Missing required client capability"
    return MCPError(MISSING_CAPABILITY, said, {"requiredCapabilities": required})


def modern(context: Context) -> bool:
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def capabilities_of(context: Context) -> Mapping[str, Any]:
    """What the request says of its client, else what the handshake said."""
    declared = (context.meta or {}).get(CAPABILITIES)
    if isinstance(declared, Mapping):
        return declared
    shaken = context.session.client_capabilities
    return shaken.model_dump(by_alias=True, mode="json", exclude_none=True) if shaken else {}


def round_of(context: Context) -> Round:
    params = context.params or {}
    answers = params.get("inputResponses")
    return Round(
        answers if isinstance(answers, Mapping) else {},
        params.get("requestState"),
        capabilities_of(context),
    )


def ask(questions: JSON, state: str | None = None) -> JSON:
    """The result that asks instead of answering."""
    sealed = {} if state is None else {"requestState": seal(state)}
    return {"resultType": "input_required", "inputRequests": questions, **sealed}


def elicit(message: str, name: str, kind: str = "string") -> JSON:
    """A question to the user with one field."""
    schema = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    params = {"message": message, "requestedSchema": schema}
    return {"method": "elicitation/create", "params": params}


def sample(prompt: str, tokens: int) -> JSON:
    """A question to the client's model."""
    message = {"role": "user", "content": {"type": "text", "text": prompt}}
    params = {"messages": [message], "maxTokens": tokens}
    return {"method": "sampling/createMessage", "params": params}


def seal(state: str) -> str:
    tag = hmac.new(_KEY, state.encode(), hashlib.sha256).hexdigest()
    return base64.urlsafe_b64encode(f"{tag}.{state}".encode()).decode()


def unseal(sealed: str) -> str:
    """Raises MCPError for a state that was not sealed here.

    The whole text is compared: base64 passes over characters that it does not know, so a changed
    text may decode to the same bytes.
    """
    try:
        state = base64.urlsafe_b64decode(sealed.encode()).decode().partition(".")[2]
    except ValueError:
        state = ""
    if not hmac.compare_digest(seal(state).encode(), sealed.encode()):
        raise MCPError(INVALID_PARAMS, "requestState failed its integrity check")
    return state


async def to_the_end(context: Context, run: Callable[[Round], Awaitable[JSON]]) -> JSON:
    """Runs a request to its answer, or to what it asks where the client of the era asks again."""
    begun = round_of(context)
    result = await run(begun)
    while not modern(context) and result.get("resultType") == "input_required":
        answers = {
            key: await _requested(context, question)
            for key, question in result["inputRequests"].items()
        }
        result = await run(Round(answers, result.get("requestState"), begun.capabilities))
    return result


async def _requested(context: Context, question: JSON) -> JSON:
    """The answer to one question, asked as the older revisions ask: by a request of the server."""
    request, answer = _REQUESTS[question["method"]]
    asked = request.model_validate({**question, "jsonrpc": "2.0"}, by_name=False)
    related = ServerMessageMetadata(related_request_id=context.request_id)
    found = await context.session.send_request(asked, answer, metadata=related)
    dumped: JSON = found.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dumped

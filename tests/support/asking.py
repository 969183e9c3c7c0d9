"""What the SDK's server asks of its caller, in the way of 2026-07-28."""

from typing import Any, Final

import mcp_types as types

PAGE: Final = types.ElicitRequestURLParams(message="Log in", url="https://example.com/login")
STATE: Final = "the upstream's own, round "
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
}


def questions(kinds: list[str]) -> dict[str, types.InputRequest]:
    """One of each kind, by the names of the capabilities."""
    form = types.ElicitRequestFormParams(message="Who are you?", requested_schema=SCHEMA)
    said = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="Hi"))
    made: dict[str, types.InputRequest] = {
        "elicitation": types.ElicitRequest(params=form),
        "sampling": types.CreateMessageRequest(
            params=types.CreateMessageRequestParams(messages=[said], max_tokens=10)
        ),
        "roots": types.ListRootsRequest(),
        "page": types.ElicitRequest(params=PAGE),
    }
    return {f"the {kind}": made[kind] for kind in kinds}


def answered(
    params: types.CallToolRequestParams, kinds: list[str], rounds: int
) -> types.InputRequiredResult | str:
    """Asks `rounds` times, then says what was answered last; minds its own state."""
    came = params.request_state
    past = int(came.removeprefix(STATE)) if came else 0
    if came and came != f"{STATE}{past}":
        raise ValueError("the state was altered on its way")
    if past < rounds:
        return types.InputRequiredResult(
            input_requests=questions(kinds), request_state=f"{STATE}{past + 1}"
        )
    given = params.input_responses or {}
    return ", ".join(f"{key}: {_said(given[key])}" for key in sorted(given))


def _said(answer: types.InputResponse) -> str:
    if isinstance(answer, types.ElicitResult):
        return f"{answer.action} {(answer.content or {}).get('name')}"
    if isinstance(answer, types.ListRootsResult):
        return " ".join(str(root.uri) for root in answer.roots)
    return str(answer.content)

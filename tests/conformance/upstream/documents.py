"""The prompts and the resources."""

import json
from types import MappingProxyType

import mcp_types as types
from mcp.shared.exceptions import MCPError

from tests.conformance.upstream import skills
from tests.conformance.upstream.media import IMAGE, JSON, PNG, embedded, text
from tests.conformance.upstream.rounds import (
    INVALID_PARAMS,
    Context,
    Round,
    ask,
    elicit,
    modern,
    to_the_end,
)

NOT_FOUND_BEFORE = -32002
"""The code of the older revisions for a resource that is not there."""
PROMPTS = MappingProxyType(
    {
        "test_simple_prompt": ("Takes nothing", ()),
        "test_prompt_with_arguments": ("Takes two arguments", ("arg1", "arg2")),
        "test_prompt_with_embedded_resource": ("Holds a resource", ("resourceUri",)),
        "test_prompt_with_image": ("Holds an image", ()),
        "test_input_required_result_prompt": ("Asks the user first", ()),
    }
)
RESOURCES: MappingProxyType[str, JSON] = MappingProxyType(
    {
        "test://static-text": {
            "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        },
        "test://static-binary": {"mimeType": "image/png", "blob": PNG},
        "test://watched-resource": {"mimeType": "text/plain", "text": "Watched."},
    }
)
BEFORE, AFTER = "test://template/", "/data"
TEMPLATE: JSON = {
    "uriTemplate": f"{BEFORE}{{id}}{AFTER}",
    "name": "template",
    "mimeType": "application/json",
}


def _user(*parts: JSON) -> JSON:
    return {"messages": [{"role": "user", "content": part} for part in parts]}


async def get_prompt(context: Context, params: types.GetPromptRequestParams) -> JSON:
    async def run(now: Round) -> JSON:
        return _prompt(params.name, params.arguments or {}, now)

    return await to_the_end(context, run)


def _prompt(name: str, arguments: JSON, now: Round) -> JSON:
    match name:
        case "test_simple_prompt":
            return _user(text("This is a simple prompt for testing."))
        case "test_prompt_with_arguments":
            one, two = arguments.get("arg1"), arguments.get("arg2")
            return _user(text(f"Prompt with arguments: arg1='{one}', arg2='{two}'"))
        case "test_prompt_with_embedded_resource":
            body = "Embedded resource content for testing."
            resource = embedded(arguments["resourceUri"], "text/plain", body)
            return _user(resource, text("Please process the embedded resource above."))
        case "test_prompt_with_image":
            return _user(IMAGE, text("Please analyze the image above."))
        case "test_input_required_result_prompt":
            return _with_context(now)
        case _:
            raise MCPError(INVALID_PARAMS, f"Unknown prompt: {name}")


def _with_context(now: Round) -> JSON:
    given = now.filled("user_context", "context")
    if given is None:
        return ask({"user_context": elicit("What context should the prompt use?", "context")})
    return _user(text(f"Use this context: {given}"))


async def list_prompts(context: Context, params: types.PaginatedRequestParams) -> JSON:
    return {"prompts": [_described(name) for name in PROMPTS]}


def _described(name: str) -> JSON:
    description, arguments = PROMPTS[name]
    wanted = [{"name": argument, "required": True} for argument in arguments]
    return {"name": name, "description": description, "arguments": wanted}


async def read_resource(context: Context, params: types.ReadResourceRequestParams) -> JSON:
    uri = str(params.uri)
    body = RESOURCES.get(uri) or _skill(uri) or _from_template(uri)
    if body is None:
        code = INVALID_PARAMS if modern(context) else NOT_FOUND_BEFORE
        raise MCPError(code, "Resource not found", {"uri": uri})
    return {"contents": [{"uri": uri, **body}]}


def _skill(uri: str) -> JSON | None:
    file = skills.FILES.get(uri)
    return None if file is None else {"mimeType": "text/markdown", "text": file}


def _from_template(uri: str) -> JSON | None:
    if not (uri.startswith(BEFORE) and uri.endswith(AFTER)):
        return None
    key = uri.removeprefix(BEFORE).removesuffix(AFTER)
    value = {"id": key, "templateTest": True, "data": f"Data for ID: {key}"}
    return {"mimeType": "application/json", "text": json.dumps(value, separators=(",", ":"))}


async def list_resources(context: Context, params: types.PaginatedRequestParams) -> JSON:
    plain = [
        {"uri": uri, "name": uri.removeprefix("test://"), "mimeType": body["mimeType"]}
        for uri, body in RESOURCES.items()
    ]
    entries = [skills.entry(root) for root in skills.ROOTS]
    heads = [{"uri": e["uri"], **e["frontmatter"], "mimeType": "text/markdown"} for e in entries]
    return {"resources": plain + heads}


async def list_templates(context: Context, params: types.PaginatedRequestParams) -> JSON:
    return {"resourceTemplates": [TEMPLATE]}

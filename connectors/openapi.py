"""An internal application behind a REST API: its OpenAPI document says which tools it has.

Nothing is a tool unless its operation opts in: `x-mcp: {enabled: true, name, description}`.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field

from connectors import discovery
from connectors.child import Child, Command
from connectors.mcp_http import free_port, listens
from connectors.services import Services
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import InvalidRequest, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut

_VERBS: Final = ("get", "put", "post", "patch", "delete")
READY_TRIES: Final = 40
READY_PAUSE: Final = 0.25
BUILT_IN: Final = "builtin:"


class OpenApiConfig(BaseModel):
    """`[servers.<name>]` with `connector = "openapi"`.

    `document` is a JSON file, or `builtin:<name>` for one that ships.

    With a `command` the gateway starts the application itself; `{port}` in it and in `url` is a
    free port of this machine.
    """

    model_config = ConfigDict(extra="forbid")

    url: str
    document: str
    timeout: float = Field(default=30.0, gt=0)
    command: list[str] = []
    environment: list[str] = []


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation that opted in, as a tool."""

    verb: str
    path: str
    definition: Definition
    places: Mapping[str, str]
    """Where each argument goes: "path", "query" or "body"."""


class OpenApi:
    """The application's opted-in operations."""

    Config: ClassVar = OpenApiConfig

    def __init__(self, name: str, config: OpenApiConfig, services: Services, folder: Path) -> None:
        self._name = name
        self._config = config
        self._services = services
        self._folder = folder
        self._url = config.url.rstrip("/")
        self._child: Child | None = None
        self._operations: Mapping[str, Operation] = {}

    @classmethod
    async def open(cls, name: str, config: OpenApiConfig, services: Services) -> "OpenApi":
        """Reads the document. Raises ValueError for one that cannot be read."""
        self = cls(name, config, services, services.data / "servers" / name)
        document = await asyncio.to_thread(_file(config.document).read_text, "utf-8")
        self._operations = {o.definition.name: o for o in operations(name, json.loads(document))}
        return self

    async def discover(self, credential: Credential) -> Sequence[Definition]:  # noqa: ARG002
        await self._started()
        return [operation.definition for operation in self._operations.values()]

    async def send(self, call: Call) -> Result:
        operation = self._operations.get(call.target.name)
        if operation is None or call.method != "tools/call":
            raise UpstreamFailed(f"{self._name} has no {call.target.name!r}")
        arguments = call.outgoing.view().get("arguments") or {}
        url, body = place(operation, self._url, arguments)
        headers = [("accept", "application/json"), *call.credential.headers]
        if body:
            headers.append(("content-type", "application/json"))
        return _result(await self._request(operation.verb.upper(), url, headers, body))

    async def aclose(self) -> None:
        if self._child:
            await self._child.aclose()

    async def _request(
        self, verb: str, url: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Response:
        try:
            response = await self._services.http.request(
                verb, url, headers, body, timeout=self._config.timeout
            )
        except HttpTimedOut as error:
            raise UpstreamTimedOut(f"{self._name}: {error}") from None
        except HttpFailed as error:
            raise UpstreamFailed(f"{self._name}: {error}") from None
        if response.status == 401:
            raise CredentialRefused
        return response

    async def _started(self) -> None:
        """Starts the application, if it is the gateway's to start, and waits for its port."""
        if not self._config.command or (self._child and self._child.alive):
            return
        port = str(free_port())
        self._url = self._config.url.replace("{port}", port).rstrip("/")
        words = [word.replace("{port}", port) for word in self._config.command]
        command = Command(
            self._name, words, self._folder, self._config.environment, (("PORT", port),)
        )
        self._child = await Child.spawn(command, self._services.ledger, piped=False)
        for _ in range(READY_TRIES):
            if await listens(int(port)):
                return
            if not self._child.alive:
                raise UpstreamFailed(f"{self._name} ended as soon as it was started")
            await asyncio.sleep(READY_PAUSE)
        raise UpstreamTimedOut(f"{self._name} does not listen on its port")


def _file(document: str) -> Path:
    """A path, or `builtin:<name>` for a document that ships."""
    if document.startswith(BUILT_IN):
        name = document.removeprefix(BUILT_IN)
        return Path(__file__).parent / "samples" / f"{name}.openapi.json"
    return Path(document)


def operations(server: str, document: Mapping[str, Any]) -> Sequence[Operation]:
    """The operations that opted in. Raises ValueError for one that cannot become a tool."""
    return [
        _operation(server, verb, path, item[verb])
        for path, item in document.get("paths", {}).items()
        for verb in _VERBS
        if item.get(verb, {}).get("x-mcp", {}).get("enabled") is True
    ]


def _operation(server: str, verb: str, path: str, spec: Mapping[str, Any]) -> Operation:
    extension = spec["x-mcp"]
    name = extension.get("name") or spec.get("operationId")
    if not name:
        raise ValueError(f"{verb} {path}: x-mcp needs a name, or the operation an operationId")
    properties, required, places = _inputs(spec)
    tool = {
        "name": name,
        "description": extension.get("description") or spec.get("summary", ""),
        "inputSchema": {"type": "object", "properties": properties, "required": required},
        "annotations": {
            "readOnlyHint": verb == "get",
            "destructiveHint": verb == "delete" or extension.get("destructive") is True,
            "idempotentHint": verb in ("get", "put", "delete"),
            "openWorldHint": False,
        },
    }
    definition = discovery.define(server, "tool", tool)
    if definition is None:
        raise ValueError(f"{verb} {path}: the name of a tool is a string")
    return Operation(verb, path, definition, places)


def _inputs(spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[str], dict[str, str]]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, str] = {}
    for parameter in spec.get("parameters", ()):
        if parameter["in"] in ("path", "query"):
            name = parameter["name"]
            properties[name] = {
                **parameter.get("schema", {}),
                "description": parameter.get("description", ""),
            }
            places[name] = parameter["in"]
            required += [name] if parameter.get("required") else []
    content = spec.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    for name, property_ in schema.get("properties", {}).items():
        properties[name], places[name] = property_, "body"
    return properties, [*required, *schema.get("required", ())], places


def place(operation: Operation, url: str, arguments: Mapping[str, Any]) -> tuple[str, bytes]:
    """The URL and the body. A path argument can only ever fill its own segment.

    Raises InvalidRequest for an argument that the operation does not have, or that is missing.
    """
    if unknown := sorted(set(arguments) - set(operation.places)):
        raise InvalidRequest(f"{operation.definition.name} takes no {', '.join(unknown)}")
    path = operation.path
    for name, where in operation.places.items():
        if where == "path":
            text = str(arguments.get(name, ""))
            if text in ("", ".", ".."):
                raise InvalidRequest(f"{operation.definition.name} needs {name}")
            path = path.replace(f"{{{name}}}", quote(text, safe=""))
    query = {
        n: arguments[n] for n, w in operation.places.items() if w == "query" and n in arguments
    }
    fields = {
        n: arguments[n] for n, w in operation.places.items() if w == "body" and n in arguments
    }
    return (
        f"{url}{path}" + (f"?{urlencode(query)}" if query else ""),
        jsonrpc.encode(fields) if fields else b"",
    )


def _result(response: Response) -> Result:
    """The answer in both faces when it is a JSON object; an HTTP error is a tool's error."""
    text = response.body.decode("utf-8", "replace")
    failed = response.status >= 400
    said = f"HTTP {response.status}: {text}" if failed else text
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": said}],
        "isError": failed,
        "resultType": "complete",
    }
    try:
        decoded = jsonrpc.decode(response.body)
    except ValueError:
        decoded = None
    if isinstance(decoded, dict) and not failed:
        result["structuredContent"] = decoded
    return jsonrpc.body(jsonrpc.encode(result))

"""An internal application behind a REST API: its OpenAPI document says which tools it has."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.application import Application, Program
from connectors.failures import accepted, told
from connectors.openapi_document import Operation, operations
from connectors.openapi_request import Prepared, prepared
from connectors.services import Services
from connectors.urls import check_url
from mcp_gateway.core.body import Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import Credential
from mcp_gateway.core.errors import InvalidRequest, UpstreamFailed
from mcp_gateway.core.target import Definition
from mcp_gateway.wire import jsonrpc, trace
from mcp_gateway.wire.connection import Response
from mcp_gateway.wire.failures import HttpFailed, HttpTimedOut, TooLarge

BUILT_IN: Final = "builtin:"
_TEXTS: Final = ("text/", "application/json", "application/xml", "application/yaml")


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

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        check_url(self.url, self.command)
        return self


class OpenApi:
    """The application's opted-in operations."""

    Config: ClassVar = OpenApiConfig

    def __init__(
        self,
        name: str,
        config: OpenApiConfig,
        services: Services,
        tools: Mapping[str, Operation],
    ) -> None:
        self._name = name
        self._config = config
        self._services = services
        self._operations = tools
        self._application: Application | None = None
        if config.command:
            folder = services.data / "servers" / name
            program = Program(name, config.url, config.command, folder, config.environment)
            self._application = Application(program, services, self._lost)

    @classmethod
    async def open(cls, name: str, config: OpenApiConfig, services: Services) -> "OpenApi":
        """Reads the document. Raises ValueError for one that cannot be read."""
        text = await asyncio.to_thread(_file(config.document).read_text, "utf-8")
        found = operations(name, json.loads(text))
        return cls(name, config, services, {o.definition.name: o for o in found})

    async def discover(self, credential: Credential) -> Sequence[Definition]:  # noqa: ARG002
        """The tools are the document's; the application is asked no more than to be there."""
        response = await self._request("HEAD", Prepared("/"), ())
        response.close()
        return [operation.definition for operation in self._operations.values()]

    async def send(self, call: Call) -> Result:
        operation = self._operations.get(call.target.name)
        if operation is None or call.method != "tools/call":
            raise UpstreamFailed(f"{self._name} has no {call.target.name!r}")
        request = prepared(operation, call.outgoing.view().get("arguments") or {})
        headers = self._headers(call, operation, request)
        response = accepted(await self._request(operation.verb.upper(), request, headers))
        if response.streaming:
            response.close()
            raise UpstreamFailed(f"{self._name} answered with a stream of events")
        return _result(response)

    async def aclose(self) -> None:
        if self._application:
            await self._application.aclose()

    def _headers(
        self, call: Call, operation: Operation, request: Prepared
    ) -> Sequence[tuple[str, str]]:
        """What the arguments say can never stand in the place of the credential."""
        shown = {name.lower() for name, _ in call.credential.headers}
        if taken := [name for name, _ in request.headers if name.lower() in shown]:
            raise InvalidRequest(f"no argument can fill {taken[0]!r}")
        headers = [("accept", "application/json"), *request.headers]
        if request.body:
            headers.append(("content-type", operation.media))
        if call.trace:
            span = trace.child(call.trace, trace.span_of(call.id))
            headers.append(("traceparent", span))
        return [*headers, *call.credential.headers]

    async def _request(
        self, verb: str, request: Prepared, headers: Sequence[tuple[str, str]]
    ) -> Response:
        base = await self._application.url() if self._application else self._config.url
        url = base.rstrip("/") + request.path
        try:
            return await self._services.http.request(
                verb, url, headers, request.body, timeout=self._config.timeout
            )
        except HttpFailed as failure:
            if not isinstance(failure, HttpTimedOut | TooLarge):
                self._lost()
            raise told(self._name, failure) from None
        except ValueError as error:
            raise UpstreamFailed(f"{self._name}: {error}") from None

    def _lost(self) -> None:
        self._services.changed(self._name)


def _file(document: str) -> Path:
    """A path, or `builtin:<name>` for a document that ships."""
    if document.startswith(BUILT_IN):
        name = document.removeprefix(BUILT_IN)
        return Path(__file__).parent / "samples" / f"{name}.openapi.json"
    return Path(document)


def _result(response: Response) -> Result:
    """The answer in both faces when it is a JSON object.

    An HTTP error is a tool's error, and so is a redirection: none is ever followed.
    """
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    failed = not 200 <= response.status < 300
    text = response.body.decode("utf-8", "replace")
    if response.body and media and not _is_text(media):
        failed, text = True, f"{len(response.body)} bytes of {media}, which is not text"
    said = f"HTTP {response.status}: {text}" if failed else text
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": said}],
        "isError": failed,
        "resultType": "complete",
    }
    if not failed and isinstance(decoded := _decoded(response.body), dict):
        result["structuredContent"] = decoded
    return jsonrpc.body(jsonrpc.encode(result))


def _is_text(media: str) -> bool:
    return media.startswith(_TEXTS) or media.endswith(("+json", "+xml"))


def _decoded(raw: bytes) -> Any:
    try:
        return jsonrpc.decode(raw)
    except ValueError:
        return None

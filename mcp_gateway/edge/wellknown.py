"""Health, metrics, and the metadata documents that clients look for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

METADATA = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class WellKnown:
    """`troubles` says by name what keeps the gateway from being ready; empty when it is."""

    public: str
    issuer: str
    troubles: Callable[[], Mapping[str, str]]
    metrics: Callable[[], bytes]

    def routes(self) -> Sequence[Route]:
        return [
            Route("/healthz", self._health),
            Route("/readyz", self._ready),
            Route("/metrics", self._metrics),
            Route(METADATA, self._metadata),
            Route(METADATA + "/{path:path}", self._metadata),
        ]

    async def _health(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _ready(self, _: Request) -> Response:
        troubles = self.troubles()
        status = 503 if any(not name.startswith("server ") for name in troubles) else 200
        ready = "ready" if status == 200 else "not ready"
        return JSONResponse({"status": ready, "troubles": dict(troubles)}, status)

    async def _metrics(self, _: Request) -> Response:
        return Response(self.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _metadata(self, request: Request) -> Response:
        """RFC 9728. Without an authorization server there is nothing to point to."""
        if not self.issuer:
            return JSONResponse({"error": "this gateway takes API keys"}, 404)
        path = request.path_params.get("path", "mcp")
        return JSONResponse(
            {
                "resource": f"{self.public}/{path}",
                "authorization_servers": [self.issuer],
                "bearer_methods_supported": ["header"],
                "resource_name": "MCP gateway",
            }
        )

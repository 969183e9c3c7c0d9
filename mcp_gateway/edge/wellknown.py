"""Health, metrics, and the metadata documents that clients look for."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mcp_gateway.config import Settings
from mcp_gateway.edge import asgi
from mcp_gateway.edge.origins import Origins

METADATA: Final = "/.well-known/oauth-protected-resource"
_RESOURCE: Final = re.compile(r"mcp|servers/([A-Za-z0-9_-]+)/mcp")
BEARABLE: Final = ("server ", "configuration ", "issuer ")
"""With troubles of these kinds the gateway still does its work."""


def is_ready(troubles: Iterable[str]) -> bool:
    return all(name.startswith(BEARABLE) for name in troubles)


def scopes_at(settings: Settings) -> Callable[[str], frozenset[str]]:
    """The scopes that a client asks for at the endpoint of a path: no more than are of use there.

    A server that is not registered is told of like one that requires nothing. `offline_access` is
    between a client and the authorization server.
    """
    ours = settings.authorization.scopes if settings.authorization.enabled else []
    everywhere = frozenset(settings.identity.scopes or ours)
    required = {name: server.requires for name, server in settings.servers.items()}

    def of(path: str) -> frozenset[str]:
        found = _RESOURCE.fullmatch(path.removeprefix("/"))
        own = required.get(found[1] or "", frozenset()) if found else frozenset()
        return (everywhere | own) - {"offline_access"}

    return of


def issuers_of(settings: Settings) -> tuple[str, ...]:
    """Where tokens for the gateway are to be had: its own server first."""
    own = settings.public if settings.authorization.enabled else ""
    return tuple(issuer for issuer in (own, settings.identity.issuer) if issuer)


@dataclass(frozen=True, slots=True)
class WellKnown:
    """`troubles` says by name what keeps the gateway from being ready; empty when it is."""

    settings: Settings
    origins: Origins
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

    async def _ready(self, request: Request) -> Response:
        self._check(request)
        troubles = self.troubles()
        status, said = (200, "ready") if is_ready(troubles) else (503, "not ready")
        return JSONResponse({"status": said, "troubles": dict(troubles)}, status)

    async def _metrics(self, request: Request) -> Response:
        self._check(request)
        return Response(self.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _metadata(self, request: Request) -> Response:
        """RFC 9728. Without an authorization server there is nothing to point to."""
        path, issuers = request.path_params.get("path", "mcp"), issuers_of(self.settings)
        if not issuers or not _RESOURCE.fullmatch(path):
            raise HTTPException(404, "no authorization server is named here: use an API key")
        scopes = sorted(scopes_at(self.settings)(path))
        return JSONResponse(
            {
                "resource": f"{self.settings.public}/{path}",
                "authorization_servers": issuers,
                **({"scopes_supported": scopes} if scopes else {}),
                "bearer_methods_supported": ["header"],
                "resource_name": "MCP gateway",
            }
        )

    def _check(self, request: Request) -> None:
        """Raises HTTPException: pages of others must not read this by a name of their own."""
        try:
            self.origins.check_reader(asgi.headers_of(request.scope))
        except asgi.HttpError as error:
            raise HTTPException(error.status, error.text) from None


async def in_json(_: Request, error: Exception) -> Response:
    """An answer to what is not there: clients try many addresses for metadata, and read JSON."""
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)

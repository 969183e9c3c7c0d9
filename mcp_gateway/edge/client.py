"""The document by which upstreams' authorization servers know the gateway, for everybody."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mcp_gateway.oauth.upstream import cimd


def route(public: str, callback: str) -> Route:
    """It names one redirect, and holds no secret."""
    said = cimd.document(public, callback)

    async def serve(_: Request) -> Response:
        return JSONResponse(said, headers={"cache-control": "public, max-age=3600"})

    return Route(cimd.PATH, serve, methods=["GET"])

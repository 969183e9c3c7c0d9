"""The client document is there for everybody."""

from starlette.applications import Starlette
from starlette.testclient import TestClient

from mcp_gateway.edge.client import route

PUBLIC = "https://gw.example.com"


def test_the_document_is_at_the_address_that_it_names() -> None:
    served = TestClient(Starlette(routes=[route(PUBLIC, f"{PUBLIC}/connect/callback")]))
    answer = served.get("/oauth/client.json")

    assert answer.json()["client_id"] == f"{PUBLIC}/oauth/client.json"
    assert answer.headers["content-type"] == "application/json"
    assert "max-age" in answer.headers["cache-control"]

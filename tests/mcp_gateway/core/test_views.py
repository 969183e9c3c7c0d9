"""Where nobody looked there is nothing to see."""

from mcp_gateway.core.principal import Principal
from mcp_gateway.core.views import NO_VIEWS, UNSEEN


def test_without_views_every_list_is_unseen() -> None:
    assert NO_VIEWS.of((Principal("local", "alice", "default"), "github")) is UNSEEN
    assert UNSEEN.names == {}

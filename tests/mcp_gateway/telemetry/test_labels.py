from mcp_gateway.edge.request import CALLED
from mcp_gateway.telemetry.labels import METHODS


def test_every_method_that_becomes_a_call_is_counted_by_its_name() -> None:
    assert CALLED | {"operations/call"} == METHODS

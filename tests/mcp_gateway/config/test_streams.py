import pytest

from mcp_gateway.config import ConfigError, validated


def test_a_result_that_is_held_may_be_as_large_as_what_is_always_held() -> None:
    assert validated({"streams": {"result_limit": 8, "result_buffer": 8}}).streams.result_limit == 8
    with pytest.raises(ConfigError, match="at least result_buffer"):
        validated({"streams": {"result_limit": 7, "result_buffer": 8}})

import pytest

from mcp_gateway.config import ConfigError, validated


@pytest.mark.parametrize("every", [0, -1])
def test_checkpoints_have_time_between_them(every: int) -> None:
    with pytest.raises(ConfigError, match=r"ledger\.checkpoint_every"):
        validated({"ledger": {"checkpoint_every": every}})

import pytest

from mcp_gateway.config import ConfigError, validated


def test_an_api_key_is_a_log_in_unless_somebody_says_otherwise() -> None:
    assert validated({}).authorization.keys
    assert not validated({"authorization": {"keys": False}}).authorization.keys


@pytest.mark.requirement("configuration:nothing-is-ignored")
@pytest.mark.parametrize("name", ["enabled", "login", "clients", "passwords"])
def test_what_this_version_does_not_have_is_an_unknown_setting(name: str) -> None:
    with pytest.raises(ConfigError, match=f"authorization.{name}"):
        validated({"authorization": {name: True}})

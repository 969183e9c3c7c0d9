import pytest

from mcp_gateway.config import ConfigError, validated

PKCS11 = {"module": "/usr/lib/module.so", "token": "gateway", "pin": {"env": "PIN"}}


def test_one_key_seals_and_others_may_open() -> None:
    old = {"key": {"env": "NEW"}, "previous": [{"env": "OLD"}, {"file": "older"}]}

    assert [secret.env for secret in validated({"vault": old}).vault.previous] == ["OLD", ""]
    with pytest.raises(ConfigError, match=r"vault: .*one seals"):
        validated({"vault": {"key": {"env": "NEW"}, "pkcs11": PKCS11}})


@pytest.mark.parametrize("missing", PKCS11)
def test_a_hardware_module_is_named_whole(missing: str) -> None:
    parts = {key: value for key, value in PKCS11.items() if key != missing}

    with pytest.raises(ConfigError, match=f"vault.pkcs11.{missing}"):
        validated({"vault": {"pkcs11": parts}})


@pytest.mark.parametrize("keys", [{"key": "hunter2"}, {"pkcs11": {**PKCS11, "pin": "hunter2"}}])
def test_a_key_is_a_reference_and_its_value_is_not_repeated(keys: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as refused:
        validated({"vault": keys})

    assert "hunter2" not in str(refused.value)

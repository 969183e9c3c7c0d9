"""The keys of the vault, as they are configured, changed and lost."""

from pathlib import Path

import pytest

from mcp_gateway.config import ConfigError
from mcp_gateway.oauth.ports import Place, SecretLost, Secrets
from tests.support.gateway import GatewayUnderTest, gateway_under_test

HERE = Place("default", "local|ada", "github", "delegated")
OLD, NEW = "0f" * 32, "f0" * 32


def _secrets(gateway: GatewayUnderTest) -> Secrets:
    found = gateway.parts.wired.secrets
    assert found is not None
    return found


@pytest.mark.requirement("vault:first-key-seals-all-open")
async def test_a_key_is_changed_and_nothing_is_lost_of_it(tmp_path: Path) -> None:
    for name, text in (("old", OLD), ("new", NEW)):
        (tmp_path / name).write_text(text)
    old, new = f'{{ file = "{tmp_path}/old" }}', f'{{ file = "{tmp_path}/new" }}'

    async with gateway_under_test(tmp_path, f"[vault]\nkey = {old}\n") as gateway:
        await _secrets(gateway).put(HERE, {"token": "x"})
    both = f"[vault]\nkey = {new}\nprevious = [{old}]\n"
    async with gateway_under_test(tmp_path, both) as gateway:
        assert await _secrets(gateway).get(HERE) == {"token": "x"}
        async with gateway.http("admin") as http:
            answer = await http.post("/admin/vault/rewrap", json={})
        assert answer.json()["count"] == 1
    async with gateway_under_test(tmp_path, f"[vault]\nkey = {new}\n") as gateway:
        assert await _secrets(gateway).get(HERE) == {"token": "x"}
    async with gateway_under_test(tmp_path, f"[vault]\nkey = {old}\n") as gateway:
        with pytest.raises(SecretLost):
            await _secrets(gateway).get(HERE)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), *((text, "is no key of 32 bytes") for text in ("x", "zz" * 32, "0f" * 33))],
)
async def test_what_is_no_key_starts_no_gateway(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "key").write_text(text)

    with pytest.raises(ConfigError, match=said) as refused:
        async with gateway_under_test(tmp_path, f'[vault]\nkey = {{ file = "{tmp_path}/key" }}\n'):
            pytest.fail("it started")

    assert len(text) < 2 or text not in str(refused.value)

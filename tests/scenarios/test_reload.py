"""A configuration that changes while calls run."""

import pytest

from mcp_gateway import app
from mcp_gateway.config import load
from mcp_gateway.core.ports import Policy
from tests.support.gateway import GatewayUnderTest


def _policy(parts: app.Parts) -> Policy:
    """Upstreams come and go by themselves: what a bad file must not change is the policy."""
    snapshot = parts.current.of("default")
    assert snapshot is not None
    return snapshot.policy


@pytest.mark.requirement("snapshot:a-bad-file-is-refused")
async def test_a_bad_configuration_is_refused_with_its_reason_and_the_old_one_stays(
    gateway: GatewayUnderTest,
) -> None:
    parts = gateway.parts
    before = _policy(parts)
    bad = parts.home.folder / "bad.toml"
    rules = parts.home.folder / "bad.csv"
    rules.write_text("p, 1, all, role:user, *, */*/*, *, , Allow,\n", "utf-8")
    bad.write_text('[policy]\nrules = ["bad.csv"]\n', "utf-8")

    await app.reload(parts, load(bad, {}))

    assert _policy(parts) is before
    assert "bad.csv:1" in parts.rejected
    assert gateway.entries()[-1]["kind"] == "configuration.refused"


@pytest.mark.requirement("snapshot:swapped-whole")
async def test_a_new_policy_takes_effect_at_once_for_new_calls(
    gateway: GatewayUnderTest,
) -> None:
    parts = gateway.parts
    rules = parts.home.folder / "closed.csv"
    rules.write_text(
        "p, 1, no-more, role:user, *, tool/time/*, *, , deny,\n"
        "p, 2, lists, role:user, *, catalog/*/*, *, , allow,\n"
        "p, 3, orders, role:user, *, tool/*/*, *, , allow,\n",
        "utf-8",
    )
    text = parts.home.config.read_text("utf-8")
    new = text.replace('rules = ["builtin:first-run"]\nsuites = ["builtin:first-run"]', "")
    new = new.replace("[policy]", '[policy]\nrules = ["closed.csv"]')
    (parts.home.folder / "new.toml").write_text(new, "utf-8")

    await app.reload(parts, load(parts.home.folder / "new.toml", {}))
    async with gateway.as_("alice") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        denied = await client.call_tool("time__echo", {"text": "x"})

    assert parts.rejected == ""
    assert "time__echo" not in names
    assert "orders__list_orders" in names
    assert denied.is_error

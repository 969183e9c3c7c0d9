"""What is wrong with a gateway and what it measures, each under a name of its own."""

from collections.abc import AsyncIterator

import pytest

from mcp_gateway.parts import gauges, troubles
from tests.support.gateway import GatewayUnderTest, gateway_under_test


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    config = '[servers.away]\nconnector = "mcp_http"\nurl = "http://127.0.0.1:9/mcp"\n'
    async with gateway_under_test(tmp_path_factory.mktemp("app"), config) as running:
        yield running


async def test_every_trouble_has_a_name_of_its_own(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = gateway.parts
    calm = set(troubles(parts))
    monkeypatch.setattr(parts, "draining", True)
    monkeypatch.setattr(parts, "rejected", "bad.csv:1: no")
    monkeypatch.setattr(parts, "waiting", "gateway.listen")
    monkeypatch.setattr(parts.log, "trouble", "the disk is full")
    monkeypatch.setitem(parts.jobs._failing, "checkpoints", "it failed: OSError")
    found = troubles(parts)

    assert calm == {"server away"}
    assert {name: said for name, said in found.items() if name != "server away"} == {
        "draining": "the gateway is stopping",
        "ledger": "the disk is full",
        "checkpoints": "it failed: OSError",
        "configuration refused": "bad.csv:1: no",
        "configuration waiting": "at the next start takes effect: gateway.listen",
    }


async def test_a_ledger_that_does_not_keep_up_is_a_trouble_too(
    gateway: GatewayUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(gateway.parts.log), "healthy", False)

    assert troubles(gateway.parts)["ledger"] == "the disk does not keep up"


async def test_what_is_measured_is_the_state_of_the_moment(gateway: GatewayUnderTest) -> None:
    found = {(gauge.name, *gauge.labels.values()): gauge.value for gauge in gauges(gateway.parts)}

    assert found["ready",] == 1
    assert found["server_up", "away"] == 0
    assert found["generation",] >= 1
    assert found["ledger_entries",] >= 1
    assert (found["draining",], found["configuration_refused",]) == (0, 0)

import pytest

from mcp_gateway.config import ConfigError, Settings
from mcp_gateway.services import changes


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


def test_settings_that_differ_are_named_by_section_and_key() -> None:
    old = settings(servers={"a": {"connector": "mcp_http"}, "b": {"connector": "mcp_http"}})
    new = settings(
        gateway={"contact": "x", "listen": "127.0.0.1:1"},
        servers={"b": {"connector": "mcp_stdio"}, "c": {"connector": "mcp_http"}},
        limits={"tenant": {"default": "1/day"}},
    )

    assert changes.between(old, new) == [
        "gateway.contact",
        "gateway.listen",
        "servers.a",
        "servers.b",
        "servers.c",
        "limits.principal",
        "limits.tenant",
    ]
    assert changes.between(new, new) == []


@pytest.mark.requirement("reload:next-start-is-said")
def test_what_a_running_gateway_is_bound_to_stays_as_it_runs() -> None:
    old = settings(ledger={"durability": "written"})
    new = settings(
        gateway={"listen": "127.0.0.1:1", "data": "x", "tenant": "t", "contact": "c"},
        network={"ca": ["ca.pem"]},
        telemetry={"otlp_endpoint": "http://127.0.0.1:4318", "log_level": "debug"},
    )

    live = changes.live(old, new)

    assert live.gateway.contact == "c"
    assert live.telemetry.log_level == "debug"
    assert changes.waiting(old, new) == [
        "gateway.data",
        "gateway.listen",
        "gateway.tenant",
        "network.ca",
        "ledger.durability",
        "telemetry.otlp_endpoint",
    ]
    assert changes.waiting(old, live) == []


@pytest.mark.requirement("reload:next-start-is-said")
def test_what_is_sound_only_with_what_waits_for_the_next_start_is_refused() -> None:
    """Alone the file is good: anonymous callers, on a loopback address. It is not that of now."""
    old = settings(gateway={"listen": "0.0.0.0:8080"})
    new = settings(gateway={"listen": "127.0.0.1:8080"}, identity={"anonymous": True})

    with pytest.raises(ConfigError, match=r"next start: .*anonymous is for a loopback"):
        changes.live(old, new)


@pytest.mark.requirement("reload:next-start-is-said")
def test_the_key_of_the_vault_and_whether_there_are_tokens_of_our_own_wait_for_a_start() -> None:
    old = settings(vault={"key": {"env": "OLD"}})
    new = settings(
        vault={"key": {"env": "NEW"}, "previous": [{"env": "OLD"}]},
        authorization={"enabled": True, "passwords": False},
    )

    live = changes.live(old, new)

    assert live.vault == old.vault
    assert (live.authorization.enabled, live.authorization.passwords) == (False, False)
    assert changes.waiting(old, new) == ["authorization.enabled", "vault.key", "vault.previous"]

"""A configuration is taken whole, or refused with the place that is wrong."""

from pathlib import Path
from typing import get_args

import pytest

from local_models.guards.patterns import LABELS
from mcp_gateway.config import ConfigError, Label, load


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gateway]\nlisten_on = 'x'", "gateway.listen_on"),
        ("[guards.mine]\nresult = { credentials = 'deny' }", "guards.mine.result"),
        ("[guards.mine]\nresult = { credential = 'block' }", "guards.mine.result.credential"),
        ("[identity]\nissuer = 'https://login.example.com'", "audience"),
        ("[gateway]\nlisten = '0.0.0.0:8080'\n[identity]\nanonymous = true", "loopback"),
        ("[servers.gateway]\nconnector = 'mcp_http'", "gateway's own"),
        ("[servers.a]\nconnector = 'mcp_http'\ngrant = { kind = 'static' }", "secret"),
        ("[servers.a]\nconnector = 'mcp_http'\ngrant = { kind = 'id_jag' }", "not supported"),
        ("[gateway", "gateway.toml"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(ConfigError, match=said):
        load(path, {})


def test_the_environment_overrides_a_key() -> None:
    settings = load(None, {"GATEWAY_GATEWAY__LISTEN": "127.0.0.1:9", "GATEWAY_GATEWAY__DRAIN": "3"})

    assert (settings.gateway.listen, settings.gateway.drain) == ("127.0.0.1:9", 3)


def test_the_labels_of_the_configuration_are_those_of_the_guard() -> None:
    assert set(get_args(Label)) == set(LABELS)

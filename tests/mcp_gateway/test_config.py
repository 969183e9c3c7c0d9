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
        ("[identity]\nissuer = 'http://login.example.com'\naudience = 'x'", "issuer is an https"),
        ("[identity]\nissuer = 'login.example.com'\naudience = 'x'", "not an http"),
        (
            "[identity]\nissuer = 'https://2130706433'\naudience = 'x'\njwks = 'http://0x7f.1/'",
            "form",
        ),
        ("[identity]\nissuer = 'https://a.example/?x'\naudience = 'x'", "without query"),
        ("[identity]\njwks = 'http://a.example/keys'", "jwks is an https"),
        ("[identity]\nalgorithms = ['RS256', 'HS256']", "HS256 cannot be allowed"),
        ("[identity]\nalgorithms = ['none']", "none cannot be allowed"),
        ("[identity]\nalgorithms = []", "identity.algorithms"),
        ("[servers.a]\nconnector = 'mcp_http'\nrequires = ['a b']", "servers.a.requires"),
        ("[servers.a]\nconnector = 'mcp_http'\nrequires = ['a\"']", "servers.a.requires"),
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


OPEN = "[identity]\nanonymous = true\n"


@pytest.mark.requirement("identity:anonymous-on-loopback-only")
@pytest.mark.parametrize(
    "text",
    [
        OPEN + "[gateway]\nlisten = '0.0.0.0:8080'",
        OPEN + "[gateway]\nlisten = '[::]:8080'",
        OPEN + "[gateway]\nlisten = '10.0.0.5:8080'",
        OPEN + "[gateway]\nlisten = 'gateway.example.com:8080'",
        OPEN + "[gateway]\nurl = 'https://gateway.example.com'",
        OPEN + "[gateway]\nurl = 'http://127.0.0.1.evil.example'",
        OPEN + "[network]\ntrusted_proxies = ['127.0.0.1']",
    ],
)
def test_nobody_is_let_in_anonymously_where_others_can_reach(tmp_path: Path, text: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(text, "utf-8")

    with pytest.raises(ConfigError):
        load(path, {})
    with pytest.raises(ConfigError):
        load(None, {"GATEWAY_IDENTITY__ANONYMOUS": "true", "GATEWAY_GATEWAY__LISTEN": "0.0.0.0:1"})


@pytest.mark.requirement("identity:anonymous-on-loopback-only")
@pytest.mark.parametrize(
    "listen", ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "127.9.9.9:1"]
)
def test_anonymous_access_is_for_loopback_and_off_by_default(tmp_path: Path, listen: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f"{OPEN}[gateway]\nlisten = '{listen}'", "utf-8")

    assert load(path, {}).identity.anonymous
    assert not load(None, {}).identity.anonymous


@pytest.mark.parametrize(
    "issuer", ["https://login.example.com/x/", "http://127.0.0.1:9", "http://[::1]"]
)
def test_an_issuer_is_https_or_of_this_machine(issuer: str) -> None:
    settings = load(None, {"GATEWAY_IDENTITY__ISSUER": issuer, "GATEWAY_IDENTITY__AUDIENCE": "x"})

    assert settings.identity.issuer == issuer


def test_the_environment_overrides_a_key() -> None:
    settings = load(None, {"GATEWAY_GATEWAY__LISTEN": "127.0.0.1:9", "GATEWAY_GATEWAY__DRAIN": "3"})

    assert (settings.gateway.listen, settings.gateway.drain) == ("127.0.0.1:9", 3)


def test_the_labels_of_the_configuration_are_those_of_the_guard() -> None:
    assert set(get_args(Label)) == set(LABELS)

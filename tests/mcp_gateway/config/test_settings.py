"""A configuration is taken whole, or refused with the place that is wrong."""

from pathlib import Path

import pytest

from mcp_gateway.config import ConfigError, load, validated


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
        ("[servers.a]\nconnector = 'mcp_http'\ngrant = { kind = 'id_jag' }", "client_key"),
        ("[authorization]\nlogin = {}", "authorization.login.issuer"),
        ("[authorization]\nunknown = 1", "authorization.unknown"),
        ("[authorization.clients.ci]\nroles = []", "authorization.clients.ci: .*secret or a jwks"),
        ("[vault.pkcs11]\nmodule = 'x'", "vault.pkcs11.pin"),
        ("[registry]\nopen = true", "registry.open"),
        ("[gateway", "gateway.toml"),
        ("", "the file is empty"),
        (" \n\t\n", "the file is empty"),
        ("[gateway]\nlisten = '8080'", "gateway.listen: .*an address is host:port"),
        ("[gateway]\nlisten = ':8080'", "gateway.listen"),
        ("[gateway]\nlisten = '127.0.0.1:70000'", "gateway.listen"),
        ("[gateway]\nlisten = '127.0.0.1:\u0663'", "gateway.listen"),
        ("[gateway]\nurl = 'gateway.example.com'", "gateway.url: .*http"),
        ("[gateway]\nurl = 'https://a/?x=1'", "gateway.url"),
        ("[gateway]\nnotice = 61", "gateway.notice"),
        ("[network]\ntrusted_proxies = ['*']", "network.trusted_proxies.0"),
        ("[streams]\nresult_limit = 7", "streams: .*at least result_buffer"),
        ("[network]\nprivate_upstreams = ['10.0.0.1/8']", "private_upstreams.0: .*host bits"),
        ("[telemetry]\nlog_level = 'loud'", "telemetry.log_level"),
        ("[telemetry]\notlp_endpoint = 'localhost:4318'", "telemetry.otlp_endpoint"),
        ("[servers.'a b']\nconnector = 'x'", "the server name 'a b'"),
        ("[servers.a__b]\nconnector = 'x'", "the server name 'a__b'"),
        ("[servers.a]\nconnector = 'x'\ngrant = { kind = 'static', secret = {} }", "a file or an"),
        ("[identity]\nanonymous = true\n[gateway]\nlisten = 'localhost.evil:1'", "loopback"),
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


def test_the_environment_overrides_a_key() -> None:
    settings = load(None, {"GATEWAY_GATEWAY__LISTEN": "127.0.0.1:9", "GATEWAY_GATEWAY__DRAIN": "3"})

    assert (settings.gateway.listen, settings.gateway.drain) == ("127.0.0.1:9", 3)


def test_every_fault_of_a_file_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(
        "[gateway]\nlisten = 'x'\ndrain = -1\n[ledger]\ndurability = 'maybe'\n", "utf-8"
    )
    with pytest.raises(ConfigError) as refused:
        load(path, {})

    assert [fault.split(":")[1].strip() for fault in refused.value.faults] == [
        "gateway.listen",
        "gateway.drain",
        "ledger.durability",
    ]


def test_contradictions_between_sections_are_said_together() -> None:
    with pytest.raises(ConfigError) as refused:
        validated(
            {
                "identity": {"issuer": "https://login.example.com"},
                "servers": {"gateway": {"connector": "x"}},
            }
        )

    assert "audience" in str(refused.value)
    assert "gateway's own" in str(refused.value)


def test_what_was_written_is_not_repeated_where_it_may_be_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(
        "[servers.a]\nconnector = 'x'\n[servers.a.grant]\nkind = 'hunter2'\nsecret = 'hunter3'\n"
        "[network]\nproxy = ['http://u:hunter4@p']\n",
        "utf-8",
    )
    with pytest.raises(ConfigError) as refused:
        load(path, {})

    assert "hunter" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3.0), ("2.5", 2.5)],
)
def test_a_value_of_the_environment_is_read_as_toml(text: str, value: float) -> None:
    assert load(None, {"GATEWAY_GATEWAY__DRAIN": text}).gateway.drain == value


def test_a_value_of_the_environment_that_is_no_toml_is_text() -> None:
    found = load(None, {"GATEWAY_GATEWAY__CONTACT": "the desk, room 5"})

    assert found.gateway.contact == "the desk, room 5"


def test_the_environment_is_over_the_file_and_other_variables_are_none_of_ours(
    tmp_path: Path,
) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('[gateway]\ncontact = "file"\ntenant = "acme"\n', "utf-8")
    environment = {
        "GATEWAY_GATEWAY__CONTACT": "environment",
        "GATEWAY_DATA": "elsewhere",
        "PATH": "/bin",
        "OTHER_GATEWAY__TENANT": "x",
    }
    found = load(path, environment).gateway

    assert (found.contact, found.tenant) == ("environment", "acme")


def test_a_variable_for_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text('gateway = "x"\n', "utf-8")
    with pytest.raises(ConfigError, match="gateway is no table"):
        load(path, {"GATEWAY_GATEWAY__CONTACT": "y"})


def test_a_variable_for_an_unknown_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"the environment: gateway\.listen_on"):
        load(None, {"GATEWAY_GATEWAY__LISTEN_ON": "x"})


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for name in ("none.toml", "binary.toml"):
        with pytest.raises(ConfigError, match=name):
            load(tmp_path / name, {})


def test_the_public_address_is_the_configured_one_or_that_of_listening() -> None:
    plain = validated({"gateway": {"listen": "127.0.0.1:1"}})
    named = validated({"gateway": {"url": "https://gateway.example.com/"}})

    assert (plain.public, named.public) == ("http://127.0.0.1:1", "https://gateway.example.com")


def test_tls_without_a_url_is_named_as_it_is_spoken() -> None:
    tls = {"certificate": "c.pem", "key": "k.pem"}
    settings = validated({"network": {"tls": tls}})

    assert settings.public == "https://127.0.0.1:8080"


OWN = {"enabled": True}


@pytest.mark.requirement("identity:secrets-go-where-nobody-listens")
@pytest.mark.parametrize(
    "gateway",
    [
        {"listen": "0.0.0.0:8080"},
        {"listen": "127.0.0.1:8080", "url": "http://gateway.example.com"},
        {"listen": "127.0.0.1:8080", "url": "http://127.0.0.1.evil.example"},
    ],
)
def test_the_authorization_server_is_not_enabled_where_passwords_would_pass_in_clear(
    gateway: dict[str, str],
) -> None:
    with pytest.raises(ConfigError, match=r"enabled needs a gateway\.url that is https"):
        validated({"gateway": gateway, "authorization": OWN})


@pytest.mark.requirement("identity:secrets-go-where-nobody-listens")
@pytest.mark.parametrize(
    "gateway",
    [{}, {"listen": "[::1]:1"}, {"listen": "0.0.0.0:1", "url": "https://gateway.example.com"}],
)
def test_the_authorization_server_is_for_https_or_this_machine_and_off_by_default(
    gateway: dict[str, str],
) -> None:
    assert validated({"gateway": gateway, "authorization": OWN}).authorization.enabled
    assert not validated({"gateway": gateway}).authorization.enabled


def test_the_gateway_is_not_its_own_external_issuer() -> None:
    url = "https://gateway.example.com"
    identity = {"issuer": url, "audience": "x"}

    with pytest.raises(ConfigError, match="another one than the gateway"):
        validated({"gateway": {"url": url}, "identity": identity, "authorization": OWN})


@pytest.mark.parametrize("kind", ["token_exchange", "id_jag"])
def test_what_callers_logged_in_with_is_exchanged_only_where_they_log_in(kind: str) -> None:
    grant = {"kind": kind, "client": "gateway", "client_secret": {"env": "X"}}
    servers = {"servers": {"a": {"connector": "mcp_http", "grant": grant}}}
    issuer = "https://login.example.com"

    with pytest.raises(ConfigError, match=f"servers.a: a grant of kind {kind} exchanges"):
        validated(servers)
    validated({**servers, "identity": {"issuer": issuer, "audience": "x"}})
    validated({**servers, "authorization": {"login": {"issuer": issuer, "client": "gateway"}}})


def test_settings_are_the_same_after_they_were_taken_apart() -> None:
    """A reload merges what is fixed into what is new, from the plain values of both."""
    secret = {"env": "X"}
    settings = validated(
        {
            "identity": {"role_map": {"staff": ["user"]}},
            "authorization": {
                "login": {"issuer": "https://login.example.com", "client": "g", "secret": secret},
                "clients": {"ci": {"secret": secret}},
                "assertions": {"okta": {"issuer": "https://okta.example.com"}},
            },
            "vault": {"pkcs11": {"module": "m", "token": "t", "pin": secret}},
            "servers": {
                "a": {
                    "connector": "mcp_http",
                    "grant": {"kind": "delegated", "tools": {"tool/a/*": ["read"]}},
                    "discovery_grant": {"kind": "static", "secret": secret},
                },
            },
        }
    )

    assert validated(settings.model_dump()) == settings

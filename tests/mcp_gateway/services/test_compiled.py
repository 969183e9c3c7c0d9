from pathlib import Path

import pytest

from mcp_gateway.config import ConfigError, Settings
from mcp_gateway.services.compiled import compiled, profiles

RULES = "p, 1, all, role:user, *, */*/*, *, , allow, {owed}\n"
SUITE = '[[case]]\nas = "ada"\nroles = ["user"]\naction = "tools/call"\ntarget = "tool/a/b"\n'


def settings(**sections: object) -> Settings:
    return Settings.model_validate({"policy": {"rules": ["own.csv"]}, **sections})


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "own.csv").write_text(RULES.format(owed=""))
    return tmp_path


def test_a_sound_configuration_becomes_rules_profiles_and_servers(base: Path) -> None:
    (base / "suite.toml").write_text(SUITE + 'expect = "allow"\n')
    made = compiled(
        settings(
            policy={"rules": ["own.csv"], "suites": ["suite.toml", "s*.toml"]},
            servers={"a": {"connector": "mcp_http", "url": "http://127.0.0.1:9/mcp"}},
        ),
        base,
    )

    assert [rule.id for rule in made.engine.rules.rules] == ["all"]
    assert set(made.guards) == {"none", "observe", "standard", "strict"}
    assert made.servers["a"].url == "http://127.0.0.1:9/mcp"


@pytest.mark.requirement("operations:every-fault-at-once")
def test_every_fault_of_every_section_is_said_at_once(base: Path) -> None:
    (base / "own.csv").write_text("p, 1, a\np, x, b, *, *, */*/*, *, , allow,\n")
    with pytest.raises(ConfigError) as refused:
        compiled(
            settings(
                limits={"principal": {"default": "often", "tool/x": "1/day"}},
                servers={
                    "a": {"connector": "pigeon", "guard": "none-such"},
                    "b": {"connector": "mcp_http", "timeout": -1},
                },
            ),
            base,
        )

    said = "\n".join(refused.value.faults)
    for part in (
        "limits.principal: 'default': 'often' is no limit",
        "limits.principal: 'tool/x'",
        "servers.a: no guard profile is called 'none-such'",
        "servers.a: no connector 'pigeon'; known: mcp_http, mcp_sse, mcp_stdio, openapi",
        "servers.b.url: Field required",
        "servers.b.timeout: Input should be greater than 0",
        "own.csv:1",
        "own.csv:2",
    ):
        assert part in said


def test_a_suite_that_does_not_come_out_is_a_fault(base: Path) -> None:
    (base / "suite.toml").write_text(SUITE + 'expect = "deny"\n')
    with pytest.raises(ConfigError, match=r"suite\.toml, case 1: expected deny"):
        compiled(settings(policy={"rules": ["own.csv"], "suites": ["suite.toml"]}), base)


def test_a_pattern_that_fits_no_suite_is_a_fault(base: Path) -> None:
    with pytest.raises(ConfigError, match=r"policy\.suites: none/\*\.toml fits no file"):
        compiled(settings(policy={"rules": ["own.csv"], "suites": ["none/*.toml"]}), base)


def test_a_rule_that_owes_a_profile_which_is_not_there_is_a_fault(base: Path) -> None:
    (base / "own.csv").write_text(RULES.format(owed="guard:strickt"))
    with pytest.raises(ConfigError, match=r"own\.csv:1: no guard profile is called 'strickt'"):
        compiled(settings(), base)


def test_a_profile_of_the_configuration_acts_on_the_channels_that_it_names() -> None:
    sections = settings(
        guards={
            "own": {
                "arguments": {"credential": "observe"},
                "result": {"role_marker": "deny"},
                "timeout": 0.5,
                "on_error": "allow",
            }
        }
    ).guards
    own = profiles(sections)["own"]

    assert own.actions == {
        ("arguments", "credential"): "observe",
        ("result", "role_marker"): "deny",
    }
    assert (own.timeout, own.on_error, len(own.guards)) == (0.5, "allow", 1)


def test_a_profile_of_the_configuration_stands_in_the_place_of_one_that_ships() -> None:
    assert profiles(settings(guards={"strict": {}}).guards)["strict"].actions == {}

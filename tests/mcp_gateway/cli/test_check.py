import time
from pathlib import Path

import pytest

from mcp_gateway.core.principal import Principal
from mcp_gateway.home import Home
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import LOCAL, Keys
from tests.mcp_gateway.cli.conftest import run

RULES = """\
p, 1, no-refunds, role:user, *, tool/orders/refund, *, , deny,
p, 2, desk, role:user, *, tool/orders/*, *, , allow,
p, 3, boss, ada, *, operation/gateway/*, *, , allow,
"""
CONFIG = """\
[policy]
rules = ["own.csv"]

[identity]
aliases = { ada = "https://login.example.com|8f2c" }

[servers.orders]
connector = "openapi"
url = "http://127.0.0.1:9"
document = "builtin:orders"
grant = { kind = "static", secret = { env = "NONE_OF_TESTS" } }
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "own.csv").write_text(RULES)
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG)
    return path


@pytest.mark.requirement("cli:check")
def test_a_sound_configuration_passes_with_what_is_worth_knowing(config: Path) -> None:
    result = run("check", "--config", str(config))

    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[-1].startswith("ok: 3 rules (")
    assert lines[-1].endswith("), 1 servers")
    assert not [line for line in lines if "no g line" in line]
    assert "warning: servers.orders: the secret NONE_OF_TESTS cannot be read" in result.output


def test_every_secret_that_cannot_be_read_is_worth_knowing(config: Path) -> None:
    more = (
        'client = "c"\nclient_secret = { env = "NO_CLIENT" }\nissuer = "https://idp.example.com"\n'
    )
    issuer = 'issuer = "https://idp.example.com"\naudience = "x"\nclient = "c"\n'
    at_issuer = f'{issuer}client_secret = {{ env = "NO_CLIENT_THERE" }}\n'
    config.write_text(
        CONFIG.replace("[identity]\n", f"[identity]\n{at_issuer}")
        + '[servers.served]\nconnector = "mcp_http"\nurl = "https://up.example.com/mcp"\n'
        + f'[servers.served.grant]\nkind = "service"\n{more}'
        + '[vault]\nkey = { env = "NO_KEY" }\nprevious = [{ env = "NO_OLD_KEY" }]\n'
    )

    said = run("check", "--config", str(config)).output

    assert "warning: servers.served: the secret NO_CLIENT cannot be read" in said
    assert "warning: identity: the secret NO_CLIENT_THERE cannot be read" in said
    assert "warning: vault: the secret NO_KEY cannot be read" in said
    assert "warning: vault: the secret NO_OLD_KEY cannot be read" in said


def test_the_configuration_of_the_data_folder_is_what_is_checked(config: Path) -> None:
    assert run("check", "--data", str(config.parent)).exit_code == 0
    config.write_text("[gateway]\nlisten_on = 1\n")
    assert run("check", "--data", str(config.parent)).exit_code == 1


def test_without_any_file_the_defaults_are_checked(tmp_path: Path) -> None:
    result = run("check", "--data", str(tmp_path))

    assert result.exit_code == 0
    assert result.output.splitlines()[-1].startswith("ok: ")


@pytest.mark.requirement("operations:every-fault-at-once")
def test_every_fault_has_a_line_of_its_own(config: Path) -> None:
    (config.parent / "own.csv").write_text(RULES + "p, x, bad, *, *, */*/*, *, , maybe,\nq\n")
    config.write_text(
        CONFIG.replace('"builtin:orders"', "7") + '[limits]\nprincipal = { default = "often" }\n'
    )
    result = run("check", "--config", str(config))

    assert result.exit_code == 1
    first, limit, *others = result.output.splitlines()
    assert first == "Error: 4 faults:"
    assert limit.startswith("  limits.principal: 'default': 'often' is no limit")
    assert others == [
        "  servers.orders.document: Input should be a valid string",
        "  own.csv:4: the priority 'x' is not a whole number",
        "  own.csv:5: a line begins with p or g, not 'q'",
    ]


def test_one_fault_is_said_as_it_is(config: Path) -> None:
    config.write_text("[gateway]\nlisten_on = 1\n")

    result = run("check", "--config", str(config))
    assert result.output == f"Error: {config}: gateway.listen_on: Extra inputs are not permitted\n"


def test_a_file_that_is_not_there_is_bad_input(tmp_path: Path) -> None:
    result = run("check", "--config", str(tmp_path / "none.toml"))

    assert result.exit_code == 2
    assert "does not exist" in result.output


def explained(config: Path, *words: str) -> tuple[int, str]:
    result = run("explain", "--config", str(config), "--data", str(config.parent), *words)
    return result.exit_code, result.output


@pytest.mark.requirement("cli:explain")
def test_a_denial_names_its_rule_and_ends_with_1(config: Path) -> None:
    code, said = explained(
        config, "--as", "bob", "--role", "user", "tools/call", "tool/orders/refund"
    )

    assert code == 1
    assert said.startswith("DENY  local|bob tools/call tool/orders/refund\n")
    assert "no-refunds (own.csv:1" in said


@pytest.mark.requirement("cli:explain")
def test_an_allow_ends_with_0(config: Path) -> None:
    code, said = explained(
        config, "--as", "bob", "--role", "user", "tools/call", "tool/orders/list"
    )

    assert (code, said.split()[0]) == (0, "ALLOW")


def test_roles_are_those_of_the_subjects_keys_unless_they_are_given(config: Path) -> None:
    words = ("--as", "bob", "tools/call", "tool/orders/list")
    without_store = explained(config, *words)[0]
    database = Database.open(Home(config.parent).database)
    keys = Keys(database)
    key_id, _ = keys.create(
        Principal(LOCAL, "bob", "default", roles=frozenset({"user"})), int(time.time())
    )
    with_key = explained(config, *words)[0]
    of_another_issuer = explained(config, "--as", "https://login.example|bob", *words[2:])[0]
    keys.revoke(key_id, "default", int(time.time()))
    with_revoked = explained(config, *words)[0]
    database.close()

    assert (without_store, with_key, with_revoked) == (1, 0, 1)
    assert of_another_issuer == 1


def test_an_alias_and_a_whole_identity_are_understood(config: Path) -> None:
    target = ("operations/call", "operation/gateway/keys.list")

    assert explained(config, "--as", "ada", *target)[0] == 0
    assert explained(config, "--as", "https://login.example.com|8f2c", *target)[0] == 0
    assert explained(config, "--as", "local|ada", *target)[0] == 1


@pytest.mark.requirement("cli:bad-input-ends-in-words")
@pytest.mark.parametrize("target", ["refund", "tool/orders", "tol/orders/refund", "", "///"])
def test_what_is_no_target_is_bad_input(config: Path, target: str) -> None:
    code, said = explained(config, "--as", "bob", "tools/call", target)

    assert code == 2
    assert "is no target: write kind/server/name" in said

from dataclasses import replace

import pytest

from mcp_gateway.core.decision import Effect, Obligation
from mcp_gateway.core.target import Target
from policies.rule import Rule

RULE = Rule(1, "r", "*", "*", "tool/git*/*", "tools/call", Effect.DENY, frozenset(), "")
ASKING = replace(RULE, obligations=frozenset({Obligation("approval", "boss")}))


def test_a_deny_grants_only_when_it_can_be_approved() -> None:
    assert not RULE.grants
    assert ASKING.asks
    assert ASKING.grants
    assert not replace(ASKING, effect=Effect.ALLOW).asks


def test_a_rule_is_about_its_targets_and_its_action() -> None:
    target = Target("tool", "github", "add")
    assert RULE.matches(target, "tools/call")
    assert replace(RULE, action="*").matches(target, "tools/list")
    assert not RULE.matches(target, "tools/list")
    assert not RULE.matches(replace(target, kind="prompt"), "tools/call")


@pytest.mark.parametrize("server", ["orders", "", "git/hub"])
def test_a_rule_reveals_no_server_that_it_is_not_about(server: str) -> None:
    assert ASKING.reveals("github")
    assert not RULE.reveals("github")
    assert not ASKING.reveals(server)


@pytest.mark.requirement("questions:reveal-nothing")
@pytest.mark.parametrize(
    ("target", "action", "reveals"),
    [
        ("*/*/*", "elicitation/create", False),
        ("tool/*/*", "sampling/createMessage", False),
        ("*/*/*", "roots/list", False),
        ("catalog/*/*", "*", False),
        ("subscription/*/*", "*", False),
        ("*/*/*", "*", True),
        ("*/*/*", "tools/call", True),
        ("task/*/*", "*", False),
        ("prompt/*/*", "*", True),
    ],
)
def test_who_may_be_asked_list_listen_or_wait_everywhere_knows_of_no_server(
    target: str, action: str, *, reveals: bool
) -> None:
    rule = replace(RULE, target=target, action=action, effect=Effect.ALLOW)

    assert rule.reveals("github") is reveals

from pathlib import Path

import pytest

from mcp_gateway.core.target import Target
from policies import explain
from tests.policies.rulebook import load, tool, who

LINES = (
    "p, 10, no-delete, role:dev, acme, tool/github/delete_*, *, , deny,",
    "p, 20, prompts, role:dev, acme, */github/*, prompts/get, , allow,",
    "p, 30, all, role:dev, acme, tool/github/*, tools/call, , allow, confirm",
    "p, 40, lists, *, *, catalog/*/*, *, , allow,",
    "g, alice, role:dev, acme",
)


@pytest.mark.requirement("policy:explained")
def test_it_says_which_rule_why_and_what_was_passed(tmp_path: Path) -> None:
    said = str(explain(load(tmp_path, *LINES), who(), tool("add"), "tools/call"))
    assert said.startswith("ASK  local|alice tools/call tool/github/add")
    assert "rule    all (rules.csv:3, priority 30): role:dev allow" in said
    assert "owing   confirm" in said
    assert "as      role:dev (through local|alice at rules.csv:5)" in said
    assert "tool/github/delete_* does not cover tool/github/add" in said
    assert "it is about prompts/get" in said


@pytest.mark.requirement("policy:explained")
@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("p, 1, r, role:dev, acme, tool/github/*, *, , allow,", "ALLOW"),
        ("p, 1, r, role:dev, acme, tool/github/*, *, , allow, guard:strict", "ALLOW"),
        ("p, 1, r, role:dev, acme, tool/github/*, *, , allow, confirm", "ASK"),
        ("p, 1, r, role:dev, acme, tool/github/*, *, , deny, approval:desk", "ASK"),
        ("p, 1, r, role:dev, acme, tool/github/*, *, , deny,", "DENY"),
    ],
)
def test_what_somebody_has_to_say_yes_to_is_no_plain_allow(
    tmp_path: Path, line: str, word: str
) -> None:
    explained = explain(load(tmp_path, line, LINES[-1]), who(), tool("add"), "tools/call")

    assert explained.word == word
    until = "until it is approved" in str(explained)
    assert until is ("approval:" in line)


def test_a_hidden_denial_is_said_to_be_hidden(tmp_path: Path) -> None:
    explained = explain(load(tmp_path, *LINES), who("eve"), tool("add"), "tools/call")
    assert explained.decided is None
    assert "to them the name does not exist" in str(explained)


def test_a_named_denial_is_not(tmp_path: Path) -> None:
    explained = explain(load(tmp_path, *LINES), who(), tool("delete_all"), "tools/call")
    assert explained.decided
    assert explained.decided.id == "no-delete"
    assert "does not exist" not in str(explained)


def test_it_never_differs_from_the_decision(tmp_path: Path) -> None:
    listing = Target("catalog", "github", "tools/list")
    explained = explain(load(tmp_path, *LINES), who("eve"), listing, "tools/list")
    assert not explained.decision.allowed
    assert explained.decided is None
    assert "it would match" in str(explained)


def test_a_listing_of_no_one_server_is_the_gateways(tmp_path: Path) -> None:
    listing = Target("catalog", "", "tools/list")
    explained = explain(load(tmp_path, *LINES), who("eve"), listing, "tools/list")
    assert explained.decided
    assert explained.target.server == "gateway"

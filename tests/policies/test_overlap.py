import itertools
from pathlib import Path

import pytest

from tests.policies.rulebook import faults, load


def rule(
    id_: str, effect: str, target: str = "tool/a/*", subject: str = "role:dev", **more: str
) -> str:
    tenant, action = more.get("tenant", "acme"), more.get("action", "*")
    priority, owed = more.get("priority", "10"), more.get("owed", "")
    return f"p, {priority}, {id_}, {subject}, {tenant}, {target}, {action}, , {effect}, {owed}"


@pytest.mark.requirement("policy:no-contradictions")
@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    "other",
    [
        rule("b", "deny"),
        rule("b", "deny", subject="*"),
        rule("b", "deny", tenant="*"),
        rule("b", "deny", subject="*", tenant="*"),
        rule("b", "deny", target="*/*/x*"),
        rule("b", "deny", target="t*/*a/*y", action="tools/call"),
        rule("b", "deny", owed="approval:boss"),
    ],
)
def test_one_priority_says_one_thing(tmp_path: Path, other: str, *, swapped: bool) -> None:
    lines = [rule("a", "allow"), other]
    said = faults(tmp_path, *(reversed(lines) if swapped else lines))
    assert said.count("at the same priority 10") == 1


def test_a_deny_and_one_until_approved_contradict_each_other(tmp_path: Path) -> None:
    asking = rule("b", "deny", owed="approval:boss")
    assert "deny until approved" in faults(tmp_path, rule("a", "deny"), asking)


def test_a_tenant_star_and_a_subject_star_meet(tmp_path: Path) -> None:
    one, two = rule("a", "allow", tenant="*"), rule("b", "deny", subject="*")
    assert faults(tmp_path, one, two).count("same priority") == 1


@pytest.mark.parametrize(
    "other",
    [
        rule("b", "deny", priority="11"),
        rule("b", "deny", target="tool/b/*"),
        rule("b", "deny", target="prompt/*/*"),
        rule("b", "deny", subject="role:ops"),
        rule("b", "deny", tenant="else"),
        rule("b", "allow"),
    ],
)
def test_rules_that_do_not_meet_do_not_contradict(tmp_path: Path, other: str) -> None:
    assert load(tmp_path, rule("a", "allow"), other)


def test_different_actions_do_not_meet(tmp_path: Path) -> None:
    one = rule("a", "allow", action="tools/call")
    assert load(tmp_path, one, rule("b", "deny", action="prompts/get"))


@pytest.mark.requirement("policy:warns-of-dead-rules")
@pytest.mark.parametrize(
    "first",
    [
        rule("a", "allow", priority="1"),
        rule("a", "allow", "*/*/*", subject="*", tenant="*", priority="1"),
        rule("a", "allow", "tool/a/x*", priority="1"),
    ],
)
def test_a_rule_behind_one_that_takes_all_is_warned_of(tmp_path: Path, first: str) -> None:
    engine = load(tmp_path, first, rule("b", "deny", "tool/a/xy*"))
    assert [w for w in engine.warnings if "b is never reached: a comes" in w]


@pytest.mark.parametrize("target", ["tool/a/y*", "tool/*/x", "*/a/x", "tool/a/*x"])
def test_a_rule_that_still_decides_something_is_not(tmp_path: Path, target: str) -> None:
    first = rule("a", "allow", "tool/a/x*", priority="1", subject="*")
    engine = load(tmp_path, first, rule("b", "deny", target))
    assert not [w for w in engine.warnings if "never reached" in w]


def test_many_stars_cost_no_more_than_few(tmp_path: Path) -> None:
    one, two = "*a" * 400 + "b*", "*a" * 400 + "c*"
    text = faults(tmp_path, rule("x", "allow", f"tool/s/{one}"), rule("y", "deny", f"tool/s/{two}"))
    assert "same priority" in text


def test_each_pair_is_named_once(tmp_path: Path) -> None:
    subjects, tenants = ("*", "role:dev"), ("*", "acme")
    places = list(itertools.product(subjects, tenants))
    lines = [rule(f"a{i}", "allow", subject=s, tenant=t) for i, (s, t) in enumerate(places)]
    assert faults(tmp_path, *lines, rule("deny", "deny")).count("same priority") == 4

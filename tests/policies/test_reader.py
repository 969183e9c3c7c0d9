from pathlib import Path

import pytest

import policies
from mcp_gateway.core.decision import Obligation
from policies import PolicyError
from policies.reader import read
from tests.policies.rulebook import allowed, faults, load, who

RULE = "p, 10, all, role:dev, acme, tool/github/*, tools/call, , allow,"


@pytest.mark.requirement("policy:strict-reader")
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("q, alice", "begins with p or g"),
        ("p, 10, a, role:dev, acme, tool/x/*, *, , allow", "has 10 fields, this one has 9"),
        ("p, 10, a, role:dev, acme, tool/x/*, *, , allow, , ", "this one has 11"),
        ("g, alice, role:dev", "has 4 fields"),
        ("p, ten, a, role:dev, acme, tool/x/*, *, , allow,", "not a whole number"),
        ("p, \u0661, a, role:dev, acme, tool/x/*, *, , allow,", "not a whole number"),
        ("p, -1, a, role:dev, acme, tool/x/*, *, , allow,", "not a whole number"),
        ("p, 10, , role:dev, acme, tool/x/*, *, , allow,", "the id '' is empty"),
        ("p, 10, a, , acme, tool/x/*, *, , allow,", "the subject '' is empty"),
        ("p, 10, a, role:dev, , tool/x/*, *, , allow,", "the tenant '' is empty"),
        ("p, 10, a, role:, acme, tool/x/*, *, , allow,", "a role has a name"),
        ("p, 10, a, role:d*, acme, tool/x/*, *, , allow,", "is no pattern"),
        ("p, 10, a, role:dev, ac*, tool/x/*, *, , allow,", "is no pattern"),
        ("p, 10, a, role:dev, acme, tool/x/*, tools/*, , allow,", "is no pattern"),
        ("p, 10, a, role:dev, acme, tool/x, *, , allow,", "kind/server/name"),
        ("p, 10, a, role:dev, acme, tol*/x/y, *, , allow,", "no kind 'tol*'"),
        ("p, 10, a, role:dev, acme, tool/x/*, *, , Allow,", "neither allow nor deny"),
        ("p, 10, a, role:dev, acme, tool/x/*, *, args.a < 1, allow,", "not supported"),
        ("p, 10, a, role:dev, acme, tool/x/*, *, , allow, pray", "obligation 'pray'"),
        ("p, 10, a, role:dev, acme, tool/x/*, *, , allow, guard", "obligation 'guard'"),
        ("p, 10, a, role:dev, acme, tool/x/*, *, , allow, confirm:x", "obligation 'confirm:x'"),
        ("g, alice, dev, acme", "the third field is a role"),
        ("g, *, role:dev, acme", "not to everybody"),
        ("g, alice, role:*, acme", "is no pattern"),
    ],
)
def test_a_line_that_is_not_understood_is_an_error(tmp_path: Path, line: str, said: str) -> None:
    text = faults(tmp_path, RULE, line)
    assert said in text
    assert text.startswith("rules.csv:2: ")


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    assert faults(tmp_path, "x", RULE, "y", "g, a").count("rules.csv:") == 3


def test_an_id_stands_once(tmp_path: Path) -> None:
    assert "stands at rules.csv:1 already" in faults(tmp_path, RULE, RULE)


@pytest.mark.requirement("policy:strict-reader")
def test_an_empty_policy_is_an_error(tmp_path: Path) -> None:
    assert "no rule" in faults(tmp_path, "# nothing")


def test_a_file_that_is_missing_or_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"# \xe9\n")
    with pytest.raises(PolicyError) as caught:
        policies.load([tmp_path / "none.csv", tmp_path / "latin.csv"])
    assert len(caught.value.faults) == 2


@pytest.mark.requirement("policy:a-line-is-what-it-looks-like")
@pytest.mark.parametrize("smuggled", ["\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\x1e", "\r"])
def test_a_rule_behind_a_comment_is_refused_and_not_read(tmp_path: Path, smuggled: str) -> None:
    line = f"# note{smuggled}p, 1, evil, *, *, */*/*, *, , allow,"
    assert "cannot be seen" in faults(tmp_path, RULE, line)


def test_lines_may_end_as_on_windows(tmp_path: Path) -> None:
    assert allowed(load(tmp_path, RULE + "\r", "# x\r", "\r"), who("a", "dev"), "tool/github/x")


def test_a_bare_name_is_local_and_an_alias_stands_for_an_identity(tmp_path: Path) -> None:
    lines = ("g, bob, role:dev, acme", "g, https://idp|carol, role:dev, acme", RULE)
    file = tmp_path / "rules.csv"
    file.write_text("\n".join([*lines, "g, dora, role:dev, acme"]))
    found = read([file], {"dora": "https://idp|4711"})
    members = [link.member for link in found.links]
    assert members == ["local|bob", "https://idp|carol", "https://idp|4711"]


@pytest.mark.parametrize("identity", ["*", "role:admin", "dora", "|dora", "idp|", "role:a|b"])
def test_an_alias_is_a_person_and_never_a_role_or_everybody(tmp_path: Path, identity: str) -> None:
    assert "no issuer|subject" in faults(tmp_path, RULE, aliases={"dora": identity})


def test_a_guard_is_owed_on_both_sides(tmp_path: Path) -> None:
    engine = load(tmp_path, RULE + " guard:strict keep:arguments")
    assert engine.rules.rules[0].obligations == {
        Obligation("guard", "strict"),
        Obligation("guard", "strict", "result"),
        Obligation("keep", "arguments"),
    }


def test_rules_are_sorted_by_priority_and_then_by_place(tmp_path: Path) -> None:
    lines = [RULE.replace("10, all", f"{p}, {i}") for p, i in [(20, "c"), (3, "a"), (20, "d")]]
    found = load(tmp_path, *lines).rules.rules
    assert [rule.id for rule in found] == ["a", "c", "d"]
    assert [rule.order for rule in found] == [0, 1, 2]


def test_the_digest_is_over_rules_their_files_and_aliases(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text(RULE + "\n")
    two.write_text("# more\n")
    assert read([one, two], {}).digest == read([one, two], {}).digest
    changed = {read([one], {}).digest, read([one, two], {}).digest, read([two, one], {}).digest}
    assert len(changed | {read([one], {"a": "b|c"}).digest}) == 4

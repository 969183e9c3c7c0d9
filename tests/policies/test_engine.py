import time
from pathlib import Path

import pytest

from mcp_gateway.core.decision import Obligation
from mcp_gateway.core.target import Target
from policies import PolicyError
from policies import load as load_files
from policies.engine import LONGEST_REMEMBERED, MODEL
from policies.index import MOST_SUBJECTS
from tests.policies.rulebook import allowed, load, tool, who
from tests.support.calls import ALICE, call, resolved

ALLOW = "p, 20, all, role:dev, acme, tool/github/*, tools/call, , allow,"
DENY = "p, 10, no-delete, role:dev, acme, tool/github/delete_*, *, , deny,"


@pytest.mark.requirement("policy:first-match-decides")
def test_the_first_rule_that_matches_decides_wherever_it_stands(tmp_path: Path) -> None:
    engine = load(tmp_path, ALLOW, DENY)
    denied = engine.decide_for(who("a", "dev"), tool("delete_repo"), "tools/call")
    assert (denied.allowed, denied.rule, denied.named) == (False, "no-delete", True)
    assert engine.decide_for(who("a", "dev"), tool("add"), "tools/call").rule == "all"


@pytest.mark.requirement("policy:default-deny")
@pytest.mark.parametrize(
    ("name", "role", "tenant", "target", "action"),
    [
        ("a", "ops", "acme", "tool/github/add", "tools/call"),
        ("a", "dev", "else", "tool/github/add", "tools/call"),
        ("a", "dev", "acme", "tool/orders/add", "tools/call"),
        ("a", "dev", "acme", "tool/github/add", "tools/other"),
        ("a", "role:dev", "acme", "tool/github/add", "tools/call"),
        ("role:dev", "", "acme", "tool/github/add", "tools/call"),
    ],
)
def test_no_match_denies(
    tmp_path: Path, name: str, role: str, tenant: str, target: str, action: str
) -> None:
    engine = load(tmp_path, ALLOW)
    assert not allowed(engine, who(name, role, tenant=tenant), target, action)


def test_a_call_is_decided_by_its_principal_target_and_method(tmp_path: Path) -> None:
    engine = load(tmp_path, ALLOW)
    assert engine.decide(resolved()).rule == "all"
    assert not engine.decide(resolved(method="prompts/get")).allowed
    assert not engine.decide(call()).allowed


@pytest.mark.requirement("policy:named-or-hidden")
@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ("tool/github/other, tools/call, , allow,", True),
        ("tool/github/other, tools/call, , deny, approval:boss", True),
        ("prompt/git*/x, *, , allow,", True),
        ("*/*/x, *, , allow,", True),
        ("c*/github/*, *, , allow,", False),
        ("catalog/*/*, *, , allow,", False),
        ("tool/github/other, tools/call, , deny,", False),
        ("tool/orders/*, tools/call, , allow,", False),
    ],
)
def test_only_an_allow_beside_listings_reveals_a_server(
    tmp_path: Path, rule: str, *, named: bool
) -> None:
    engine = load(tmp_path, f"p, 5, r, role:dev, acme, {rule}")
    assert engine.decide_for(who("a", "dev"), tool("add"), "tools/call").named is named


def test_a_listing_of_a_server_is_denied_to_who_may_use_nothing_there(tmp_path: Path) -> None:
    lists = "p, 1, lists, *, *, catalog/*/*, *, , allow,"
    engine = load(tmp_path, lists, ALLOW)
    listing = Target("catalog", "github", "tools/list")
    assert engine.decide_for(who("a", "dev"), listing, "tools/list").allowed
    denied = engine.decide_for(who("a"), listing, "tools/list")
    assert (denied.allowed, denied.rule, denied.named) == (False, "", False)


def test_a_listing_of_no_one_server_is_the_gateways(tmp_path: Path) -> None:
    engine = load(tmp_path, "p, 1, lists, *, *, catalog/gateway/*, *, , allow,")
    for server in ("", "gateway"):
        target = Target("catalog", server, "tools/list")
        assert engine.decide_for(who(), target, "tools/list").allowed
        assert engine.prospect(call("tools/list"), target) == "allow"


@pytest.mark.requirement("policy:obligations")
def test_a_deny_that_owes_an_approval_is_an_allow_that_owes_it(tmp_path: Path) -> None:
    engine = load(tmp_path, ALLOW.replace("allow,", "deny, approval:boss"))
    decision = engine.decide_for(who("a", "dev"), tool("add"), "tools/call")
    assert decision.allowed
    assert Obligation("approval", "boss") in decision.obligations


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("allow,", "allow"),
        ("allow, guard:strict", "allow"),
        ("allow, confirm", "depends"),
        ("deny, approval:boss", "depends"),
        ("deny,", "deny"),
    ],
)
def test_a_prospect_says_what_would_be_decided(tmp_path: Path, end: str, expected: str) -> None:
    engine = load(tmp_path, f"p, 1, r, role:dev, acme, tool/github/*, tools/call, , {end}")
    assert engine.prospect(call("tools/list"), tool("add")) == expected


def test_a_template_is_listed_to_who_may_read_what_it_gives(tmp_path: Path) -> None:
    read = "p, 1, r, role:dev, acme, resource/github/*, resources/read, , allow,"
    template = Target("template", "github", "repo://{path}")
    asked = call("resources/templates/list")
    assert load(tmp_path, read).prospect(asked, template) == "allow"
    other = read.replace("resource/github", "template/github")
    assert load(tmp_path, other).prospect(asked, template) == "deny"


@pytest.mark.requirement("policy:too-many-roles-deny")
def test_a_principal_with_more_roles_than_are_followed_may_do_nothing(tmp_path: Path) -> None:
    anybody = "p, 1, anybody, *, *, */*/*, *, , allow,"
    engine = load(tmp_path, anybody, ALLOW)
    assert allowed(engine, who("a", "dev"), "tool/github/add")
    many = who("a", "dev", *(str(n) for n in range(MOST_SUBJECTS + 1)))
    decision = engine.decide_for(many, tool("add"), "tools/call")
    assert not decision.allowed
    assert not decision.named


def test_a_decision_is_remembered_for_the_whole_principal(tmp_path: Path) -> None:
    engine = load(tmp_path, ALLOW)
    first = engine.decide_for(who("a", "dev"), tool("add"), "tools/call")
    assert engine.decide_for(who("a", "dev"), tool("add"), "tools/call") is first
    assert not engine.decide_for(who("a"), tool("add"), "tools/call").allowed


def test_long_names_are_decided_and_not_kept(tmp_path: Path) -> None:
    engine = load(tmp_path, ALLOW)
    long = tool("x" * (LONGEST_REMEMBERED + 1))
    assert engine.decide_for(who("a", "dev"), long, "tools/call").allowed
    assert not engine._decisions


@pytest.mark.requirement("policy:listings-are-quick")
@pytest.mark.parametrize("name", ["tool_{}", "tool_{}*", "*_{}", "tool_*{}*"])
def test_two_hundred_tools_at_a_thousand_rules_take_under_20_ms_cold(
    tmp_path: Path, name: str
) -> None:
    engine = load(
        tmp_path,
        *(
            f"p, {n}, r{n}, role:dev, acme, tool/github/{name.format(n)}, *, , deny,"
            for n in range(1000)
        ),
    )
    listing, targets = call("tools/list"), [tool(f"tool_{n + 10_000}x") for n in range(200)]
    spent = []
    for _ in range(3):
        for memo in (engine._decisions, engine._subjects, engine._candidates):
            memo.clear()
        before = time.process_time()
        for target in targets:
            engine.prospect(listing, target)
        spent.append(time.process_time() - before)
    assert min(spent) < 0.02


def test_the_model_is_the_one_that_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "rules.csv").write_text(ALLOW)
    same, other = tmp_path / "same.conf", tmp_path / "other.conf"
    text = MODEL.read_text("utf-8")
    same.write_text(f"# another comment\n{text}")
    other.write_text(text.replace("|| deny", "|| allow"))
    assert load_files([tmp_path / "rules.csv"], model=same).decide_for(
        ALICE, tool("a"), "tools/call"
    )
    with pytest.raises(PolicyError, match="matcher is not"):
        load_files([tmp_path / "rules.csv"], model=other)

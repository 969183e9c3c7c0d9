"""The engine against stock Casbin, which reads the same model and the same file."""

import tempfile
from pathlib import Path
from typing import Any

import casbin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_gateway.core.patterns import covers
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Kind, Target
from policies import Engine, PolicyError
from policies.engine import MODEL
from tests.policies.rulebook import load

TENANTS = ["acme", "else"]
ROLES = ["a", "b", "c"]
SUBJECTS = ["*", "local|alice", "local|bob", *(f"role:{role}" for role in ROLES)]
ACTIONS = ["tools/call", "resources/read"]
KINDS: list[Kind] = ["tool", "resource", "catalog"]
PATTERNS = st.tuples(
    st.sampled_from(["tool", "resource", "*", "t*"]),
    st.sampled_from(["gateway", "x", "*", "x*", "*y"]),
    st.sampled_from(["ab", "a*", "*b", "*", "a*b", "*/*", "b*b*"]),
).map("/".join)
EFFECTS = st.sampled_from(["allow,", "deny,", "deny, approval:boss", "allow, confirm"])
RULES = st.tuples(
    st.sampled_from(SUBJECTS),
    st.sampled_from(["*", *TENANTS]),
    PATTERNS,
    st.sampled_from(["*", *ACTIONS]),
    EFFECTS,
)
LINKS = st.tuples(
    st.sampled_from(SUBJECTS[1:]),
    st.sampled_from([f"role:{role}" for role in ROLES]),
    st.sampled_from(["*", *TENANTS]),
)
PRINCIPALS = st.builds(
    Principal,
    issuer=st.just("local"),
    subject=st.sampled_from(["alice", "bob", "eve"]),
    tenant=st.sampled_from(TENANTS),
    roles=st.sets(st.sampled_from(ROLES), max_size=2).map(frozenset),
)
TARGETS = st.builds(
    Target,
    kind=st.sampled_from(KINDS),
    server=st.sampled_from(["gateway", "x", "xy"]),
    name=st.sampled_from(["ab", "a", "b", "abb", "a/b", "bab", "a\nb"]),
)
QUESTIONS = st.lists(st.tuples(PRINCIPALS, TARGETS, st.sampled_from(ACTIONS)), min_size=20)


def stock(file: Path, *, ours: bool = True) -> Any:
    """Casbin as it comes; with `ours`, the functions that the model calls, and `*` tenants."""
    enforcer = casbin.Enforcer(str(MODEL), str(file))
    enforcer.logger.disabled = True
    if ours:
        enforcer.add_function("covers", covers)
        enforcer.add_function("when", lambda _context, when: when == "")
        enforcer.add_named_domain_matching_func("g", lambda asked, held: held in ("*", asked))
    return enforcer


def asked(enforcer: Any, who: Principal, target: Target, action: str) -> tuple[bool, str]:
    """Whether stock Casbin allows, and by which rule. Roles of a token are links for a moment."""
    brought = [(who.identity, f"role:{role}", who.tenant) for role in sorted(who.roles)]
    added = [link for link in brought if enforcer.model.add_policy("g", "g", list(link))]
    # Built anew: taking one link away also forgets the same link of the tenant `*`.
    enforcer.build_role_links()
    allows, rule = enforcer.enforce_ex(who.identity, who.tenant, target, action, {})
    for link in added:
        enforcer.model.remove_policy("g", "g", list(link))
    return allows, rule[1] if rule else ""


def agree(engine: Engine, enforcer: Any, question: tuple[Principal, Target, str]) -> None:
    who, target, action = question
    decision = engine.decide_for(who, target, action)
    allows, rule = asked(enforcer, who, target, action)
    if target.kind == "catalog" and target.server != "gateway" and not decision.named:
        assert not decision.allowed
        return
    assert decision.rule == rule
    asks = any(o.name == "approval" for o in decision.obligations)
    assert (decision.allowed and not asks) == allows


@pytest.mark.requirement("policy:equal-to-casbin")
@settings(max_examples=150, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=12), st.lists(LINKS, max_size=5), QUESTIONS)
def test_the_engine_decides_as_stock_casbin_does(
    rules: list[tuple[str, ...]], links: list[tuple[str, ...]], questions: list[Any]
) -> None:
    lines = [
        f"p, {100 - 7 * place % 100}, r{place}, {subject}, {tenant}, {target}, {action}, , {end}"
        for place, (subject, tenant, target, action, end) in enumerate(rules)
    ]
    lines += [f"g, {', '.join(link)}" for link in links]
    with tempfile.TemporaryDirectory() as folder:
        try:
            engine = load(Path(folder), *lines)
        except PolicyError as error:
            # Only chance has made a cycle; any other fault is one of this test's.
            if not all("contains itself" in fault for fault in error.faults):
                raise
            return
        enforcer = stock(Path(folder) / "rules.csv")
    for question in questions:
        agree(engine, enforcer, question)


@pytest.mark.requirement("policy:casbin-alone-never-allows")
@settings(max_examples=25, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=8), QUESTIONS)
def test_casbin_without_our_functions_never_allows(
    rules: list[tuple[str, ...]], questions: list[Any]
) -> None:
    lines = [f"p, {n}, r{n}, {', '.join(r[:4])}, , {r[4]}" for n, r in enumerate(rules)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rules.csv"
        file.write_text("\n".join(lines))
        enforcer = stock(file, ours=False)
    for who, target, action in questions:
        try:
            allows, _ = asked(enforcer, who, target, action)
        except Exception as error:  # noqa: BLE001  # whatever Casbin raises, it has not allowed
            refused = str(error)
        else:
            refused = "" if allows else "covers"
        assert "covers" in refused

from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.decision import Effect
from mcp_gateway.core.target import Target
from policies.byname import ByName
from policies.rule import Rule

GLOBS = st.text("ab*", min_size=1, max_size=5)
NAMES = st.text("ab", max_size=6)


def rules(globs: list[str]) -> list[Rule]:
    return [
        Rule(1, f"r{n}", "*", "*", f"tool/s/{glob}", "*", Effect.ALLOW, frozenset(), "", n)
        for n, glob in enumerate(globs)
    ]


@given(st.lists(GLOBS, max_size=12), NAMES)
def test_it_finds_what_a_scan_of_all_rules_finds(globs: list[str], name: str) -> None:
    target = Target("tool", "s", name)
    scanned = next((r for r in rules(globs) if r.matches(target, "x")), None)
    assert ByName(rules(globs)).first(target, "x") == scanned


@given(st.lists(GLOBS, max_size=12), GLOBS)
def test_no_rule_that_contains_a_name_is_left_out(globs: list[str], name: str) -> None:
    narrow = rules([name])[0].pattern.name
    containing = {r.id for r in rules(globs) if r.pattern.name.contains(narrow)}
    assert containing <= {r.id for r in ByName(rules(globs)).containing(narrow)}

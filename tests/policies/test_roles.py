import itertools
from pathlib import Path

import pytest

from policies.roles import DEEPEST
from tests.policies.rulebook import allowed, faults, load, who

RULE = "p, 10, all, role:top, *, tool/github/*, tools/call, , allow,"


@pytest.mark.requirement("policy:no-cycles")
@pytest.mark.parametrize(
    "links",
    [
        ["g, role:a, role:a, acme"],
        ["g, role:a, role:b, acme", "g, role:b, role:a, acme"],
        ["g, role:a, role:b, acme", "g, role:b, role:a, *"],
        ["g, role:a, role:b, *", "g, role:b, role:c, acme", "g, role:c, role:a, acme"],
    ],
)
def test_a_role_does_not_contain_itself(tmp_path: Path, links: list[str]) -> None:
    assert "contains itself" in faults(tmp_path, RULE, *links)


def test_links_of_different_tenants_make_no_cycle(tmp_path: Path) -> None:
    assert load(tmp_path, RULE, "g, role:a, role:b, acme", "g, role:b, role:a, else")


def chain(length: int) -> list[str]:
    names = ["alice", *(f"role:{n}" for n in range(length - 1)), "role:top"]
    return [f"g, {a}, {b}, acme" for a, b in itertools.pairwise(names)]


def test_roles_are_followed_to_the_end(tmp_path: Path) -> None:
    assert allowed(load(tmp_path, RULE, *chain(DEEPEST)), who(), "tool/github/x")


def test_a_chain_that_some_casbin_would_cut_is_an_error(tmp_path: Path) -> None:
    assert "deep" in faults(tmp_path, RULE, *chain(DEEPEST + 1))


def test_a_role_that_no_line_gives_is_worth_a_word(tmp_path: Path) -> None:
    other = "g, bob, role:other, acme"
    assert "role:top" in str(load(tmp_path, RULE, other).warnings)
    assert "role:top" not in str(load(tmp_path, RULE).warnings)
    assert "role:top" not in str(load(tmp_path, RULE, "g, bob, role:top, acme").warnings)

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.patterns import Glob, covers, fault, specificity
from mcp_gateway.core.target import NOWHERE, Target
from tests.support.calls import ADD, DELETE

NAMES = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=1)
SERVERS = st.from_regex(r"[a-z0-9_-]{1,12}", fullmatch=True)


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        ("tool/github/delete_repo", True),
        ("tool/github/delete_*", True),
        ("tool/github/*", True),
        ("tool/*/delete_repo", True),
        ("*/*/*", True),
        ("tool/git*/*_repo", True),
        ("tool/github/delete", False),
        ("tool/github/Delete_repo", False),
        ("tool/github/xdelete_*", False),
        ("prompt/github/*", False),
        ("tool/orders/*", False),
        ("tool/git/*", False),
    ],
)
def test_a_pattern_covers_its_targets(pattern: str, *, covered: bool) -> None:
    assert covers(DELETE, pattern) is covered


@given(SERVERS, NAMES)
def test_a_target_without_stars_covers_itself_and_no_sibling(server: str, name: str) -> None:
    target = Target("tool", server, name)
    assert covers(target, str(target))
    assert not covers(Target("tool", server, name + "x"), str(target))
    assert not covers(Target("tool", server + "x", name), str(target))


@pytest.mark.requirement("policy:nothing-covers-nowhere")
@given(st.sampled_from(["*/*/*", "none//", "n*/*/*", "*//*", "none/*/*"]))
def test_nothing_covers_a_call_without_a_target(pattern: str) -> None:
    assert not covers(NOWHERE, pattern)


def test_a_star_stays_within_its_part_and_only_names_hold_slashes() -> None:
    deep = Target("resource", "files", "file:///a/b")
    assert covers(deep, "resource/files/file:///*")
    assert covers(deep, "resource/files/*/b")
    assert not covers(Target("tool", "a", "b/c"), "tool/*/c")


def test_a_dot_and_a_bracket_mean_themselves() -> None:
    assert not covers(ADD, "tool/github/a.d")
    assert not covers(ADD, "tool/github/[a-z]dd")


def test_a_newline_in_a_name_does_not_end_it() -> None:
    assert covers(Target("tool", "s", "a\nb"), "tool/s/a*")
    assert not covers(Target("tool", "s", "a\n"), "tool/s/a")


@pytest.mark.parametrize(
    "pattern", ["", "tool", "tool/github", "tool//x", "/github/x", "tool/github/", "tol/github/x"]
)
def test_what_is_no_pattern_is_said_in_words(pattern: str) -> None:
    assert fault(pattern)


@pytest.mark.parametrize(
    "hidden",
    [" ", "\t", "\n", ",", '"', "'", "\x00", "\x7f", "\x85", "\xa0", "\u200b", "\u202e", "\u2028"],
)
def test_a_pattern_holds_nothing_that_a_file_would_hide(hidden: str) -> None:
    assert "blanks" in fault(f"tool/github/a{hidden}b")


@pytest.mark.parametrize("kind", ["none", "non*", "to*x", "Tool", "*tools*"])
def test_a_kind_that_is_none_of_the_kinds_cannot_be_written(kind: str) -> None:
    assert fault(f"{kind}/a/b") == f"there is no kind {kind!r}"


@pytest.mark.parametrize("pattern", ["tool/github/*", "*/*/*", "t*/x/y", "resource/a/b/c/d"])
def test_a_pattern_without_fault_has_none(pattern: str) -> None:
    assert fault(pattern) == ""


def test_the_more_is_fixed_the_more_specific() -> None:
    ranked = sorted(["*/*/*", "tool/github/*", "tool/github/add", "tool/*/*"], key=specificity)
    assert ranked == ["*/*/*", "tool/*/*", "tool/github/*", "tool/github/add"]


GLOBS = st.text("ab*", max_size=7)
TEXTS = st.text("ab", max_size=8)


@given(GLOBS, TEXTS)
def test_a_star_is_any_run_and_all_else_is_itself(glob: str, text: str) -> None:
    assert Glob(glob).matches(text) is bool(re.fullmatch(glob.replace("*", ".*"), text))
    assert Glob(glob).needle in text or not Glob(glob).matches(text)


@given(GLOBS, GLOBS, TEXTS)
def test_two_patterns_that_share_a_text_meet(one: str, other: str, text: str) -> None:
    left, right = Glob(one), Glob(other)
    assert left.meets(right) is right.meets(left)
    if left.matches(text) and right.matches(text):
        assert left.meets(right)
    if left.contains(right) and right.matches(text):
        assert left.matches(text)


@given(GLOBS, GLOBS)
def test_two_patterns_that_meet_share_a_text(one: str, other: str) -> None:
    left, right = Glob(one), Glob(other)
    shared = [_longer(left.prefix, right.prefix), *one.split("*"), *other.split("*")]
    joined = "".join([*shared, _longer(left.suffix, right.suffix)])
    texts = (joined, one, other)
    assert left.meets(right) is any(left.matches(t) and right.matches(t) for t in texts)


def _longer(one: str, other: str) -> str:
    return max(one, other, key=len)


def test_a_hostile_pattern_and_name_cost_no_more_than_their_length() -> None:
    target = Target("tool", "s", "a" * 20_000)
    before = time.process_time()
    assert not covers(target, "tool/s/" + "*a" * 200 + "*b*")
    assert not covers(target, "tool/s/" + "*a" * 200 + "b")
    assert time.process_time() - before < 0.2


def test_a_star_reaches_no_slash_in_a_servers_name() -> None:
    assert not covers(Target("tool", "a/b", "c"), "tool/*/c")

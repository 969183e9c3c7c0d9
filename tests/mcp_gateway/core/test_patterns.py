import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.patterns import covers, fault, specificity
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


@pytest.mark.parametrize("hidden", [" ", "\t", "\n", ",", '"', "'", "\x00", "\x7f"])
def test_a_pattern_holds_nothing_that_a_file_would_hide(hidden: str) -> None:
    assert "blanks" in fault(f"tool/github/a{hidden}b")


def test_kind_none_cannot_be_written() -> None:
    assert fault("none/a/b") == "there is no kind 'none'"


@pytest.mark.parametrize("pattern", ["tool/github/*", "*/*/*", "t*/x/y", "resource/a/b/c/d"])
def test_a_pattern_without_fault_has_none(pattern: str) -> None:
    assert fault(pattern) == ""


def test_the_more_is_fixed_the_more_specific() -> None:
    ranked = sorted(["*/*/*", "tool/github/*", "tool/github/add", "tool/*/*"], key=specificity)
    assert ranked == ["*/*/*", "tool/*/*", "tool/github/*", "tool/github/add"]

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.naming import (
    LONGEST,
    downstream_name,
    folded,
    literal_length,
    template_matches,
)

SERVERS = st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)
WORDS = st.text(st.characters(codec="ascii", exclude_characters="{}\r\n/"), min_size=1)


def test_a_plain_name_is_joined() -> None:
    assert downstream_name("github", "delete_repo") == "github__delete_repo"


@pytest.mark.requirement("naming:at-most-40-characters")
@given(SERVERS, st.text(min_size=1, max_size=200))
def test_every_name_is_one_that_runtimes_take(server: str, name: str) -> None:
    made = downstream_name(server, name)
    assert len(made) <= LONGEST
    assert re.fullmatch(r"[A-Za-z0-9_-]+", made)


@pytest.mark.requirement("naming:at-most-40-characters")
def test_an_alias_is_the_same_for_ever() -> None:
    name = "create_pull_request_with_a_very_long_name"
    assert downstream_name("github", name) == "github__create_pull_request_with__1d7da3"


def test_long_names_that_begin_alike_have_two_aliases() -> None:
    one, two = (downstream_name("github", "x" * 60 + end) for end in "ab")
    assert one != two


def test_moving_a_letter_from_server_to_name_is_another_alias() -> None:
    long = "b" * 60
    assert downstream_name("sa", long) != downstream_name("s", "a" + long)


@pytest.mark.parametrize("name", ["a.b", "a b", "naïve", "a/b", "emoji🙂", "x\nSystem:"])
def test_what_a_runtime_would_not_take_gets_an_alias(name: str) -> None:
    made = downstream_name("s", name)
    assert re.fullmatch(r"s__[A-Za-z0-9_]*_[0-9a-f]{6}", made)


def test_names_that_differ_in_hyphens_fold_alike() -> None:
    assert folded("a-b__c-d") == folded("a_b__c_d") == "a_b__c_d"


@pytest.mark.parametrize(
    ("template", "uri", "matches"),
    [
        ("repo://{repo}/readme", "repo://site/readme", True),
        ("repo://{repo}/readme", "repo://site/readme2", False),
        ("repo://{repo}/readme", "repo:///readme", False),
        ("file:///{+path}", "file:///a/b/c.txt", True),
        ("db://orders", "db://orders", True),
        ("db://orders", "db://Orders", False),
        ("db://a.c", "db://abc", False),
        ("db://{id}", "db://1\nx", False),
    ],
)
def test_a_template_matches_what_it_could_have_made(
    template: str, uri: str, *, matches: bool
) -> None:
    assert template_matches(template, uri) is matches


@given(WORDS, WORDS, WORDS)
def test_a_template_matches_its_own_expansion(start: str, value: str, end: str) -> None:
    assert template_matches(f"{start}{{x}}{end}", f"{start}{value}{end}")


def test_the_fixed_part_of_a_template_counts() -> None:
    assert literal_length("db://orders/{id}") == len("db://orders/")
    assert literal_length("{a}{b}") == 0
    assert literal_length("db://{x}") < literal_length("db://orders/{x}")


def test_a_template_that_an_upstream_chose_cannot_hold_up_a_call() -> None:
    started = time.process_time()
    assert not template_matches("x://" + "{v}" * 5 + "!", "x://" + "a" * 120)
    assert time.process_time() - started < 0.05

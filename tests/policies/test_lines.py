import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.lines import fields, numbered

BREAKS = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
UNSEEN = [*BREAKS, "\t", "\x00", "\x7f", "\xa0", "\xad", "\u200b", "\u200d", "\u202e", "\u2066"]
BLANKS = ["\u3000", "\ufeff", "\u3164", "\ufe0f", "\u2800", "\U000e0041", "\U000e0101", "\ue000"]


def test_only_a_line_feed_ends_a_line_and_a_carriage_return_may_come_before_it() -> None:
    assert list(numbered("a\r\nb\nc\x0bd\u2028e")) == [(1, "a"), (2, "b"), (3, "c\x0bd\u2028e")]


@pytest.mark.requirement("policy:a-line-is-what-it-looks-like")
@pytest.mark.parametrize("character", UNSEEN + BLANKS)
def test_what_cannot_be_seen_may_not_stand_in_a_rule(character: str) -> None:
    with pytest.raises(ValueError, match=f"U\\+{ord(character):04X}"):
        fields(f"g, alice, role:ad{character}min, acme")


@pytest.mark.requirement("policy:a-line-is-what-it-looks-like")
@pytest.mark.parametrize("character", [*BREAKS, "\u202e", "\u2067", "\x1b", "\u200f"])
def test_a_comment_smuggles_no_line(character: str) -> None:
    with pytest.raises(ValueError, match="cannot be seen"):
        fields(f"# harmless{character}g, alice, role:admin, *")


@pytest.mark.parametrize("line", ["", "   ", "# a comment", "  # ünïcode, 日本 and 👩‍💻", "\t# so"])
def test_comments_and_blank_lines_have_no_fields(line: str) -> None:
    assert fields(line) == []


def test_a_byte_order_mark_is_told_by_its_number() -> None:
    with pytest.raises(ValueError, match=r"U\+FEFF"):
        fields("\ufeff# rules")


@pytest.mark.parametrize("bracket", "()[]")
def test_no_bracket_hides_a_comma_from_another_reader(bracket: str) -> None:
    with pytest.raises(ValueError, match="brackets"):
        fields(f"p, 1, a{bracket}, b")


@given(st.text(st.characters(exclude_characters="\n"), max_size=40))
def test_what_is_read_is_all_printable_and_nothing_is_lost(line: str) -> None:
    try:
        found = fields(line)
    except ValueError:
        return
    assert all(field.isprintable() for field in found)
    if found:
        assert "".join(found).replace(" ", "") == line.replace(" ", "").replace(",", "")

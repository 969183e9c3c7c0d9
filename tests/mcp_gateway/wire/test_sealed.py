import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.wire.sealed import Seal

SEAL = Seal(b"k" * 32)
CONTENT = b'{"state":"of the upstream"}'


@given(st.binary(max_size=300))
def test_what_was_sealed_is_opened_again(content: bytes) -> None:
    assert SEAL.open("state", SEAL.close("state", content)) == content


def test_the_text_says_nothing_of_what_is_in_it_and_is_never_the_same() -> None:
    first, second = SEAL.close("state", CONTENT), SEAL.close("state", CONTENT)

    assert first != second
    assert first[:16] != second[:16]
    assert first.isascii()
    assert not set(first) & set("+/= ")


@pytest.mark.requirement("handles:altered-by-one-bit")
def test_a_text_that_was_altered_in_one_place_is_refused_whichever_it_is() -> None:
    text = SEAL.close("state", CONTENT)

    for place, letter in enumerate(text):
        other = "A" if letter != "A" else "B"
        with pytest.raises(ValueError, match=r"\S"):
            SEAL.open("state", text[:place] + other + text[place + 1 :])


@pytest.mark.requirement("handles:altered-by-one-bit")
@pytest.mark.parametrize(
    "written",
    [
        "{}=",
        "{}==",
        "{}\n",
        " {}",
        "{}AAAA",
        "{}!!!!",
        "{}=AAAA",
    ],
)
def test_the_same_text_written_in_another_way_is_refused(written: str) -> None:
    """Python's decoder passes over what it does not know, and over all behind the padding."""
    text = SEAL.close("state", CONTENT)

    with pytest.raises(ValueError, match=r"\S"):
        SEAL.open("state", written.format(text))


@pytest.mark.requirement("handles:altered-by-one-bit")
@given(st.text(max_size=200))
def test_no_other_text_is_opened(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        SEAL.open("state", text)


def test_another_key_and_another_purpose_open_nothing() -> None:
    text = SEAL.close("state", CONTENT)

    for seal, purpose in ((Seal(b"o" * 32), "state"), (SEAL, "task")):
        with pytest.raises(ValueError, match="not sealed here"):
            seal.open(purpose, text)

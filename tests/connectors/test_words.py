"""Last words: bounded, in one line each, and without what must not be told."""

import asyncio
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.words import LINE, LINES, READ, LastWords, drain


def said(*chunks: bytes, secrets: tuple[str, ...] = ()) -> list[str]:
    words = LastWords("up", secrets)
    for chunk in chunks:
        words.feed(chunk)
    words.end()
    return str(words).splitlines()


def test_the_last_lines_are_kept() -> None:
    lines = [f"line {n}" for n in range(100)]

    assert said("\n".join(lines).encode()) == lines[-LINES:]


@given(st.lists(st.binary(max_size=30), max_size=8))
def test_any_cut_reads_the_same(chunks: list[bytes]) -> None:
    assert said(*chunks) == said(b"".join(chunks))


@given(st.binary(max_size=2000))
def test_whatever_is_said_is_printable_lines_within_bounds(raw: bytes) -> None:
    lines = said(raw)

    assert len(lines) <= LINES
    assert all(line.isprintable() and line and len(line) <= LINE for line in lines)


def test_a_line_without_an_end_is_cut_and_what_follows_is_dropped() -> None:
    lines = said(b"x" * READ, b"y" * READ, b"z" * 100_000 + b"\nnext\n")

    assert lines == ["x" * LINE, "next"]


@pytest.mark.requirement("children:last-words")
def test_a_secret_is_hidden_wherever_it_was_cut() -> None:
    for cut in range(1, 30):
        raw = b"password is hunter2hunter2, sorry\n"
        assert said(raw[:cut], raw[cut:], secrets=("hunter2hunter2",)) == [
            "password is [hidden], sorry"
        ]


@pytest.mark.requirement("children:last-words")
def test_a_secret_of_several_lines_is_hidden_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nAA\n-----END KEY-----"

    assert said(f"the key {key} is bad".encode(), secrets=(key,)) == [
        "the key [hidden]",
        "[hidden]",
        "AA",
        "[hidden] is bad",
    ]


@pytest.mark.requirement("children:last-words")
def test_the_longer_of_two_secrets_is_hidden_whole() -> None:
    assert said(b"abcdefghij", secrets=("abcdef", "abcdefghij")) == ["[hidden]"]


def test_values_that_occur_in_any_text_are_not_hidden() -> None:
    assert said(b"1 is 1 of us", secrets=("1", "us", "")) == ["1 is 1 of us"]


def test_no_line_can_pass_for_one_of_the_logs_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    said(b"a\rERROR forged\x1b[31m\n")

    assert caplog.messages == ["up: a ERROR forged [31m"]


async def test_a_stream_is_read_to_its_end() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"one\ntwo")
    reader.feed_eof()
    words = LastWords("up")

    await drain(reader, words)

    assert str(words) == "one\ntwo"

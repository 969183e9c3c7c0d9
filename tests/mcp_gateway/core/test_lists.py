from mcp_gateway.core import lists
from mcp_gateway.core.lists import Lists


def test_what_was_kept_is_there_until_there_is_too_much_of_it() -> None:
    kept = Lists()
    half = b"x" * (lists.MOST // 2)

    first = kept.keep("a", half)
    kept.keep("b", b"small")
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (first, b"small", None)

    kept.keep("c", half)
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (None, None, half)


def test_one_that_is_too_large_is_returned_and_not_kept() -> None:
    kept = Lists()
    large = b"x" * (lists.MOST + 1)

    assert kept.keep("a", large) is large
    assert len(kept) == 0


def test_what_is_kept_twice_counts_once() -> None:
    kept = Lists()
    for _ in range(3):
        kept.keep("a", b"x" * (lists.MOST // 2))
    kept.keep("b", b"y")

    assert len(kept) == 2

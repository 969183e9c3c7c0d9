"""A secret is seen by who asks for it, and by nobody else."""

import copy
import pickle
import traceback

import pytest

from mcp_gateway.core.secret import Secret

MARK = "marked-value"


@pytest.mark.requirement("vault:secrets-show-nothing")
def test_it_shows_its_value_to_who_asks_alone() -> None:
    secret = Secret(MARK)

    assert secret.reveal() == MARK
    shown = [repr(secret), str(secret), f"{secret}", f"{secret:>40}", f"{[secret]}", "%s" % secret]  # noqa: UP031
    assert MARK not in "".join(shown)


@pytest.mark.requirement("vault:secrets-show-nothing")
@pytest.mark.parametrize("kept", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_is_neither_pickled_nor_copied(kept: object) -> None:
    with pytest.raises(TypeError):
        kept(Secret(MARK))  # type: ignore[operator]


def test_it_equals_what_holds_the_same_and_is_no_key() -> None:
    assert Secret(MARK) == Secret(MARK)
    assert Secret(MARK) != Secret("another")
    assert Secret(MARK) != MARK
    with pytest.raises(TypeError):
        hash(Secret(MARK))


def test_an_error_that_names_it_does_not_show_it() -> None:
    with pytest.raises(ValueError, match=r"Secret\(\)") as caught:
        raise ValueError(Secret(MARK))

    assert MARK not in "".join(traceback.format_exception(caught.value))

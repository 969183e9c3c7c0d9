"""What an operation's parameters may be."""

import pytest
from pydantic import TypeAdapter, ValidationError

from mcp_gateway.services.operation import Nothing, Word

ONE = TypeAdapter(Word)


@pytest.mark.parametrize("text", ["admin", "orders:read", "a-b_c.d"])
def test_a_word_is_one_role_or_scope(text: str) -> None:
    assert ONE.validate_python(text) == text


@pytest.mark.parametrize("text", ["", "two words", 'a"b', "a\\b", "ä", "x" * 101, "a\n"])
def test_what_would_be_two_or_could_not_stand_in_a_challenge_is_none(text: str) -> None:
    with pytest.raises(ValidationError):
        ONE.validate_python(text)


def test_an_operation_without_parameters_takes_none() -> None:
    with pytest.raises(ValidationError):
        Nothing.model_validate({"anything": 1})

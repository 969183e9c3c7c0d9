import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_models.leaves import MOST, leaves, whole

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def followed(value: Any, pointer: str) -> Any:
    """What an RFC 6901 pointer points at."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def strings(value: Any) -> list[str]:
    """Every string and name, found the plain way."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for name, child in value.items() for text in (name, *strings(child))]
    return [text for child in value for text in strings(child)] if isinstance(value, list) else []


@given(JSON)
def test_no_string_and_no_name_is_left_out(value: Any) -> None:
    assert sorted(leaf.text for leaf in leaves(value)) == sorted(strings(value))


@given(JSON)
def test_a_path_points_at_the_string_or_at_what_the_name_names(value: Any) -> None:
    for leaf in leaves(value):
        found = followed(value, leaf.path)
        assert found == leaf.text or leaf.path.endswith(
            "/" + leaf.text.replace("~", "~0").replace("/", "~1")
        )


def test_names_with_slashes_and_tildes_are_escaped() -> None:
    assert [leaf.path for leaf in leaves({"a/b~": "x"})] == ["/a~1b~0", "/a~1b~0"]


def test_a_bare_string_has_the_empty_path() -> None:
    (leaf,) = leaves("x")
    assert (leaf.path, leaf.text) == ("", "x")


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    deep: Any = "bottom"
    for _ in range(50_000):
        deep = [deep]
    assert leaves(deep)[0].text == "bottom"


def test_a_value_of_too_many_strings_is_refused() -> None:
    with pytest.raises(ValueError, match=f"more than {MOST}"):
        leaves(["x"] * (MOST + 1))
    assert len(leaves(["x"] * MOST)) == MOST


def test_numbers_are_no_text() -> None:
    found = leaves(json.loads('[1, 2.5, true, null, {"n": 3}]'))
    assert [(leaf.path, leaf.text) for leaf in found] == [("/4/n", "n")]


@given(JSON, st.booleans())
def test_the_leaves_of_ordinary_json_are_all_its_strings(value: Any, escaped: bool) -> None:  # noqa: FBT001
    raw = json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    assert whole(raw, leaves(json.loads(raw)))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"x","a":"y"}',
        b'{"a":"x","\\u0061":"y"}',
        b'{"a":1,"a":1}',
        b'[{"b":{"":{"c":1},"":{}}}]',
        b'{"a\\"":"\\\\","a\\"":""}',
    ],
)
def test_a_name_that_stands_twice_leaves_strings_out(raw: bytes) -> None:
    assert not whole(raw, leaves(json.loads(raw)))


@given(st.dictionaries(st.text('\\"/nu05c', max_size=6), st.text('\\"/nu05c')))
def test_quotes_and_backslashes_do_not_miscount(value: dict[str, str]) -> None:
    raw = json.dumps(value).encode()
    assert whole(raw, leaves(value))
    assert not whole(raw[:-1] + b',"\\"\\\\":1,"\\"\\\\":2}', leaves(value))

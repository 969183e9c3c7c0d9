"""Mcp-Param-*: annotations, headers made, and headers held against arguments."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared import inbound

from mcp_gateway.core.target import Mirror
from mcp_gateway.wire import mirror, modern

REGION = Mirror(("region",), "mcp-param-region")
COUNT = Mirror(("count",), "mcp-param-count", integer=True)
NESTED = Mirror(("where", "zone"), "mcp-param-zone")


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def marked(name: Any, type_: Any = "string") -> dict[str, Any]:
    return {"type": type_, "x-mcp-header": name}


def test_an_annotated_argument_is_found_by_its_path_however_deep() -> None:
    found = mirror.annotated(
        schema(
            region=marked("Region"),
            count=marked("Count", "integer"),
            where=schema(zone=marked("Zone", "boolean")),
            plain={"type": "string"},
        )
    )

    assert set(found) == {REGION, COUNT, NESTED}


@pytest.mark.parametrize("value", [None, True, [], "x", {}, schema(plain={"type": "string"})])
def test_what_has_no_annotation_mirrors_nothing(value: Any) -> None:
    assert mirror.annotated(value) == ()


def test_data_that_looks_like_an_annotation_is_data() -> None:
    example = {"x-mcp-header": "not an annotation"}
    plain = {"type": "object", "default": example, "examples": [example], "const": example}

    assert mirror.annotated(schema(plain=plain)) == ()


def test_an_argument_may_be_called_as_the_annotation_is() -> None:
    assert mirror.annotated(schema(**{"x-mcp-header": {"type": "string"}})) == ()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (marked("Root"), "properties"),
        (schema(a=marked("")), "header's name"),
        (schema(a=marked("two words")), "header's name"),
        (schema(a=marked("line\r\nx-evil: 1")), "header's name"),
        (schema(a=marked("naïve")), "header's name"),
        (schema(a=marked("x" * 129)), "header's name"),
        (schema(a=marked(7)), "header's name"),
        (schema(a=marked(None)), "header's name"),
        (schema(a=marked("A", "number")), "no plain value"),
        (schema(a=marked("A", "object")), "no plain value"),
        (schema(a=marked("A", ["string", "null"])), "no plain value"),
        (schema(a=marked("A", None)), "no plain value"),
        (schema(a=marked("Same"), b=marked("sAME")), "twice"),
        (schema(a={"type": "array", "items": marked("A")}), "properties"),
        (schema(a={"items": [marked("A")]}), "properties"),
        (schema(a={"anyOf": [marked("A")]}), "properties"),
        ({"allOf": [schema(a=marked("A"))]}, "properties"),
        ({"if": schema(a=marked("A"))}, "properties"),
        ({"$defs": {"a": marked("A")}}, "properties"),
        ({"patternProperties": {"^a": marked("A")}}, "properties"),
        ({"additionalProperties": marked("A")}, "properties"),
        (schema(**{f"a{n}": marked(f"A{n}") for n in range(65)}), "more than 64"),
    ],
)
@pytest.mark.requirement("mirrors:invalid-annotations-hide-the-tool")
def test_an_annotation_that_no_client_may_follow_is_refused(bad: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        mirror.annotated(bad)


NAMES = st.sampled_from(["A", "a", "B", "", "b c", "x-é"])
LEAVES = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "boolean", "number", "object"])},
    optional={"x-mcp-header": NAMES | st.integers()},
)
KEYS = st.sampled_from(["a", "b", "c"])
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(KEYS, inner, max_size=3),
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "$defs": st.dictionaries(KEYS, inner, max_size=2),
            "not": inner,
            "default": inner,
        },
    ),
    max_leaves=8,
)


@given(SCHEMAS)
def test_annotations_are_good_or_bad_as_the_official_sdk_finds_them(value: Any) -> None:
    refused = inbound.find_invalid_x_mcp_header(value) is not None
    try:
        found = mirror.annotated(value)
    except ValueError:
        assert refused
    else:
        assert not refused
        theirs = {(p, f"mcp-param-{t}".lower()) for p, t in inbound.x_mcp_header_map(value).items()}
        assert {(m.path, m.header) for m in found} == theirs


def pairs(**values: str | bytes) -> list[tuple[bytes, bytes]]:
    return [
        (f"mcp-param-{name}".encode(), v if isinstance(v, bytes) else v.encode())
        for name, v in values.items()
    ]


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("us-west1", "us-west1"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (42, "42"),
        (-7, "-7"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
    ],
)
def test_values_are_written_as_the_specification_shows(value: Any, header: str) -> None:
    assert mirror.headers([REGION], {"region": value}) == [("mcp-param-region", header)]


@pytest.mark.parametrize(
    "arguments", [None, [], {}, {"region": None}, {"region": []}, {"region": {"a": 1}}]
)
def test_an_argument_that_is_not_there_or_no_plain_value_has_no_header(arguments: Any) -> None:
    assert mirror.headers([REGION], arguments) == []
    mirror.check([REGION], arguments, [])


def test_a_whole_number_reads_as_one_however_it_came() -> None:
    assert mirror.headers([COUNT], {"count": 42.0}) == [("mcp-param-count", "42")]


def test_a_number_of_thousands_of_digits_has_no_header() -> None:
    assert mirror.headers([COUNT], {"count": 10**5000}) == []


def test_no_value_can_begin_another_header() -> None:
    ((_, value),) = mirror.headers([REGION], {"region": "a\r\nauthorization: Bearer x"})

    assert value.isascii()
    assert value.isprintable()


PLAIN = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)


@given(PLAIN, PLAIN, PLAIN)
@pytest.mark.requirement("mirrors:headers-and-arguments-agree")
def test_what_is_written_is_taken_for_what_it_is_of(region: Any, count: Any, zone: Any) -> None:
    mirrors = [REGION, COUNT, NESTED]
    arguments = {"region": region, "count": count, "where": {"zone": zone}}
    made = [(n.encode(), v.encode()) for n, v in mirror.headers(mirrors, arguments)]

    mirror.check(mirrors, arguments, made)


@given(st.text(), st.text())
@pytest.mark.requirement("mirrors:headers-and-arguments-agree")
def test_no_two_texts_are_taken_for_one(said: str, meant: str) -> None:
    ((name, value),) = mirror.headers([REGION], {"region": said})
    try:
        mirror.check([REGION], {"region": meant}, [(name.encode(), value.encode())])
    except modern.Mismatch:
        assert said != meant
    else:
        assert said == meant


@pytest.mark.parametrize("said", ["42", "42.0", "42.000", " 42\t"])
def test_whole_numbers_are_compared_as_numbers(said: str) -> None:
    mirror.check([COUNT], {"count": 42}, pairs(count=said))
    mirror.check([COUNT], {"count": 42.0}, pairs(count=said))


def test_numbers_that_no_double_can_tell_apart_are_told_apart() -> None:
    with pytest.raises(modern.Mismatch):
        mirror.check([COUNT], {"count": 2**53 + 1}, pairs(count=str(2**53)))


@pytest.mark.parametrize(
    "said", ["43", "42.5", "4.2e1", "0x2a", "+42", "", "forty-two", "42 42", "٤٢", "4" * 9999]
)
def test_what_is_no_such_number_differs(said: str) -> None:
    with pytest.raises(modern.Mismatch) as mismatch:
        mirror.check([COUNT], {"count": 42}, pairs(count=said))
    assert mismatch.value.code == modern.HEADER_MISMATCH


def test_a_truth_value_is_no_number() -> None:
    with pytest.raises(modern.Mismatch):
        mirror.check([COUNT], {"count": True}, pairs(count="1"))


@pytest.mark.parametrize(
    ("arguments", "headers", "why"),
    [
        ({"region": "a"}, [], "is missing"),
        ({"region": "a"}, pairs(region="b"), "differ"),
        ({"region": "a"}, pairs(region="A"), "differ"),
        ({}, pairs(region="a"), "the argument 'region' is not"),
        ({"region": None}, pairs(region=""), "the argument 'region' is not"),
        ({"region": ["a"]}, pairs(region="a"), "the argument 'region' is not"),
        ({"region": "a, b"}, pairs(region="a") + pairs(region="b"), "stands twice"),
        ({"region": "a"}, pairs(region="a") * 2, "stands twice"),
        ({"region": "é"}, pairs(region="é"), "characters that no header has"),
        ({"region": "a"}, pairs(region=b"a\x00"), "characters that no header has"),
        ({"region": "a"}, pairs(region="=?base64?YQ=?="), "broken"),
        ({"region": "a"}, pairs(region="=?base64?YR==?="), "broken"),
        ({"region": "a"}, pairs(region="=?base64?/w==?="), "broken"),
        ({"region": "a"}, pairs(region="=?BASE64?YQ==?="), "differ"),
    ],
)
@pytest.mark.requirement("mirrors:headers-and-arguments-agree")
def test_headers_that_do_not_repeat_the_arguments_are_a_mismatch(
    arguments: Any, headers: list[tuple[bytes, bytes]], why: str
) -> None:
    with pytest.raises(modern.Mismatch, match=why) as mismatch:
        mirror.check([REGION], arguments, headers)
    assert mismatch.value.code == modern.HEADER_MISMATCH


def test_names_of_headers_have_no_case_and_encoded_values_are_decoded_first() -> None:
    said = base64.b64encode(b"us-west1")

    mirror.check([REGION], {"region": "us-west1"}, [(b"Mcp-Param-REGION", b"=?base64?%b?=" % said)])


def test_a_header_that_the_tool_does_not_declare_means_nothing_to_it() -> None:
    mirror.check([REGION], {"region": "a"}, pairs(region="a", other="b") + pairs(other="c"))


@given(st.text(max_size=20))
def test_what_the_official_sdk_writes_is_taken(text: str) -> None:
    tokens: dict[tuple[str, ...], str] = {("region",): "Region"}
    made = inbound.mcp_param_headers(tokens, {"region": text})

    mirror.check([REGION], {"region": text}, [(n.encode(), v.encode()) for n, v in made.items()])


def test_half_an_envelope_is_a_value_like_another() -> None:
    assert modern.decode_header("=?base64?=") == "=?base64?="
    mirror.check([REGION], {"region": "=?base64?="}, pairs(region="=?base64?="))

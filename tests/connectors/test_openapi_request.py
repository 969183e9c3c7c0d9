"""Arguments in their places: no value can ever be read as something else."""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.openapi_document import Operation
from connectors.openapi_request import Prepared, prepared
from mcp_gateway.core.errors import InvalidRequest
from mcp_gateway.wire import url
from mcp_gateway.wire.head import Heads
from tests.connectors.test_openapi_document import THING, body, one

ID = {"name": "id", "in": "path"}


def made(operation: Operation, **arguments: Any) -> Prepared:
    return prepared(operation, arguments)


def refused(operation: Operation, **arguments: Any) -> str:
    with pytest.raises(InvalidRequest) as told:
        made(operation, **arguments)
    return told.value.reason


GET = one()
PLAIN = st.text(
    st.characters(exclude_characters="/\\", exclude_categories=["Cs", "Cc"]), min_size=1
)


def test_a_request_is_its_path_with_its_arguments() -> None:
    assert made(GET, id="1001") == Prepared("/things/1001")


@pytest.mark.parametrize(
    "value",
    [
        "..",
        ".",
        "",
        "../admin",
        "a/b",
        "/etc/passwd",
        "\\..\\admin",
        "..%2fadmin",
        "%2e%2e",
        "%2e%2e%2fadmin",
        "%252e%252e%252fadmin",
        "a%2Fb",
        "a%5cb",
        "a\x00b",
        "a\r\nHost: elsewhere",
        "a%0d%0ab",
        "\x7f",
    ],
)
@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_a_value_that_would_leave_its_segment_is_refused(value: str) -> None:
    assert "id" in refused(GET, id=value) or "another path" in refused(GET, id=value)


@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_two_values_cannot_make_a_step_up_together() -> None:
    parameters = [{"name": "a", "in": "path"}, {"name": "b", "in": "path"}]
    operation = one("/x/{a}{b}/y", parameters=parameters)

    assert "lead to another path" in refused(operation, a=".", b=".")
    assert made(operation, a=".", b="z").path == "/x/.z/y"


@given(PLAIN)
@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_whatever_is_taken_fills_one_segment_and_reads_as_it_was(value: str) -> None:
    try:
        path = made(GET, id=value).path
    except InvalidRequest:
        return
    whole = url.parse(f"http://127.0.0.1{path}")
    segments = urlsplit(whole.absolute).path.split("/")
    assert segments[:2] == ["", "things"]
    assert len(segments) == 3
    assert unquote(segments[2]) == value


def test_a_value_that_looks_like_another_variable_is_none() -> None:
    operation = one("/{a}/{b}", parameters=[{"name": n, "in": "path"} for n in "ab"])

    assert made(operation, a="{b}", b="x").path == "/%7Bb%7D/x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (-1, "-1"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        ("é ü", "%C3%A9%20%C3%BC"),
    ],
)
def test_plain_values_are_written_as_json_writes_them(value: Any, text: str) -> None:
    assert made(GET, id=value).path == f"/things/{text}"


@pytest.mark.parametrize("value", [["a"], {"a": 1}, [[]]])
def test_a_path_takes_one_plain_value(value: Any) -> None:
    assert "id is a text, a number, true or false" in refused(GET, id=value)


QUERY = one("/things", parameters=[{"name": "q", "in": "query"}, {"name": "a&b", "in": "query"}])


@given(st.text(), st.text())
@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_whatever_a_query_holds_is_read_back_as_it_was(one_: str, other: str) -> None:
    path = made(QUERY, **{"q": one_, "a&b": other}).path

    read = parse_qsl(urlsplit(path).query, keep_blank_values=True)
    assert read == [("q", one_), ("a&b", other)]
    assert urlsplit(path).fragment == ""


def test_a_list_is_a_parameter_for_each_of_its_values() -> None:
    assert made(QUERY, q=["a", 1, True]).path == "/things?q=a&q=1&q=true"
    assert made(QUERY, q=[]).path == "/things"


def test_a_list_is_one_parameter_where_the_document_says_so() -> None:
    operation = one("/things", parameters=[{"name": "q", "in": "query", "explode": False}])

    assert made(operation, q=["a,b", "c"]).path == "/things?q=a%2Cb,c"


@pytest.mark.parametrize("value", [{"a": 1}, [{"a": 1}], [None]])
def test_a_query_takes_plain_values_and_lists_of_them(value: Any) -> None:
    assert "q is a text" in refused(QUERY, q=value)


def test_null_is_as_good_as_absent_outside_of_a_body() -> None:
    assert made(QUERY, q=None).path == "/things"
    assert refused(GET, id=None) == "thing needs id"


HEADER = one("/things", parameters=[{"name": "X-Tenant", "in": "header"}])


def test_a_header_is_a_line_of_plain_text() -> None:
    assert made(HEADER, **{"X-Tenant": "acme 7"}).headers == (("X-Tenant", "acme 7"),)


@pytest.mark.parametrize("value", ["a\r\nauthorization: x", "a\nb", "a\x00", "é", "a\x7f", "a\tb"])
@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_no_value_of_a_header_can_begin_another(value: str) -> None:
    assert "X-Tenant is a line of plain text" in refused(HEADER, **{"X-Tenant": value})


@given(st.text())
def test_no_text_makes_a_head_with_more_lines(value: str) -> None:
    try:
        headers = made(HEADER, **{"X-Tenant": value}).headers
    except InvalidRequest:
        return
    assert Heads().head("GET", b"/ HTTP/1.1", headers, 0).count(b"\r\n") == 3


ENUM = one("/things", parameters=[{"name": "q", "in": "query", "schema": {"enum": ["a", "b", 1]}}])


@pytest.mark.parametrize("value", ["a", 1, ["a", "b"]])
def test_a_value_that_is_listed_passes(value: Any) -> None:
    assert made(ENUM, q=value)


@pytest.mark.parametrize("value", ["c", "A", "a&x=1", ["a", "c"], "1"])
@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_a_value_that_is_not_listed_is_refused(value: Any) -> None:
    assert refused(ENUM, q=value) == "q is one of a, b, 1"


POST = one("/things", "post", requestBody=body(THING))
WHOLE = one("/things", "put", requestBody=body({"type": "array"}, required=True))


def test_members_of_a_body_are_sent_as_they_are() -> None:
    assert made(POST, a="x", b={"deep": [None, 1.5]}).body == b'{"a":"x","b":{"deep":[null,1.5]}}'
    assert made(POST, a=None).body == b'{"a":null}'


def test_a_whole_body_is_sent_as_it_is() -> None:
    assert made(WHOLE, body=[1, {"a": None}]).body == b'[1,{"a":null}]'
    assert made(one("/things", "put", requestBody=body({"type": "array"}))).body == b""


def test_nothing_but_the_body_is_in_the_body() -> None:
    operation = one("/things/{id}", "put", requestBody=body(THING))

    assert made(operation, id="7", a="x") == Prepared("/things/7", (), b'{"a":"x"}')


@pytest.mark.parametrize("arguments", [{"id": "1", "admin": True}, {"id": "1", "": 1}])
@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_an_argument_that_the_operation_does_not_have_is_refused(arguments: Any) -> None:
    assert "thing takes no " in refused(GET, **arguments)


def test_an_argument_that_is_missing_is_told() -> None:
    assert refused(POST, b=1) == "thing needs a"
    assert refused(WHOLE) == "thing needs body"


@pytest.mark.parametrize("arguments", [[], "id", 7, None])
def test_arguments_are_an_object(arguments: Any) -> None:
    with pytest.raises(InvalidRequest, match="are an object"):
        prepared(GET, arguments)

"""OpenAPI documents: what becomes a tool, and what cannot."""

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.openapi_document import Operation, Place, operations

ORDERS = Path(__file__).parents[2] / "connectors" / "samples" / "orders.openapi.json"


def document(path: Any = "/things/{id}", verb: Any = "get", **spec: Any) -> dict[str, Any]:
    """One operation that opted in; its path has the parameter `id` unless it is given others."""
    spec.setdefault("operationId", "thing")
    spec.setdefault("x-mcp", {"enabled": True})
    if "{id}" in path:
        spec.setdefault("parameters", [{"name": "id", "in": "path", "required": True}])
    return {"openapi": "3.1.0", "paths": {path: {verb: spec}}}


def one(*parts: Any, **spec: Any) -> Operation:
    (found,) = operations("up", document(*parts, **spec))
    return found


def schema_of(operation: Operation) -> dict[str, Any]:
    return dict(json.loads(operation.definition.raw)["inputSchema"])


def refused(*parts: Any, **spec: Any) -> str:
    with pytest.raises(ValueError, match=r".") as told:
        operations("up", document(*parts, **spec))
    return str(told.value)


def test_the_sample_document_has_the_tools_that_it_says() -> None:
    found = operations("orders", json.loads(ORDERS.read_text("utf-8")))

    assert {o.definition.name: (o.verb, o.path) for o in found} == {
        "list_orders": ("get", "/orders"),
        "create_order": ("post", "/orders"),
        "get_order": ("get", "/orders/{id}"),
        "refund_order": ("post", "/orders/{id}/refund"),
    }
    by_name = {o.definition.name: o for o in found}
    assert by_name["create_order"].required == {"customer", "item", "quantity"}
    assert by_name["refund_order"].definition.labels == {"claims_destructive"}
    assert by_name["get_order"].definition.labels == {"claims_read_only", "claims_idempotent"}


@pytest.mark.parametrize(
    "extension", [None, {}, {"enabled": False}, {"enabled": "true"}, {"enabled": 1}, {"name": "x"}]
)
@pytest.mark.requirement("openapi:opt-in")
def test_nothing_is_a_tool_that_did_not_opt_in(extension: Any) -> None:
    made = document(**{"x-mcp": extension if extension is not None else {}})
    if extension is None:
        del made["paths"]["/things/{id}"]["get"]["x-mcp"]

    assert operations("up", made) == []


def test_a_document_without_paths_has_no_tools() -> None:
    assert operations("up", {}) == []


def test_a_tool_has_the_name_and_the_words_of_its_extension() -> None:
    extension = {"enabled": True, "name": "find", "description": "Finds it"}
    tool = json.loads(one(**{"x-mcp": extension, "summary": "no"}).definition.raw)

    assert (tool["name"], tool["description"]) == ("find", "Finds it")
    assert json.loads(one(summary="Shows one").definition.raw)["description"] == "Shows one"


@pytest.mark.parametrize(
    ("verb", "hints"),
    [
        ("get", {"claims_read_only", "claims_idempotent"}),
        ("put", {"claims_idempotent"}),
        ("post", set()),
        ("patch", set()),
        ("delete", {"claims_destructive", "claims_idempotent"}),
    ],
)
def test_the_verb_says_what_a_tool_does(verb: str, hints: set[str]) -> None:
    assert one("/things/{id}", verb).definition.labels == hints


def test_parameters_of_the_path_are_those_of_its_operations_unless_said_anew() -> None:
    made = document()
    made["paths"]["/things/{id}"]["parameters"] = [
        {"name": "id", "in": "path", "schema": {"type": "integer"}},
        {"name": "lang", "in": "query", "schema": {"type": "string"}},
    ]
    made["paths"]["/things/{id}"]["get"]["parameters"] = [
        {"name": "lang", "in": "query", "schema": {"enum": ["en", "de"]}, "required": True}
    ]

    (operation,) = operations("up", made)

    assert operation.required == {"id", "lang"}
    assert operation.places["lang"] == Place("query", enum=("en", "de"))
    assert schema_of(operation)["properties"] == {
        "id": {"type": "integer"},
        "lang": {"enum": ["en", "de"]},
    }


def test_a_parameter_is_described() -> None:
    parameters = [
        {"name": "id", "in": "path", "description": "Which", "schema": {"type": "string"}}
    ]

    assert schema_of(one(parameters=parameters))["properties"]["id"] == {
        "type": "string",
        "description": "Which",
    }


def test_what_no_argument_can_fill_is_left_out_unless_it_is_required() -> None:
    path = {"name": "id", "in": "path"}
    ours = [
        {"name": "Authorization", "in": "header"},
        {"name": "X-Forwarded-For", "in": "header"},
        {"name": "Mcp-Name", "in": "header"},
        {"name": "session", "in": "cookie"},
    ]

    assert set(one(parameters=[path, *ours]).places) == {"id"}
    for each in ours:
        said = refused(parameters=[path, {**each, "required": True}])
        assert "no argument can fill" in said


@pytest.mark.parametrize(
    "name",
    [
        *("host", "Cookie", "CONTENT-TYPE", "accept", "transfer-encoding", "connection"),
        *("Forwarded", "proxy-authorization", "x-real-ip", "traceparent", "Sec-Fetch-Site"),
    ],
)
@pytest.mark.requirement("openapi:arguments-stay-in-their-place")
def test_headers_that_route_frame_or_authenticate_are_never_an_argument(name: str) -> None:
    parameters = [{"name": "id", "in": "path"}, {"name": name, "in": "header", "required": True}]

    assert "no argument can fill" in refused(parameters=parameters)


def body(schema: Any, *, required: bool = False, media: str = "application/json") -> dict[str, Any]:
    return {"content": {media: {"schema": schema}}, "required": required}


THING = {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}


def test_the_members_of_a_body_are_arguments() -> None:
    operation = one("/things", "post", requestBody=body(THING))

    assert set(operation.places) == {"a", "b"}
    assert operation.required == {"a"}
    assert (operation.media, operation.whole) == ("application/json", False)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object"},
        {"type": "object", "properties": {}},
        {**THING, "allOf": [{"required": ["b"]}]},
        {"oneOf": [THING]},
        {},
    ],
)
def test_a_body_that_is_no_plain_object_is_one_argument(schema: Any) -> None:
    operation = one("/things", "put", requestBody=body(schema, required=True))

    assert operation.whole
    assert operation.required == {"body"}
    assert schema_of(operation)["properties"] == {"body": schema}


def test_a_body_whose_members_are_called_like_parameters_is_one_argument() -> None:
    clash = {"type": "object", "properties": {"id": {}, "a": {}}}

    operation = one("/things/{id}", "put", requestBody=body(clash))

    assert set(operation.places) == {"id", "body"}
    assert operation.required == {"id"}


def test_a_body_may_be_of_another_kind_of_json() -> None:
    media = "application/merge-patch+json"

    assert one("/things", "patch", requestBody=body(THING, media=media)).media == media


def test_a_body_that_is_not_json_is_left_out_unless_it_is_required() -> None:
    assert one("/things", "post", requestBody=body(THING, media="text/xml")).media == ""
    form = body(THING, media="multipart/form-data", required=True)
    assert "its body is not JSON" in refused("/things", "post", requestBody=form)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (7, "an OpenAPI document is an object"),
        ([], "an OpenAPI document is an object"),
        ({"paths": []}, "paths is an object"),
        ({"paths": {"/a": []}}, "/a is an object"),
        ({"paths": {"/a": {"get": []}}}, "get /a is an object"),
        ({"paths": {"/a": {"get": {"x-mcp": True}}}}, "x-mcp is an object"),
        (document(operationId=""), "needs a name"),
        (document(operationId=7), "Expected `str`"),
        (document(**{"x-mcp": {"enabled": True, "name": "two\nlines"}}), "cannot be seen"),
        (document(parameters=[7]), "is an object"),
        (document(parameters=[{"in": "path"}]), "a parameter has a name"),
        (document(parameters=[{"name": "id"}]), "says what it is in"),
        (document(parameters=[{"name": ["id"], "in": "path"}]), "a parameter has a name"),
        (document(parameters=[]), "the variables of its path"),
        (document("/a", parameters=[{"name": "id", "in": "path"}]), "the variables of its path"),
        (
            document(parameters=[{"name": "id", "in": "path"}, {"name": "id", "in": "query"}]),
            "two arguments are called 'id'",
        ),
        (document("a"), "its path is none"),
        (document("/a?b=c"), "its path is none"),
        (document("/a#b"), "its path is none"),
        (document("/a/../b"), "its path is none"),
        (document("/a/./b"), "its path is none"),
        (document("/a b"), "its path is none"),
        (document("/a%2fb"), "its path is none"),
        (document("/a\r\nx: y"), "its path is none"),
        (document("http://elsewhere/"), "its path is none"),
        (document("/a", "post", requestBody=7), "is an object"),
        (document("/a", "post", requestBody={"content": []}), "content is an object"),
        (document("/a", "post", requestBody=body(7)), "is an object"),
        (
            document(
                "/a",
                "post",
                parameters=[{"name": "body", "in": "query"}],
                requestBody=body({"type": "array"}),
            ),
            "two arguments are called 'body'",
        ),
    ],
)
def test_a_document_that_cannot_be_tools_is_refused_with_its_reason(made: Any, why: str) -> None:
    with pytest.raises(ValueError, match=r".") as told:
        operations("up", made)
    assert why in str(told.value)


def test_two_operations_of_one_name_are_refused() -> None:
    made = document("/a")
    made["paths"]["/b"] = made["paths"]["/a"]

    with pytest.raises(ValueError, match="get /b: there is a tool 'thing' already"):
        operations("up", made)

"""References: followed within the document, and never out of it."""

from typing import Any

import pytest

from connectors.openapi_document import operations
from connectors.openapi_schema import Schemas
from tests.connectors.test_openapi_document import document, schema_of

COMPONENTS = {
    "schemas": {
        "Order": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "buyer": {"$ref": "#/components/schemas/Person"},
            },
            "required": ["id"],
        },
        "Person": {
            "type": "object",
            "properties": {"friends": {"items": {"$ref": "#/components/schemas/Person"}}},
        },
        "a/b~c": {"type": "string"},
    },
    "parameters": {"Lang": {"name": "lang", "in": "query", "schema": {"type": "string"}}},
    "requestBodies": {
        "Order": {
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}
        }
    },
}


def made(**spec: Any) -> Any:
    whole = document("/a", "post", **spec)
    whole["components"] = COMPONENTS
    (operation,) = operations("up", whole)
    return operation


def test_parameters_bodies_and_schemas_may_stand_elsewhere_in_the_document() -> None:
    operation = made(
        parameters=[{"$ref": "#/components/parameters/Lang"}],
        requestBody={"$ref": "#/components/requestBodies/Order"},
    )

    assert set(operation.places) == {"lang", "id", "buyer"}
    assert operation.required == {"id"}


def test_a_tool_brings_along_what_its_schema_refers_to_also_when_it_is_round() -> None:
    schema = schema_of(made(requestBody={"$ref": "#/components/requestBodies/Order"}))

    assert schema["properties"]["buyer"] == {"$ref": "#/$defs/Person"}
    assert schema["$defs"] == {
        "Person": {
            "type": "object",
            "properties": {"friends": {"items": {"$ref": "#/$defs/Person"}}},
        }
    }


def test_a_reference_into_a_schema_leads_there_still() -> None:
    schemas = Schemas({"components": COMPONENTS})

    own = schemas.own({"$ref": "#/components/schemas/Order/properties/id"})

    assert own == {"$ref": "#/$defs/Order/properties/id"}
    assert set(schemas.complete({}, [])["$defs"]) == {"Order", "Person"}


def test_pointers_are_decoded_as_rfc_6901_has_it() -> None:
    schemas = Schemas({"components": COMPONENTS})

    assert schemas.followed({"$ref": "#/components/schemas/a~1b~0c"}) == {"type": "string"}


def test_a_member_that_is_called_like_a_reference_is_a_member() -> None:
    schema = {"properties": {"$ref": {"type": "string"}}, "enum": [{"$ref": 7}, None]}

    assert Schemas({}).own(schema) == schema
    assert "$defs" not in Schemas({}).complete({}, [])


@pytest.mark.parametrize(
    "reference",
    [
        "https://elsewhere.example/schema.json",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//elsewhere.example/a",
        "other.json#/a",
        "#anchor",
        "",
    ],
)
@pytest.mark.requirement("openapi:references-are-never-fetched")
def test_a_reference_that_leads_out_is_refused_and_nothing_is_fetched(reference: str) -> None:
    node = {"$ref": reference}
    with pytest.raises(ValueError, match=r"leads out|not among the document's own"):
        made(parameters=[node])
    with pytest.raises(ValueError, match=r"leads out|not among the document's own"):
        made(parameters=[{"name": "q", "in": "query", "schema": {"items": node}}])
    with pytest.raises(ValueError, match=r"leads out|not among the document's own"):
        made(requestBody=node)


@pytest.mark.parametrize(
    "reference",
    ["#/components/schemas/None", "#/components/schemas/Order/required/0", "#/nothing", "#/"],
)
def test_a_reference_that_leads_nowhere_is_refused(reference: str) -> None:
    with pytest.raises(ValueError, match=r"leads nowhere|not among"):
        made(parameters=[{"$ref": reference}])


@pytest.mark.parametrize("reference", ["#/components/parameters/Lang", "#/components/schemas/"])
def test_a_schema_refers_to_schemas_alone(reference: str) -> None:
    with pytest.raises(ValueError, match="not among the document's own schemas"):
        Schemas({"components": COMPONENTS}).own({"$ref": reference})


def test_references_that_lead_round_are_refused() -> None:
    round_ = {"a": {"$ref": "#/b"}, "b": {"$ref": "#/a"}}

    with pytest.raises(ValueError, match="round and round"):
        Schemas(round_).followed({"$ref": "#/a"})


def test_nesting_beyond_all_bounds_is_refused() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"items": deep}

    with pytest.raises(ValueError, match="recursion"):
        made(parameters=[{"name": "q", "in": "query", "schema": deep}])

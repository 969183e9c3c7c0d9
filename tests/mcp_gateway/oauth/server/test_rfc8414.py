"""What is published is what the specification and an independent library take."""

import itertools
from typing import Any

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from mcp_gateway.oauth.server import rfc8414

ISSUER = "https://gw.example"


def published(**changes: bool) -> dict[str, Any]:
    parts = {"registration": True, "documents": True, "assertions": True, **changes}
    return dict(rfc8414.metadata(ISSUER, frozenset({"mcp", "offline_access"}), **parts))


@pytest.mark.requirement("authorization:published")
@pytest.mark.parametrize("parts", [*itertools.product([False, True], repeat=3)])
def test_authlib_takes_it_whatever_is_switched_on(parts: tuple[bool, bool, bool]) -> None:
    names = ("registration", "documents", "assertions")

    said = published(**dict(zip(names, parts, strict=True)))

    AuthorizationServerMetadata(said).validate()
    assert ("registration_endpoint" in said) == parts[0]
    assert said["client_id_metadata_document_supported"] == parts[1]
    assert (rfc8414.ASSERTION in said["grant_types_supported"]) == parts[2]
    assert ("authorization_grant_profiles_supported" in said) == parts[2]


def test_every_endpoint_is_of_the_issuer_and_only_what_is_safe_is_offered() -> None:
    said = published()

    endpoints = [value for name, value in said.items() if name.endswith("_endpoint")]
    assert len(endpoints) == 5
    assert all(value.startswith(f"{ISSUER}/oauth/") for value in endpoints)
    assert said["scopes_supported"] == ["mcp", "offline_access"]
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["response_types_supported"] == ["code"]
    assert {"implicit", "password"}.isdisjoint(said["grant_types_supported"])
    assert "none" in said["token_endpoint_auth_methods_supported"]
    assert "none" not in said["introspection_endpoint_auth_methods_supported"]
    signing = {
        algorithm
        for name, value in said.items()
        if name.endswith("signing_alg_values_supported")
        for algorithm in value
    }
    assert not {name for name in signing if name == "none" or name.startswith("HS")}

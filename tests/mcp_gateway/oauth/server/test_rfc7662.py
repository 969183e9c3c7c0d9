from mcp_gateway.oauth.server import rfc7662


def test_of_a_token_nothing_is_said_but_what_is_registered_for_such_answers() -> None:
    claims = {"iss": "i", "sub": "local|ada", "aud": ["a"], "scope": "mcp", "exp": 2, "iat": 1}
    own = {"roles": ["admin"], "tenant": "acme", "fam": "f", "idp_sub": "ada", "mode": "write"}

    assert rfc7662.active(claims | own) == {"active": True, "token_type": "Bearer", **claims}
    assert rfc7662.INACTIVE == {"active": False}

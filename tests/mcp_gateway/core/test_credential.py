from mcp_gateway.core.credential import NO_GRANT, NONE, Credential, Grant


def test_a_credential_shows_its_reference_and_no_header() -> None:
    shown = Credential("static:github", (("authorization", "Bearer hush"),))
    assert "static:github" in repr(shown)
    assert "hush" not in repr(shown)
    assert "hush" not in str(shown)


def test_headers_are_compared_though_they_are_not_shown() -> None:
    one, two = (Credential("r", (("authorization", value),)) for value in ("a", "b"))
    assert one != two


def test_no_credential_has_no_headers() -> None:
    assert NONE.headers == ()
    assert NONE.reference == ""


def test_no_grant_is_of_kind_none_and_holds_no_secret() -> None:
    assert Grant() == NO_GRANT
    assert (NO_GRANT.kind, NO_GRANT.secret) == ("none", "")

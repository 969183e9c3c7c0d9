"""The issuer in an authorization response (RFC 9207): who answers is who was asked."""

from collections.abc import Mapping


def check(query: Mapping[str, str], issuer: str, *, advertised: bool) -> None:
    """Raises ValueError for a response of another server. Errors are responses too.

    Compared as text: what one reader normalises may be another server to the next (section 2.4).
    """
    named = query.get("iss")
    if named is None and advertised:
        raise ValueError("the authorization server did not say that the answer is its own")
    if named is not None and named != issuer:
        raise ValueError("the answer is of another authorization server than was asked")

"""Who calls is known before anything is parsed; who is not known learns how to be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import KeySet

from mcp_gateway.core.errors import InsufficientScope
from mcp_gateway.core.principal import Principal
from mcp_gateway.edge import failures
from mcp_gateway.edge.asgi import HttpError
from mcp_gateway.store.keys import digest_of
from tests.support.calls import ALICE
from tests.support.door import KEY, PEER, PUBLIC, Door
from tests.support.tokens import (
    AUDIENCE,
    EC,
    EXPECTED,
    ISSUER,
    NOW,
    RSA,
    STRANGER,
    claims,
    public,
    signed,
    verifying,
)


def _challenge(error: HttpError) -> str:
    ((name, value),) = error.headers
    assert name == b"www-authenticate"
    return value.decode()


@pytest.mark.parametrize(
    "given", [b"Bearer %b", b"bearer %b", b"BEARER %b", b"Bearer  %b", b"Bearer %b "]
)
def test_a_key_stands_for_its_principal(given: bytes) -> None:
    assert Door().knock(given % KEY) == ALICE


@pytest.mark.requirement("identity:bearer-only")
@pytest.mark.parametrize(
    "given",
    [
        b"",
        b" ",
        b"Bearer",
        b"Bearer ",
        b"Bearer\t" + KEY,
        b"Bearer:" + KEY,
        KEY,
        b"Basic " + KEY,
        b"Token " + KEY,
        b"DPoP " + KEY,
        b"Bearerx " + KEY,
        b"Bearer Bearer " + KEY,
        b"Bearer " + KEY + b", Bearer " + KEY,
        b"Bearer " + KEY + b" x",
        b"Bearer " + KEY + b"\x00",
        b"Bearer " + KEY.upper(),
        b"Bearer " + KEY[:-1],
        b"Bearer mcpgw_",
        b"Bearer mcpgw",
        b"Bearer \xff\xfe",
        b"Bearer " + digest_of(KEY),
        b"Bearer " + digest_of(KEY).hex().encode(),
        b"Bearer " + b"x" * 100_000,
    ],
)
def test_nothing_else_is_a_key(given: bytes) -> None:
    error = Door().refused(given)

    assert error.status == 401
    assert _challenge(error) == 'Bearer error="invalid_token"'


@pytest.mark.requirement("identity:challenges")
def test_without_a_credential_the_challenge_names_no_error() -> None:
    error = Door().refused(None)

    assert (error.status, _challenge(error)) == (401, "Bearer")
    assert "Authorization: Bearer" in error.text


@pytest.mark.requirement("identity:challenges")
def test_with_an_issuer_the_challenge_names_the_metadata_of_the_very_endpoint() -> None:
    door = Door(verifying())

    for path in ("/mcp", "/servers/time/mcp"):
        where = f'resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource{path}"'
        assert _challenge(door.refused(None, path)) == f"Bearer {where}"
        assert _challenge(door.refused(b"Bearer x", path)) == (
            f'Bearer {where}, error="invalid_token"'
        )


@pytest.mark.requirement("identity:challenges")
def test_a_challenge_names_the_scopes_that_are_of_use_at_the_endpoint() -> None:
    door = Door(verifying(), scopes=lambda path: frozenset({"mcp", path.strip("/")}))

    assert _challenge(door.refused(None, "/mcp")).endswith(', scope="mcp"')
    assert 'error="invalid_token", scope="mcp x"' in _challenge(door.refused(b"Bearer y", "/x"))


@pytest.mark.requirement("identity:challenges")
def test_a_step_up_names_every_scope_that_the_call_needs() -> None:
    refusal = InsufficientScope({"orders:write"}, {"orders:write", "orders:read"})

    _, with_issuer = Door(verifying()).authenticator.challenge("/mcp", refusal)
    _, without = Door().authenticator.challenge("/mcp", refusal)

    assert without == b'Bearer error="insufficient_scope", scope="orders:read orders:write"'
    assert with_issuer == (
        b'Bearer resource_metadata="%b/.well-known/oauth-protected-resource/mcp", '
        b'error="insufficient_scope", scope="orders:read orders:write"' % PUBLIC.encode()
    )


@pytest.mark.requirement("identity:challenges")
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_whatever_the_path_the_challenge_stays_one_header(path: str) -> None:
    value = _challenge(Door(verifying()).refused(None, "/servers/" + path))

    assert value.isascii()
    assert value.isprintable()
    assert value.count('"') == 2


def test_without_an_issuer_a_token_is_told_that_keys_are_taken() -> None:
    assert "API keys only" in Door().refused(b"Bearer " + signed()).text


def test_a_token_stands_for_its_subject() -> None:
    principal = Door(verifying()).knock(b"Bearer " + signed())

    assert principal.identity == f"{ISSUER}|alice"


@pytest.mark.requirement("identity:tokens-are-for-us")
def test_a_token_for_one_endpoint_opens_that_endpoint_alone() -> None:
    door = Door(verifying())
    given = b"Bearer " + signed(claims(aud=f"{PUBLIC}/servers/time/mcp"))

    assert door.knock(given, "/servers/time/mcp").subject == "alice"
    for path in ("/mcp", "/servers/orders/mcp", "/servers/time/mcp/", ""):
        assert "another audience" in door.refused(given, path).text
    assert door.knock(b"Bearer " + signed(claims(aud=AUDIENCE)), "/servers/time/mcp")


@pytest.mark.requirement("identity:errors-hold-no-credential")
def test_what_was_shown_is_not_repeated() -> None:
    door = Door(verifying())
    for credential in (KEY + b"x", signed(None, STRANGER), b"a-secret-of-somebody-else"):
        error = door.refused(b"Bearer " + credential)

        said = error.text + repr(error) + repr(error.headers) + repr(error.__cause__)
        assert credential.decode() not in said
        assert error.__suppress_context__


@pytest.mark.requirement("identity:keys-expire")
def test_a_key_expires() -> None:
    door = Door(expires=NOW + 60)
    assert door.knock(b"Bearer " + KEY) == ALICE

    door.clock.now = NOW + 60.0

    assert "the key has expired" in door.refused(b"Bearer " + KEY).text


@pytest.mark.requirement("identity:revocation")
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("key:0a1b2c3d", 401),
        ("subject:local|alice", 401),
        ("client:", 401),
        ("key:0a1b2c3", 200),
        ("subject:local|alic", 200),
        (f"subject:{ISSUER}|alice", 200),
        ("token:local|0a1b2c3d", 200),
    ],
)
def test_a_key_is_revoked_by_its_names_and_no_others(name: str, status: int) -> None:
    door = Door()
    door.revoke(name, "subject:local|somebody")

    if status == 200:
        assert door.knock(b"Bearer " + KEY) == ALICE
    else:
        assert "revoked" in door.refused(b"Bearer " + KEY).text


@pytest.mark.requirement("identity:revocation")
@pytest.mark.parametrize(
    "name", [f"subject:{ISSUER}|alice", f"token:{ISSUER}|t-1", "client:runtime"]
)
def test_a_token_that_is_remembered_is_revoked_at_once_and_by_any_of_its_names(name: str) -> None:
    door = Door(verifying())
    given = b"Bearer " + signed()
    assert door.knock(given).subject == "alice"

    door.revoke(name)
    assert "revoked" in door.refused(given).text

    door.revoke(f"subject:{ISSUER}|bob", f"token:{ISSUER}|t-2", "client:other", f"key:{name}")
    assert door.knock(given).subject == "alice"


@pytest.mark.requirement("identity:anonymous-on-loopback-only")
def test_anonymous_is_who_shows_nothing_and_not_who_shows_something_wrong() -> None:
    nobody = Principal("anonymous", "anonymous", "acme")
    door = Door(anonymous=nobody)

    assert door.knock(None) == nobody
    assert door.knock(b"Bearer " + KEY) == ALICE
    assert door.refused(b"Bearer wrong").status == 401
    assert door.refused(b"").status == 401


@pytest.mark.requirement("identity:failures-are-limited")
def test_an_address_that_fails_too_often_is_not_heard_for_the_rest_of_the_minute() -> None:
    door = Door(verifying())
    for _ in range(failures.MOST_FAILURES):
        assert door.refused(b"Bearer wrong").status == 401
    door.clock.now += 20

    error = door.refused(b"Bearer wrong")

    assert error.status == 429
    assert error.headers == [(b"retry-after", b"40")]
    assert door.refused(b"Bearer " + signed()).status == 429
    assert door.refused(b"Basic " + KEY[:-1]).status == 429
    door.clock.now += 40
    assert door.refused(b"Bearer wrong").status == 401


@pytest.mark.requirement("identity:failures-are-limited")
def test_who_is_known_is_heard_though_a_neighbour_fails() -> None:
    door = Door(verifying())
    token = signed()
    door.knock(b"Bearer " + token)
    for _ in range(failures.MOST_FAILURES + 5):
        door.refused(b"Bearer wrong")

    assert door.knock(b"Bearer " + KEY) == ALICE
    assert door.knock(b"Bearer " + token).subject == "alice"
    assert door.refused(None).status == 401
    door.revoke("subject:local|alice")
    assert door.refused(b"Bearer " + KEY).status == 401


@pytest.mark.requirement("identity:failures-are-limited")
@pytest.mark.requirement("identity:keys-rotate")
def test_who_waits_for_a_new_key_of_the_issuer_is_not_shut_out() -> None:
    tokens = verifying(EXPECTED, EC)
    door = Door(tokens)
    given = b"Bearer " + signed()
    for _ in range(failures.MOST_FAILURES * 2):
        assert door.refused(given).status == 401

    tokens.swap(KeySet.import_key_set(public(EC, RSA)))  # type: ignore[arg-type]

    assert door.knock(given).subject == "alice"
    assert door.authenticator.failures.take() == failures.MOST_FAILURES * 2


@pytest.mark.requirement("identity:failures-are-limited")
def test_other_addresses_are_heard() -> None:
    door = Door()
    for _ in range(failures.MOST_FAILURES + 1):
        door.refused(b"Bearer wrong")

    assert door.refused(b"Bearer wrong", peer="203.0.113.8").status == 401


@pytest.mark.requirement("identity:failures-are-recorded-in-sum")
def test_failures_are_taken_in_sum_and_once() -> None:
    door = Door()
    door.refused(None)
    assert door.authenticator.failures.take() == 0
    for shown in (b"Bearer wrong", b"Basic x", b"Bearer " + KEY + b"x"):
        door.refused(shown)

    assert door.authenticator.failures.take() == 3
    assert door.authenticator.failures.take() == 0
    door.authenticator.failures.put_back(3)
    door.refused(b"Bearer wrong")
    assert door.authenticator.failures.take() == 4


@pytest.mark.requirement("identity:failures-are-recorded-in-sum")
def test_attempts_that_were_not_heard_are_counted_too() -> None:
    door = Door()
    for _ in range(failures.MOST_FAILURES + 40):
        door.refused(b"Bearer wrong")

    assert door.authenticator.failures.take() == failures.MOST_FAILURES + 40


@given(st.binary(max_size=80))
def test_whatever_is_shown_ends_in_a_challenge(given: Any) -> None:
    error = Door(verifying(EXPECTED)).refused(given)

    assert error.status == 401
    assert _challenge(error).startswith("Bearer ")


@pytest.mark.requirement("standing:authenticated-again-on-each-swap")
def test_who_was_authenticated_is_looked_at_again_without_any_of_it_being_an_attempt() -> None:
    door = Door(expires=NOW + 60)
    shown = {b"authorization": b"Bearer " + KEY}
    first = door.authenticator.again(shown, "/mcp")
    door.clock.now += 61
    refusals = []
    for _ in range(50):
        with pytest.raises(HttpError) as error:
            door.authenticator.again(shown, "/mcp")
        refusals.append(error.value.status)
    with pytest.raises(HttpError):
        door.authenticator.again({}, "/mcp")

    assert (first, set(refusals)) == (ALICE, {401})
    assert door.authenticator.failures.take() == 0
    assert door.authenticator.failures.wait(PEER) == 0


def test_who_is_anonymous_is_so_for_as_long_as_anybody_may_be() -> None:
    assert Door(anonymous=ALICE).authenticator.again({}, "/mcp") == ALICE

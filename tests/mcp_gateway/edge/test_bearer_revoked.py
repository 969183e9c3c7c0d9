"""What was revoked, or ended up to a moment, opens nothing any more."""

import pytest
from joserfc.jwk import KeySet

from mcp_gateway.core.credential import NOTHING_SHOWN, Shown
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.edge.asgi import HttpError
from mcp_gateway.oauth.rfc9068 import Accepted, StateUnknown
from tests.support.calls import ALICE
from tests.support.door import KEY, Door
from tests.support.tokens import EC, ISSUER, NOW, claims, public, signed, verifying


@pytest.mark.requirement("revocation:up-to-a-moment")
@pytest.mark.parametrize(("before", "passes"), [(NOW - 101, True), (NOW - 100, False)])
def test_a_key_is_over_when_its_subject_is_ended_after_it_was_made(
    before: int, *, passes: bool
) -> None:
    door = Door()
    door.revoke(ended={"subject:local|alice": before})

    if passes:
        assert door.knock(b"Bearer " + KEY) == ALICE
    else:
        assert "revoked" in door.refused(b"Bearer " + KEY).text


@pytest.mark.requirement("revocation:up-to-a-moment")
@pytest.mark.parametrize(
    "name",
    [f"subject:{ISSUER}|alice", "client:runtime", f"session:{ISSUER}|s-1", f"token:{ISSUER}|t-1"],
)
def test_a_token_is_over_when_any_of_its_names_is_ended_after_it_was_issued(name: str) -> None:
    door = Door(verifying())
    given = b"Bearer " + signed(claims(sid="s-1"))
    door.revoke(ended={name: NOW - 11})
    assert door.knock(given).subject == "alice"

    door.revoke(ended={name: NOW - 10, "client:other": NOW})

    assert "revoked" in door.refused(given).text


@pytest.mark.requirement("revocation:closes-what-is-open")
def test_what_was_taken_back_is_told_from_what_only_expired() -> None:
    tokens = verifying()
    door = Door(tokens, expires=NOW + 60)
    key, token = Shown(b"Bearer " + KEY, "/mcp"), Shown(b"Bearer " + signed(), "/mcp")
    short = Shown(b"Bearer " + signed(claims(exp=NOW - 20)), "/mcp")
    door.knock(token.authorization)
    good = [door.authenticator.revoked(shown) for shown in (key, token, short)]

    door.clock.now += 61
    expired = door.authenticator.revoked(key)
    tokens.swap(KeySet.import_key_set(public(EC)))  # type: ignore[arg-type]
    unknown = door.authenticator.revoked(token)
    door.current.swap_keyring(Keyring())
    gone = door.authenticator.revoked(key)

    assert (good, expired, unknown, gone) == ([False] * 3, False, False, True)
    assert door.authenticator.failures.take() == 0


@pytest.mark.requirement("revocation:closes-what-is-open")
def test_who_showed_nothing_is_revoked_where_nobody_may_be_anonymous_any_more() -> None:
    assert Door().authenticator.revoked(NOTHING_SHOWN)
    assert not Door(anonymous=ALICE).authenticator.revoked(NOTHING_SHOWN)


@pytest.mark.requirement("revocation:silent-issuers-are-not-believed")
def test_a_token_that_its_issuer_is_silent_about_has_to_wait_and_is_not_taken_back() -> None:
    tokens = verifying()
    door, given = Door(tokens), b"Bearer " + signed()
    door.knock(given)

    def silent(digest: bytes, token: bytes, accepted: Accepted) -> None:
        raise StateUnknown("its issuer does not say whether the token is still good")

    tokens.seen = silent
    refused = [door.refused(given) for _ in range(100)][-1]
    with pytest.raises(HttpError):
        door.authenticator.again({b"authorization": given}, "/mcp")

    assert refused.status == 503
    assert (b"retry-after", b"5") in refused.headers
    assert not door.authenticator.revoked(Shown(given, "/mcp"))
    tokens.seen = None
    assert door.knock(given).subject == "alice", "nobody is shut out for what the issuer does"

"""HTTP's failures in the words of an upstream."""

import pytest

from connectors.failures import told
from mcp_gateway.core.errors import Refusal, ResultTooLarge, UpstreamFailed, UpstreamTimedOut
from mcp_gateway.wire.failures import AddressRefused, HttpFailed, HttpTimedOut, TooLarge


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (HttpFailed("it broke"), UpstreamFailed),
        (AddressRefused("not there"), UpstreamFailed),
        (HttpTimedOut("too late"), UpstreamTimedOut),
        (TooLarge("too much"), ResultTooLarge),
    ],
)
def test_every_failure_has_a_refusal_that_names_the_upstream(
    failure: HttpFailed, kind: type[Refusal]
) -> None:
    refusal = told("up", failure)

    assert type(refusal) is kind
    assert refusal.reason == f"up: {failure}"


@pytest.mark.requirement("upstreams:sent-again-only-when-safe")
@pytest.mark.parametrize("sent", [False, True])
def test_whether_anything_has_left_is_told_too(*, sent: bool) -> None:
    refusal = told("up", HttpFailed("it broke", sent=sent))

    assert isinstance(refusal, UpstreamFailed)
    assert (refusal.sent, refusal.passing) == (sent, sent)

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

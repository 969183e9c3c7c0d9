import pytest

from mcp_gateway.core import errors
from mcp_gateway.core.errors import REFUSALS, InsufficientScope, Refusal

BY_NAME = {kind.__name__: kind for kind in REFUSALS}


def test_every_refusal_is_in_the_list_and_in_the_tree_at_the_head() -> None:
    every = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Refusal) and value is not Refusal
    }
    assert every == set(BY_NAME)
    assert all(name in (errors.__doc__ or "") for name in every)


def test_slugs_are_their_own() -> None:
    assert len({kind.slug for kind in REFUSALS}) == len(REFUSALS)


@pytest.mark.requirement("refusals:codes-outside-the-reserved-range")
def test_codes_of_the_gateways_own_lie_outside_the_reserved_range() -> None:
    given_by_mcp = {-32602, errors.HeaderMismatch.code, errors.MissingCapability.code}
    own = [kind.code for kind in REFUSALS if kind.code not in given_by_mcp]
    assert len(set(own)) == len(own)
    assert not [code for code in own if -32768 <= code <= -32000]


@pytest.mark.requirement("refusals:403-is-for-scopes")
def test_403_on_the_mcp_endpoints_is_for_a_missing_scope_alone() -> None:
    assert [kind for kind in REFUSALS if kind.status == 403] == [InsufficientScope]


def test_what_stands_in_the_ledger_is_the_slug_unless_the_truth_is_another() -> None:
    assert errors.UnknownTarget("no").recorded == "unknown_target"
    assert errors.UnknownTarget("no", recorded="forbidden").recorded == "forbidden"


def test_a_missing_scope_says_which_and_what_is_required() -> None:
    refusal = InsufficientScope({"b", "a"}, {"c", "b", "a"})
    assert refusal.missing == ("a", "b")
    assert refusal.required == ("a", "b", "c")
    assert refusal.reason == "the token lacks the scope a b"


def test_a_refusal_reads_as_its_reason() -> None:
    refusal = errors.Throttled("over 60/minute", rule="r", retry_after=2.5)
    assert str(refusal) == "over 60/minute"
    assert (refusal.rule, refusal.retry_after) == ("r", 2.5)

from mcp_gateway.core.decision import (
    NEVER,
    STANDING,
    UNDECIDED,
    Decision,
    Effect,
    Obligation,
)


def test_only_an_allow_allows() -> None:
    assert Decision(Effect.ALLOW, "r", "because").allowed
    assert not Decision(Effect.DENY, "r", "because").allowed
    assert not UNDECIDED.allowed


def test_what_is_undecided_names_nothing() -> None:
    assert not UNDECIDED.named
    assert UNDECIDED.rule == ""


def test_an_obligation_reads_as_it_is_written_in_a_rule() -> None:
    assert str(Obligation("confirm")) == "confirm"
    assert str(Obligation("guard", "strict")) == "guard:strict"
    assert str(Obligation("guard", "strict", "result")) == "guard:strict"


def test_the_two_sides_of_an_obligation_are_two_obligations() -> None:
    assert Obligation("guard", "strict") != Obligation("guard", "strict", "result")
    assert {o.side for o in NEVER} == {"request", "result"}


def test_what_every_call_owes_is_owed_before_it_is_sent() -> None:
    assert {str(o) for o in STANDING} == {"record", "limit", "approval", "credential"}
    assert {o.side for o in STANDING} == {"request"}


def test_nobody_discharges_never_by_discharging_what_stands() -> None:
    assert not STANDING & NEVER

import pytest

from local_models.guards.patterns import CREDENTIAL, HIDDEN, LABELS, ROLE
from local_models.guards.profiles import CHANNELS, Profile, built_in
from mcp_gateway.core.ports import Channel, Finding, Verdict
from tests.support.fakes import FakeGuard

ALL = Verdict(tuple(Finding(label, "rule", "/a") for label in sorted(LABELS)))


def denied(name: str, channel: Channel) -> set[str]:
    return {finding.label for finding in built_in(FakeGuard())[name].denied(channel, ALL)}


@pytest.mark.requirement("guard:profiles-observe-and-deny")
def test_observe_denies_nothing_and_strict_everything() -> None:
    for channel in CHANNELS:
        assert denied("observe", channel) == set()
        assert denied("strict", channel) == LABELS


@pytest.mark.requirement("guard:profiles-observe-and-deny")
def test_standard_lets_no_secret_out_and_no_hidden_text_through() -> None:
    assert denied("standard", "arguments") == {CREDENTIAL, HIDDEN}
    assert denied("standard", "result") == {HIDDEN}


def test_a_role_marker_alone_is_observed_since_documentation_is_full_of_them() -> None:
    assert all(ROLE not in denied("standard", channel) for channel in CHANNELS)


def test_none_looks_at_nothing_and_the_others_look() -> None:
    assert {name for name, p in built_in(FakeGuard()).items() if not p.guards} == {"none"}


def test_every_built_in_profile_refuses_when_its_guard_is_late() -> None:
    profiles = built_in(FakeGuard()).values()
    assert {(p.on_error, p.timeout) for p in profiles} == {("deny", 1.0)}


def test_a_profile_is_kept_under_its_name() -> None:
    assert all(name == profile.name for name, profile in built_in(FakeGuard()).items())


def test_what_is_not_listed_is_observed() -> None:
    assert Profile("p").denied("result", ALL) == []
    one = Profile("p", actions={("result", CREDENTIAL): "deny", ("result", ROLE): "observe"})
    assert [finding.label for finding in one.denied("result", ALL)] == [CREDENTIAL]

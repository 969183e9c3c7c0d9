"""What a client can answer, however it says so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import abilities
from mcp_gateway.core.asking import Declared
from mcp_gateway.wire import jsonrpc
from tests.connectors.http import echo

SETS = st.sets(st.sampled_from(sorted(abilities.ALL))).map(frozenset)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, set()),
        ({"elicitation": {}}, {"elicitation/form"}),
        ({"elicitation": {"form": {}}}, {"elicitation/form"}),
        ({"elicitation": {"url": {}}}, {"elicitation/url"}),
        ({"elicitation": {"url": {}, "form": {}}}, {"elicitation/form", "elicitation/url"}),
        ({"sampling": {}}, {"sampling"}),
        ({"sampling": {"tools": {}}}, {"sampling", "sampling/tools"}),
        ({"roots": {"listChanged": True}}, {"roots"}),
        ({"elicitation": True, "roots": None, "sampling": []}, set()),
        ({"elicitation/form": {}, "experimental": {"roots": {}}}, set()),
        (["roots"], set()),
        ("roots", set()),
    ],
)
@pytest.mark.requirement("sessions:by-credential-and-capabilities")
def test_what_is_declared_is_read_alike_in_both_eras(said: Any, found: set[str]) -> None:
    assert abilities.of(echo(able=said)) == found
    assert abilities.of(echo(declared=Declared(jsonrpc.encode(said)))) == found


@given(SETS)
def test_what_is_declared_upstream_is_read_back_the_same(able: abilities.Abilities) -> None:
    if any(path.startswith("sampling/") for path in able):
        able |= {"sampling"}

    raw = abilities.encoded(able)

    assert abilities.of(echo(declared=Declared(raw))) == able


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"roots":{},"x":"%b"}' % (b"y" * 5000)])
def test_what_cannot_be_read_can_answer_nothing(raw: bytes) -> None:
    assert abilities.of(echo(declared=Declared(raw))) == abilities.NONE


def test_a_request_that_says_nothing_can_answer_nothing() -> None:
    assert abilities.of(echo()) == abilities.NONE

"""What is sealed for one place opens there, with its key, and nowhere else."""

import os
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.core.principal import Principal
from mcp_gateway.oauth.keys.local import LocalKek
from mcp_gateway.oauth.ports import Place, SecretLost
from mcp_gateway.oauth.vault import Vault, bound, place_of

OLD, NEW = LocalKek(b"o" * 32), LocalKek(b"n" * 32)
HERE = Place("acme", "local|ada", "github", "delegated")
texts = st.text(max_size=12) | st.sampled_from(["a\0b", "%00", "a|b", "local|ada", "1"])
places = st.builds(Place, texts, texts, texts, st.sampled_from(["delegated", "static", "login"]))


@given(st.binary(max_size=200), places, st.integers(1, 2**40))
def test_a_secret_opens_where_it_was_sealed(content: bytes, place: Place, version: int) -> None:
    vault = Vault([OLD])

    assert vault.open(place, version, vault.seal(place, version, content)) == content


@pytest.mark.requirement("vault:bound-to-its-place")
@given(places, places, st.integers(1, 99), st.integers(1, 99))
def test_no_two_places_are_bound_to_the_same(a: Place, b: Place, one: int, two: int) -> None:
    assert (bound(a, one) == bound(b, two)) == ((a, one) == (b, two))


@pytest.mark.requirement("vault:bound-to-its-place")
@pytest.mark.requirement("attack:b1")
@pytest.mark.parametrize(
    "moved",
    [
        {"tenant": "other"},
        {"principal": "local|eve"},
        {"upstream": "gitlab"},
        {"kind": "static"},
    ],
)
def test_a_secret_that_is_moved_does_not_open(moved: dict[str, Any]) -> None:
    vault = Vault([OLD])
    sealed = vault.seal(HERE, 1, b"token")

    with pytest.raises(SecretLost):
        vault.open(replace(HERE, **moved), 1, sealed)
    with pytest.raises(SecretLost):
        vault.open(HERE, 2, sealed)


@pytest.mark.requirement("attack:b1")
def test_a_wrapped_key_of_one_place_does_not_open_the_content_of_another() -> None:
    vault = Vault([OLD])
    mine = vault.seal(replace(HERE, principal="local|eve"), 1, b"mine")
    hers = vault.seal(HERE, 1, b"hers")

    for mixed in (replace(hers, wrapped=mine.wrapped), replace(mine, wrapped=hers.wrapped)):
        with pytest.raises(SecretLost):
            vault.open(HERE, 1, mixed)


@pytest.mark.requirement("attack:b2")
def test_a_secret_that_names_another_key_does_not_open_with_it() -> None:
    vault = Vault([NEW, OLD])
    sealed = Vault([NEW]).seal(HERE, 1, b"token")

    for named in (OLD.id, "local:00000000", ""):
        with pytest.raises(SecretLost):
            vault.open(HERE, 1, replace(sealed, key_id=named))


@pytest.mark.requirement("vault:first-key-seals-all-open")
def test_the_first_key_seals_and_every_key_opens() -> None:
    before = Vault([OLD]).seal(HERE, 1, b"token")
    vault = Vault([NEW, OLD])

    assert vault.open(HERE, 1, before) == b"token"
    assert vault.seal(HERE, 2, b"token").key_id == vault.sealing == NEW.id
    with pytest.raises(SecretLost):
        Vault([NEW]).open(HERE, 1, before)


@pytest.mark.requirement("vault:first-key-seals-all-open")
def test_what_is_wrapped_anew_opens_with_the_new_key_alone() -> None:
    before = Vault([OLD]).seal(HERE, 7, b"token")

    after = Vault([NEW, OLD]).rewrap(HERE, 7, before)

    assert Vault([NEW]).open(HERE, 7, after) == b"token"
    assert (after.content, after.nonce) == (before.content, before.nonce)
    with pytest.raises(SecretLost):
        Vault([NEW, OLD]).rewrap(replace(HERE, tenant="other"), 7, before)


@pytest.mark.requirement("vault:secrets-show-nothing")
def test_what_does_not_open_says_where_and_nothing_more() -> None:
    sealed = Vault([OLD]).seal(HERE, 1, b"ghp_marked")

    with pytest.raises(SecretLost) as lost:
        Vault([NEW]).open(HERE, 1, sealed)

    assert str(lost.value) == "the delegated secret for github does not open"
    assert lost.value.__cause__ is None


def test_a_person_has_one_place_whatever_client_they_come_with() -> None:
    person = Principal("local", "ada", "acme", client="code", roles=frozenset({"user"}))
    other = replace(person, client="cursor", roles=frozenset())

    assert place_of(person, "github", "static") == place_of(other, "github", "static")


@pytest.mark.requirement("vault:bound-to-its-place")
def test_a_subject_that_reads_like_another_issuers_has_a_place_of_its_own() -> None:
    one, two = Principal("a|b", "c", "acme"), Principal("a", "b|c", "acme")

    assert one.identity == two.identity
    assert place_of(one, "github", "static") != place_of(two, "github", "static")


def test_no_two_seals_are_alike() -> None:
    vault = Vault([LocalKek(os.urandom(32))])
    one, two = vault.seal(HERE, 1, b"token"), vault.seal(HERE, 1, b"token")

    assert one.content != two.content
    assert one.nonce != two.nonce

import os

import pytest

from mcp_gateway.oauth.keys.local import LocalKek


def test_what_is_wrapped_comes_back_for_what_it_is_bound_to() -> None:
    kek, key = LocalKek(os.urandom(32)), os.urandom(32)

    assert kek.unwrap(kek.wrap(key, b"here"), b"here") == key


def test_nothing_is_wrapped_the_same_way_twice() -> None:
    kek, key = LocalKek(bytes(32)), bytes(32)

    assert kek.wrap(key, b"") != kek.wrap(key, b"")


def test_what_is_bound_elsewhere_wrapped_by_another_or_altered_does_not_come_back() -> None:
    kek, key = LocalKek(os.urandom(32)), os.urandom(32)
    wrapped = kek.wrap(key, b"here")
    altered = [wrapped[:n] + bytes([wrapped[n] ^ 1]) + wrapped[n + 1 :] for n in (0, 12, 59)]

    tries = [(kek, wrapped, b"there"), (LocalKek(os.urandom(32)), wrapped, b"here")]
    for opened_by, tried, bound in [*tries, *((kek, one, b"here") for one in (b"", *altered))]:
        with pytest.raises(ValueError, match="not wrapped by this key"):
            opened_by.unwrap(tried, bound)


def test_a_key_has_one_id_and_another_key_another() -> None:
    key = os.urandom(32)

    assert LocalKek(key).id == LocalKek(key).id != LocalKek(os.urandom(32)).id
    assert key.hex() not in LocalKek(key).id


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        LocalKek(bytes(size))

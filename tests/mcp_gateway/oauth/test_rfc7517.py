"""The keys of the issuer are followed; nothing that it publishes by mistake takes them away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import KeySet, OctKey
from joserfc.util import int_to_base64

from mcp_gateway.oauth.documents import DocumentError, Documents
from mcp_gateway.oauth.rfc7517 import Jwks, key_set
from mcp_gateway.wire.http import HttpClient
from tests.support.publisher import Publisher, publisher
from tests.support.tcp import plain
from tests.support.tokens import EC, ED, RSA, STRANGER, public

BOUND = 5.0


def _kids(keys: KeySet) -> set[str | None]:
    return {key.kid for key in keys}


def test_the_keys_of_a_document_are_told_by_their_names() -> None:
    assert _kids(key_set(public(RSA, EC, ED))) == {"rsa", "ec", "ed"}


def test_a_key_without_a_name_gets_its_thumbprint() -> None:
    listed = {name: value for name, value in EC.as_dict(private=False).items() if name != "kid"}

    assert _kids(key_set({"keys": [listed]})) == {EC.thumbprint()}


_EC = EC.as_dict(private=False)
_RSA = RSA.as_dict(private=False)


@pytest.mark.requirement("identity:bad-keys-are-passed-over")
@pytest.mark.parametrize(
    "other",
    [
        None,
        5,
        "key",
        [],
        {},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
        {"kty": ["EC"]},
        {"kty": "EC"},
        {**_EC, "crv": "P-999"},
        {**_EC, "crv": 5},
        {**_EC, "crv": ["P-256"]},
        {**_EC, "x": "AAAA"},
        {**_EC, "x": 5},
        {**_EC, "x": "!"},
        {**_EC, "use": "enc"},
        {**_EC, "use": 5},
        {**_EC, "key_ops": 5},
        {**_EC, "key_ops": ["fly"]},
        {**_EC, "kid": 5},
        {**_EC, "alg": []},
        {**_RSA, "n": "", "e": ""},
        {**_RSA, "n": "AQAB"},
        {**_RSA, "e": "AA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "OKP", "crv": "Nothing", "x": "AAAA"},
        OctKey.generate_key(256).as_dict(private=True),
        {"kty": "oct", "k": "c2VjcmV0"},
        EC.as_dict(private=True),
        RSA.as_dict(private=True),
        {"kty": "RSA", "e": "AQAB", "n": int_to_base64(2**1023 + 1)},
        {"kty": "RSA", "e": "AQAB", "n": int_to_base64(2**9000 + 1)},
    ],
)
def test_a_key_that_cannot_be_used_is_passed_over_and_the_others_stay(other: Any) -> None:
    assert _kids(key_set({"keys": [other, *public(ED)["keys"], other]})) == {"ed"}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": None},
        {"keys": {}},
        {"keys": "RSA"},
        {"keys": []},
        {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
        _EC,
    ],
)
def test_a_document_without_a_usable_key_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match="no key for signatures"):
        key_set(document)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid", "key_ops"]),
        st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "AQAB", "sig", "", "!", "é"])
        | st.integers()
        | st.none()
        | st.lists(st.text(max_size=3), max_size=2),
    )
)
def test_whatever_a_key_looks_like_the_others_stay(key: dict[str, Any]) -> None:
    assert "ed" in _kids(key_set({"keys": [key, *public(ED)["keys"]]}))


class Follower:
    """Follows an issuer, and keeps every key set that it was given."""

    def __init__(self, url: str, http: HttpClient, jwks: str = "", every: float = 60.0) -> None:
        self.sets: list[set[str | None]] = []
        self._changed = asyncio.Event()
        self.jwks = Jwks(url, jwks, self._swap, Documents(url, http), every=every, between=0.01)

    def _swap(self, keys: KeySet) -> None:
        self.sets.append(_kids(keys))
        self._changed.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(BOUND):
            while len(self.sets) < count:
                self._changed.clear()
                await self._changed.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.get_running_loop().create_task(self.jwks.follow())
        try:
            yield
        finally:
            assert not task.done(), "it follows until it is cancelled"
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _asked(server: Publisher, path: str, count: int) -> None:
    async with asyncio.timeout(BOUND):
        while server.asked.count(path) < count:
            await asyncio.sleep(0.005)


async def test_the_keys_are_found_through_the_metadata(http: HttpClient) -> None:
    async with publisher() as server:
        server.metadata(server.url)
        server.publish("/jwks", public(RSA))
        follower = Follower(server.url, http)
        async with follower.running():
            await follower.until(1)

    assert follower.sets == [{"rsa"}]


async def test_a_configured_address_of_the_keys_needs_no_metadata(http: HttpClient) -> None:
    async with publisher() as server:
        server.publish("/keys", public(RSA))
        follower = Follower(server.url, http, f"{server.url}/keys")
        async with follower.running():
            await follower.until(1)

    assert server.asked == ["/keys"]


@pytest.mark.requirement("identity:keys-rotate")
async def test_a_key_that_is_missed_is_fetched_at_once(http: HttpClient) -> None:
    async with publisher() as server:
        server.metadata(server.url)
        server.publish("/jwks", public(RSA))
        follower = Follower(server.url, http)
        async with follower.running():
            await follower.until(1)
            server.publish("/jwks", public(EC))
            follower.jwks.want()
            await follower.until(2)

    assert follower.sets == [{"rsa"}, {"ec"}]


@pytest.mark.requirement("identity:keys-rotate")
async def test_what_is_asked_for_right_after_a_fetch_is_not_forgotten(http: HttpClient) -> None:
    async with publisher() as server:
        server.publish("/jwks", public(RSA))
        follower = Follower(server.url, http, f"{server.url}/jwks")
        swap = follower.jwks._swap

        def swap_and_want(keys: KeySet) -> None:
            swap(keys)
            if len(follower.sets) == 1:
                follower.jwks.want()

        follower.jwks._swap = swap_and_want
        async with follower.running():
            await follower.until(2)


async def test_the_keys_are_fetched_again_from_time_to_time(http: HttpClient) -> None:
    async with publisher() as server:
        server.publish("/jwks", public(RSA))
        follower = Follower(server.url, http, f"{server.url}/jwks", every=0.01)
        async with follower.running():
            await follower.until(4)


async def test_many_wishes_are_one_fetch(http: HttpClient) -> None:
    async with publisher() as server:
        server.publish("/jwks", public(RSA))
        follower = Follower(server.url, http, f"{server.url}/jwks")
        async with follower.running():
            await follower.until(1)
            for _ in range(1000):
                follower.jwks.want()
            await follower.until(2)

    assert len(server.asked) <= 3


@pytest.mark.requirement("identity:bad-documents-keep-the-keys")
@pytest.mark.parametrize(
    "page",
    [
        plain(b"", status=b"500 Broken"),
        plain(b"", status=b"404 Not Found"),
        plain(b"", b"location: /elsewhere", status=b"302 Found"),
        plain(b"<html>log in</html>"),
        plain(b"[]"),
        plain(b'{"keys":[]}'),
        plain(b'{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}'),
        plain(b"[" * 100_000),
        plain(b"{" + b" " * 300_000 + b"}"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n",
        b"\x16\x03\x01nonsense\r\n\r\n",
    ],
)
async def test_a_bad_document_keeps_the_keys_and_a_good_one_is_taken_afterwards(
    http: HttpClient, page: bytes
) -> None:
    async with publisher() as server:
        server.publish("/jwks", public(RSA))
        follower = Follower(server.url, http, f"{server.url}/jwks")
        async with follower.running():
            await follower.until(1)
            server.pages["/jwks"] = page
            follower.jwks.want()
            await _asked(server, "/jwks", 3)
            assert follower.sets == [{"rsa"}]

            server.publish("/jwks", public(STRANGER, EC))
            await follower.until(2)

    assert follower.sets == [{"rsa"}, {"rsa", "ec"}]


@pytest.mark.parametrize(
    "metadata", [[], "text", 5, None, {}, {"issuer": "https://elsewhere.example.com"}]
)
async def test_bad_metadata_ends_nothing(http: HttpClient, metadata: Any) -> None:
    place = "/.well-known/openid-configuration"
    async with publisher() as server:
        server.publish(place, metadata)
        server.publish("/jwks", public(RSA))
        follower = Follower(server.url, http)
        async with follower.running():
            await _asked(server, place, 2)
            server.metadata(server.url)
            await follower.until(1)


async def test_an_issuer_that_is_away_is_tried_until_it_is_there(
    http: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Follower("http://localhost:9", http)
    async with follower.running(), asyncio.timeout(BOUND):
        while len(caplog.records) < 2:
            await asyncio.sleep(0.005)

    assert "the keys of http://localhost:9 could not be fetched" in caplog.text
    assert follower.sets == []

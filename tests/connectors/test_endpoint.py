"""The address of an upstream: what is sent there, and what nobody waits for."""

import asyncio
import logging
import time

import pytest

from connectors import endpoint
from connectors.endpoint import Endpoint
from mcp_gateway.core.credential import Credential, CredentialRefused
from mcp_gateway.core.errors import UpstreamFailed, UpstreamTimedOut
from tests.connectors.conftest import Around
from tests.connectors.http import KEY, raw_upstream
from tests.support.gateway import free_port
from tests.support.tcp import plain
from tests.support.waiting import until


def at(around: Around, url: str, lost: list[str] | None = None, timeout: float = 5) -> Endpoint:
    gone = lost if lost is not None else []
    return Endpoint("up", around.services.http, url, timeout, lambda: gone.append("lost"))


async def test_who_is_not_there_is_lost_and_who_is_slow_is_not(around: Around) -> None:
    lost: list[str] = []
    async with raw_upstream(lambda _: b"", era="") as up:
        with pytest.raises(UpstreamTimedOut):
            await at(around, up.url, lost, timeout=0.1).send("POST", (), b"{}", KEY)
    assert lost == []

    with pytest.raises(UpstreamFailed):
        await at(around, f"http://127.0.0.1:{free_port()}/", lost).send("POST", (), b"{}", KEY)
    assert lost == ["lost"]


async def test_a_credential_that_is_refused_is_told_from_every_other_answer(
    around: Around,
) -> None:
    answers = iter([b"401 Unauthorized", b"403 Forbidden"])
    async with raw_upstream(lambda _: plain(b"", status=next(answers)), era="") as up:
        with pytest.raises(CredentialRefused) as told:
            await at(around, up.url).send("POST", (), b"{}", KEY)
        response = await at(around, up.url).send("POST", (), b"{}", KEY)

    assert (told.value.status, told.value.challenge) == (401, "")
    assert response.status == 403


@pytest.mark.requirement("upstream:refused-credentials-carry-their-challenge")
@pytest.mark.parametrize("status", [b"401 Unauthorized", b"403 Forbidden"])
async def test_how_a_credential_is_refused_reaches_who_obtains_another(
    around: Around, status: bytes
) -> None:
    said = 'Bearer error="insufficient_scope", scope="a b"'
    refusal = plain(b"", f"www-authenticate: {said}".encode(), status=status)
    async with raw_upstream(lambda _: refusal, era="") as up:
        with pytest.raises(CredentialRefused) as told:
            await at(around, up.url).send("POST", (), b"{}", KEY)

    assert (told.value.status, told.value.challenge) == (int(status[:3]), said)


async def test_a_challenge_that_is_too_long_is_none(around: Around) -> None:
    said = b"www-authenticate: Bearer error=insufficient_scope, scope=" + b"a" * 4096
    answers = iter([b"401 Unauthorized", b"403 Forbidden"])
    async with raw_upstream(lambda _: plain(b"", said, status=next(answers)), era="") as up:
        with pytest.raises(CredentialRefused) as told:
            await at(around, up.url).send("POST", (), b"{}", KEY)
        response = await at(around, up.url).send("POST", (), b"{}", KEY)

    assert (told.value.challenge, response.status) == ("", 403)


async def test_a_header_that_no_request_can_hold_is_told_without_its_value(
    around: Around,
) -> None:
    broken = Credential("x", (("authorization", "s3cr3t\r\nx: y"),))
    with pytest.raises(UpstreamFailed) as told:
        await at(around, "http://127.0.0.1:1/").send("POST", (), b"{}", broken)
    assert "s3cr3t" not in str(told.value)


async def test_what_nobody_waits_for_may_fail_and_takes_no_longer_than_it_may(
    around: Around, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(endpoint, "BOUND", 0.1)
    started = time.monotonic()
    async with raw_upstream(lambda _: b"", era="") as up:
        await at(around, up.url).say((), b"{}", KEY)
        await at(around, up.url).said((), b"{}", KEY)
    await at(around, f"http://127.0.0.1:{free_port()}/").say((), b"{}", KEY)

    assert time.monotonic() - started < 2
    assert "up was not told" in caplog.text
    assert "s3cr3t" not in caplog.text


async def test_it_is_said_even_by_a_task_that_is_being_cancelled(around: Around) -> None:
    async with raw_upstream(lambda _: plain(b""), era="") as up:

        async def leaving() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await at(around, up.url).said((), b'{"a":1}', KEY)

        task = asyncio.ensure_future(leaving())
        await asyncio.sleep(0)
        task.cancel()
        await until(lambda: up.asked)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_another_address_of_the_same_server_keeps_the_rest(around: Around) -> None:
    other = at(around, "http://127.0.0.1:1/a", timeout=3).at("http://127.0.0.1:1/b")

    assert (other.url, other.timeout, other.server) == ("http://127.0.0.1:1/b", 3, "up")

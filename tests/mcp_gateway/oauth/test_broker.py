"""Each upstream sees its own credential, never another's, and never the caller's."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcp_gateway.config import Secret
from mcp_gateway.core.call import Call
from mcp_gateway.core.credential import NO_GRANT, NONE, Credential, CredentialRefused, Grant
from mcp_gateway.core.errors import UpstreamFailed
from mcp_gateway.core.snapshot import Upstream
from mcp_gateway.core.target import Target
from mcp_gateway.oauth.broker import Broker
from tests.support.calls import ADD, REFUND, resolved, snapshot
from tests.support.fakes import FakeConnector

STATIC = Grant("static", "Authorization", "Bearer ")


def _call(target: Target = ADD, **grants: Grant) -> Call:
    servers = {"github": STATIC, "orders": STATIC} | grants
    upstreams = {name: Upstream(name, FakeConnector(), grant) for name, grant in servers.items()}
    return resolved(target, snapshot=snapshot(upstreams=upstreams))


def _said(value: str) -> Callable[[], str]:
    return lambda: value


@pytest.mark.requirement("broker:each-upstream-its-own")
async def test_an_upstream_is_shown_the_secret_that_is_configured_for_it() -> None:
    broker = Broker({"github": _said("hub"), "orders": _said("desk")})

    assert await broker.credential(_call(ADD)) == Credential(
        "static:github", (("Authorization", "Bearer hub"),)
    )
    assert await broker.credential(_call(REFUND)) == Credential(
        "static:orders", (("Authorization", "Bearer desk"),)
    )


async def test_header_and_prefix_are_those_of_the_grant() -> None:
    broker = Broker({"github": _said("hub")})

    shown = await broker.credential(_call(github=Grant("static", "X-Api-Key", "")))

    assert shown.headers == (("X-Api-Key", "hub"),)


@pytest.mark.requirement("broker:each-upstream-its-own")
@pytest.mark.parametrize(
    "call",
    [
        _call(github=NO_GRANT),
        _call(Target("catalog", "github", "tools/list")),
        _call(Target("tool", "nowhere", "add")),
    ],
)
async def test_without_a_grant_nothing_is_shown(call: Call) -> None:
    assert await Broker({"github": _said("hub")}).credential(call) == NONE


async def test_a_grant_without_a_secret_fails_and_shows_nothing() -> None:
    with pytest.raises(UpstreamFailed, match="no secret is configured for github"):
        await Broker({"orders": _said("desk")}).credential(_call())


async def test_a_secret_is_read_once() -> None:
    reads: list[str] = []

    def read() -> str:
        reads.append("read")
        return "hub"

    broker = Broker({"github": read})
    for _ in range(5):
        await broker.credential(_call())

    assert reads == ["read"]


@pytest.mark.requirement("broker:rotated-secrets")
async def test_a_secret_that_was_rotated_is_read_again_when_the_upstream_refused() -> None:
    values = ["old", "new"]
    broker = Broker({"github": lambda: values.pop(0)})
    call = _call()
    call.credential = await broker.credential(call)

    renewed = await broker.renewed(call, CredentialRefused())

    assert renewed.headers == (("Authorization", "Bearer new"),)
    assert await broker.credential(_call()) == renewed


@pytest.mark.requirement("broker:rotated-secrets")
async def test_a_secret_that_was_not_rotated_is_not_tried_again() -> None:
    broker = Broker({"github": _said("old")})
    call = _call()
    call.credential = await broker.credential(call)

    with pytest.raises(UpstreamFailed, match="refuses the gateway's credential"):
        await broker.renewed(call, CredentialRefused())


async def test_calls_that_were_refused_together_all_get_the_new_secret() -> None:
    values = iter(["old", *["new"] * 9])
    broker = Broker({"github": lambda: next(values)})
    calls = [_call() for _ in range(3)]
    for call in calls:
        call.credential = await broker.credential(call)

    renewed = [await broker.renewed(call, CredentialRefused()) for call in calls]

    assert {credential.headers for credential in renewed} == {(("Authorization", "Bearer new"),)}


async def test_another_configuration_brings_its_own_secrets() -> None:
    broker = Broker({"github": _said("old")})
    await broker.credential(_call())

    broker.swap({"github": _said("new")})

    assert (await broker.credential(_call())).headers == (("Authorization", "Bearer new"),)
    broker.swap({})
    with pytest.raises(UpstreamFailed, match="no secret"):
        await broker.credential(_call())


@pytest.mark.requirement("broker:secrets-stay-inside")
@pytest.mark.parametrize(
    "value", ["", " ", "hub\r\nx-admin: yes", "hub\n", "\x00", "schlüssel", "hub\x7f", " hub"]
)
async def test_a_secret_that_no_header_can_hold_fails_without_being_said(value: str) -> None:
    with pytest.raises(UpstreamFailed, match="nothing that a header can hold") as failed:
        await Broker({"github": _said(value)}).credential(_call())

    assert not value.strip() or value not in str(failed.value)


@pytest.mark.requirement("broker:secrets-stay-inside")
async def test_a_secret_that_cannot_be_read_fails_and_the_caller_learns_no_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = Secret(file=str(tmp_path / "key"))

    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(UpstreamFailed, match="cannot read its secret for github") as failed,
    ):
        await Broker({"github": missing.read}).credential(_call())

    assert str(tmp_path) not in str(failed.value)
    assert str(tmp_path) in caplog.text


@pytest.mark.requirement("broker:secrets-stay-inside")
async def test_a_secret_is_in_no_repr() -> None:
    call: Any = _call()
    call.credential = await Broker({"github": _said("hub-secret")}).credential(call)

    assert "hub-secret" not in repr(call.credential) + repr(call)

import asyncio

import pytest

from mcp_gateway.core.grants import Granted, grant_key
from mcp_gateway.core.snapshot import Current, Keyring
from mcp_gateway.services import awaited
from mcp_gateway.services.awaited import Awaited
from tests.support import calls
from tests.support.calls import ALICE

KEY = grant_key(ALICE, "docs")


@pytest.mark.requirement("connecting:a-person-has-a-while")
async def test_a_consent_that_comes_meanwhile_is_seen() -> None:
    current = Current()
    waiting = asyncio.ensure_future(Awaited(current)(calls.call(), "docs"))
    await asyncio.sleep(0)
    current.swap_keyring(Keyring(grants={KEY: Granted("g", 1)}))

    assert await waiting


@pytest.mark.parametrize(
    "grants",
    [
        {},
        {KEY: Granted("g", 1)},
        {KEY: Granted("h", 2, "broken")},
        {("acme", "local", "bob", "docs"): Granted("h", 2)},
    ],
    ids=["none", "the same", "a broken one", "another person's"],
)
async def test_nobody_waits_longer_than_the_bound_for_what_does_not_come(
    monkeypatch: pytest.MonkeyPatch, grants: dict[tuple[str, str, str, str], Granted]
) -> None:
    monkeypatch.setattr(awaited, "BOUND", 0.01)
    current = Current()
    current.swap_keyring(Keyring(grants=grants))
    before = calls.snapshot(keyring=Keyring(grants={KEY: Granted("g", 1)}))

    assert not await Awaited(current)(calls.call(snapshot=before), "docs")

"""Every connector against its contract, with real servers at the other end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from connectors import CONNECTORS
from tests.connectors import contract
from tests.connectors.cases import CASES, Bench
from tests.connectors.conftest import Around
from tests.connectors.contract import Case


@pytest.fixture(params=CASES)
async def case(
    request: pytest.FixtureRequest, around: Around, tmp_path: Path
) -> AsyncIterator[Case]:
    async with AsyncExitStack() as stack:
        yield await CASES[request.param](Bench(around, stack, tmp_path))


def test_every_connector_has_a_case() -> None:
    assert {name.split()[0] for name in CASES} == set(CONNECTORS)


@pytest.mark.parametrize("check", contract.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.requirement("connectors:one-contract")
async def test_every_connector_keeps_the_contract(
    case: Case, check: Callable[[Case], Awaitable[None]]
) -> None:
    await check(case)


@pytest.mark.requirement("connectors:one-contract")
@pytest.mark.requirement("upstreams:no-credential-is-told")
async def test_every_connector_fails_as_agreed(
    case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    await contract.fails_as_agreed(case, caplog)

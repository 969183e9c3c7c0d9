"""Callers of a whole gateway that say what no sound client says."""

import logging
import random
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

from tests.fuzz.callers import say
from tests.support.gateway import GatewayUnderTest, gateway_under_test

CORPUS: Final = Path(__file__).parent / "corpus"
FILES: Final = sorted(CORPUS.glob("*.bin"))
EXPECTED: Final = tomllib.loads((CORPUS / "expected.toml").read_text("utf-8"))
CONFIG: Final = '[policy]\nrules = ["builtin:first-run"]\n'
AWKWARD: Final = (b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"0", b"\r\n\r\n", b"\xff", b'"', b"{")


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayUnderTest]:
    async with gateway_under_test(tmp_path_factory.mktemp("fuzz"), CONFIG) as running:
        yield running


def host(gateway: GatewayUnderTest) -> str:
    return gateway.url.removeprefix("http://")


def bytes_of(path: Path, gateway: GatewayUnderTest) -> bytes:
    """A file of the corpus, for this gateway and a caller that it knows."""
    raw = path.read_bytes().replace(b"@HOST@", host(gateway).encode())
    return raw.replace(b"@KEY@", gateway.keys["alice"].encode())


@pytest.mark.requirement("edge:no-smuggling")
@pytest.mark.requirement("edge:bad-input")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_each_file_has_its_answers_and_what_follows_is_read_right(
    gateway: GatewayUnderTest, caplog: pytest.LogCaptureFixture, path: Path
) -> None:
    with caplog.at_level(logging.ERROR):
        heard = await say(host(gateway), bytes_of(path, gateway))

    assert heard.statuses == EXPECTED[path.stem]
    assert 404 not in heard.statuses or path.stem == "line-encoded-path", "nothing was smuggled"
    assert not caplog.records


def test_every_file_is_expected_to_be_answered_somehow() -> None:
    assert set(EXPECTED) == {path.stem for path in FILES}
    assert len(FILES) > 80


@pytest.mark.requirement("edge:bad-input")
@pytest.mark.parametrize("seed", range(100))
async def test_whatever_is_changed_in_them_the_gateway_goes_on(
    gateway: GatewayUnderTest, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    chance = random.Random(seed)  # to be the same again
    path = chance.choice([path for path in FILES if path.stat().st_size < 5000])
    changed = _changed(bytes_of(path, gateway), chance)

    with caplog.at_level(logging.ERROR):
        heard = await say(host(gateway), changed, quiet=0.1)
        after = await say(host(gateway), b"")

    assert set(heard.statuses) <= {200, 202, 400, 401, 404, 405, 408, 413, 415, 421, 431}
    assert after.bodies == [b"ok\n"]
    assert not caplog.records


def _changed(raw: bytes, chance: random.Random) -> bytes:
    """A few pieces are taken out, repeated, or replaced by what parsers trip over."""
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randint(0, len(raw)), chance.randint(0, 30)
        piece = chance.choice([*AWKWARD, raw[at : at + length] * 2, b""])
        raw = raw[:at] + piece + raw[at + length :]
    return raw

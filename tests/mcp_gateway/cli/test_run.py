import os
import re
import sqlite3
from pathlib import Path

import pytest

from mcp_gateway.cli.run import ROLES
from mcp_gateway.core.snapshot import Keyring
from mcp_gateway.home import Home
from mcp_gateway.ledger import files, reader
from mcp_gateway.ledger.verify import verify
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import Keys, digest_of
from tests.mcp_gateway.cli.conftest import run
from tests.support.process import KEY, command, served, until

CONFIG = """
[gateway]
listen = "127.0.0.1:@PORT@"

[policy]
rules = ["builtin:first-run"]
"""


def keyring(data: Path) -> Keyring:
    database = Database.open(Home(data).database)
    try:
        return Keys(database).keyring(0)
    finally:
        database.close()


def kinds(data: Path) -> list[str]:
    return [line["kind"] for line in reader.entries(data / "ledger")]


def init(data: Path, *words: str) -> str:
    result = run("init", "--data", str(data), *words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.requirement("cli:init")
def test_the_first_time_a_configuration_and_an_administrator_are_made(tmp_path: Path) -> None:
    data = tmp_path / "var"
    said = init(data)

    (key,) = KEY.findall(said)
    found = keyring(data).keys[digest_of(key)].principal
    assert (found.subject, found.issuer, found.roles) == ("admin", "local", ROLES)
    assert f"The configuration is {data / 'gateway.toml'}." in said
    assert kinds(data) == ["opened", "key.first", "closed"]
    entry = next(line for line in reader.entries(data / "ledger") if line["kind"] == "key.first")
    assert (entry["subject"], entry["issuer"], entry["uid"]) == ("admin", "local", os.getuid())


@pytest.mark.requirement("cli:init")
def test_again_it_keeps_what_there_is_and_shows_no_key(tmp_path: Path) -> None:
    init(tmp_path / "var")
    before = kinds(tmp_path / "var")
    said = init(tmp_path / "var")

    assert KEY.findall(said) == []
    assert "There is a key already: --reset-admin makes another one." in said
    assert kinds(tmp_path / "var") == before


@pytest.mark.requirement("cli:reset-admin")
def test_a_reset_ends_every_key_of_the_administrator_and_is_an_entry(tmp_path: Path) -> None:
    data = tmp_path / "var"
    (old,) = KEY.findall(init(data))
    said = init(data, "--reset-admin")
    (new,) = KEY.findall(said)

    assert set(keyring(data).keys) == {digest_of(new)}
    assert old != new
    assert "key.reset" in kinds(data)
    assert [report.damage for report in verify(data / "ledger")] == [[], []]


@pytest.mark.requirement("cli:reset-admin")
def test_without_a_record_there_is_no_reset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "var"
    (old,) = KEY.findall(init(data))

    def full(_: files.Segment) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Segment, "flush", full)
    result = run("init", "--data", str(data), "--reset-admin")
    monkeypatch.undo()

    assert result.exit_code != 0
    assert set(keyring(data).keys) == {digest_of(old)}
    assert KEY.findall(result.output) == []


@pytest.mark.requirement("cli:reset-admin")
async def test_a_reset_beside_a_running_gateway_takes_effect_there_within_a_second(
    tmp_path: Path,
) -> None:
    async with served(tmp_path, CONFIG) as gateway:
        before = await gateway.call("gateway__whoami")
        reset = command("init", "--reset-admin", data=gateway.data)
        (new,) = KEY.findall(reset.out)

        async def ended() -> bool:
            return (await gateway.call("gateway__whoami")).status_code == 401

        await until(ended, within=1.5)
        opens = await gateway.call("gateway__whoami", new)
        await until(lambda: "key.reset" in kinds(gateway.data))
        damage = [line for report in verify(gateway.data / "ledger") for line in report.damage]
        troubles = await gateway.ready()

    assert (before.status_code, opens.status_code) == (200, 200)
    assert damage == []
    assert troubles == {}
    assert len(files.logs(gateway.data / "ledger")) == 2


@pytest.mark.requirement("cli:bad-input-ends-in-words")
@pytest.mark.parametrize("words", [["init"], ["serve"], ["check"]])
def test_a_configuration_that_cannot_be_taken_ends_in_words(
    tmp_path: Path, words: list[str]
) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "gateway.toml").write_text("[gateway]\nlisten_on = 1\n")
    result = run(*words, "--data", str(tmp_path))

    assert result.exit_code == 1
    assert "gateway.listen_on: Extra inputs are not permitted" in result.output


@pytest.mark.requirement("cli:bad-input-ends-in-words")
def test_what_is_wrong_only_as_a_whole_ends_a_start_with_every_reason(tmp_path: Path) -> None:
    data = tmp_path / "var"
    data.mkdir(mode=0o700)
    (data / "gateway.toml").write_text(
        '[policy]\nrules = ["none.csv"]\n[servers.a]\nconnector = "pigeon"\n'
    )
    ran = command("serve", data=data)

    assert ran.code == 1
    assert re.search(r"Error: 2 faults:\n  servers.a: no connector 'pigeon'", ran.err)
    assert "none.csv" in ran.err
    assert "Traceback" not in ran.err
    assert KEY.findall(ran.out + ran.err) == []
    assert files.read_text(files.logs(data / "ledger")[0] / files.END).startswith("closed")


@pytest.mark.requirement("cli:bad-input-ends-in-words")
def test_a_store_that_is_damaged_ends_a_start_in_words(tmp_path: Path) -> None:
    data = tmp_path / "var"
    init(data)
    with sqlite3.connect(data / "gateway.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    (data / "gateway.db").write_bytes(b"damaged" * 1000)
    for name in ("init", "serve"):
        ran = command(name, data=data)
        assert ran.code == 1
        assert "gateway.db: file is not a database" in ran.err


@pytest.mark.requirement("cli:bad-input-ends-in-words")
def test_a_ledger_that_is_damaged_ends_a_start_in_words(tmp_path: Path) -> None:
    data = tmp_path / "var"
    init(data)
    log = files.logs(data / "ledger")[0]
    (log / files.END).unlink()
    (log / files.PUBLIC_KEY).unlink()
    ran = command("serve", data=data)

    assert ran.code == 1
    assert "keep the folder as evidence" in ran.err

"""Children: what they get, what they cannot do, and how they end. The programs here are real."""

import json
import os
import sys
from pathlib import Path

import pytest

from connectors.child import Child
from mcp_gateway.core.errors import Overloaded, UpstreamFailed
from tests.connectors.children import command, finished, python, spoken
from tests.support.fakes import FakeLedger


@pytest.mark.requirement("children:next-to-nothing")
async def test_a_child_sees_the_variables_that_were_named_for_it_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAMED", "for it")
    monkeypatch.setenv("UNNAMED", "secret")

    said = await spoken(
        command(
            tmp_path,
            "/usr/bin/env",
            environment=("NAMED", "NOT_THERE"),
            variables=(("PORT", "1"),),
        )
    )

    assert sorted(said.decode().split("\n")) == ["", "NAMED=for it", "PORT=1"]


@pytest.mark.requirement("children:next-to-nothing")
async def test_a_child_works_in_a_folder_of_its_own_that_nobody_else_may_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "own").mkdir(mode=0o755)

    said = await spoken(command(tmp_path, "/bin/pwd"))

    assert said.decode().strip() == str(tmp_path / "own")
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700


@pytest.mark.requirement("children:next-to-nothing")
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what is open this way")
async def test_a_child_has_its_three_streams_and_nothing_else_of_the_gateways(
    tmp_path: Path,
) -> None:
    other, end = os.pipe()
    os.set_inheritable(end, True)
    program = """
        import os
        print([n for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)])
    """

    said = await spoken(python(tmp_path, program))
    os.close(other)
    os.close(end)

    assert said.decode().strip() == "['0', '1', '2']"


@pytest.mark.requirement("children:next-to-nothing")
async def test_no_shell_reads_the_words_of_a_command(tmp_path: Path) -> None:
    words = ["$HOME", "; touch escaped", "`id`", "a b", "*"]

    said = await spoken(command(tmp_path, "/usr/bin/printf", r"%s\n", *words))

    assert said.decode().splitlines() == words
    assert list((tmp_path / "own").iterdir()) == []


@pytest.mark.requirement("children:next-to-nothing")
async def test_a_child_and_what_it_starts_have_limits(tmp_path: Path) -> None:
    program = """
        import json, resource, subprocess, sys
        kinds = (resource.RLIMIT_CORE, resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)
        if len(sys.argv) == 1:
            subprocess.run([sys.executable, __file__, "again"])
        print(json.dumps([resource.getrlimit(kind) for kind in kinds]))
    """

    said = await spoken(python(tmp_path, program, files=99, memory=256 * 1024 * 1024))

    limits = [[0, 0], [99, 99], [256 * 1024 * 1024] * 2]
    assert [json.loads(line) for line in said.splitlines()] == [limits, limits]


async def test_a_child_that_wants_too_much_memory_ends_by_itself(tmp_path: Path) -> None:
    ledger = FakeLedger()

    child = await finished(
        python(tmp_path, "held = bytearray(2 << 30)", memory=256 * 1024 * 1024), ledger
    )

    assert child.end == "ended with exit code 1"
    assert "MemoryError" in str(child.words)


@pytest.mark.requirement("children:every-spawn-is-an-entry")
async def test_a_spawn_and_its_end_are_entries_with_one_id(tmp_path: Path) -> None:
    ledger = FakeLedger()

    await finished(python(tmp_path, "raise SystemExit(3)"), ledger)

    spawn, end = ledger.entries
    assert ledger.kinds == ["spawn", "child.ended"]
    assert spawn.body["server"] == end.body["server"] == "up"
    assert spawn.body["child"] == end.body["child"]
    assert spawn.body["command"][0] == sys.executable
    assert (end.body["end"], end.body["code"]) == ("ended with exit code 3", 3)


@pytest.mark.requirement("children:every-spawn-is-an-entry")
async def test_what_cannot_be_recorded_is_not_started(tmp_path: Path) -> None:
    ledger = FakeLedger(broken={"spawn"})

    with pytest.raises(Overloaded):
        await Child.spawn(command(tmp_path, "/usr/bin/touch", "started"), ledger, piped=False)

    assert list((tmp_path / "own").iterdir()) == []


async def test_an_end_that_cannot_be_recorded_is_said_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await finished(command(tmp_path, "/bin/true"), FakeLedger(broken={"child.ended"}))

    assert "the end of up could not be recorded" in caplog.text


@pytest.mark.parametrize("program", ["no-such-program", "/no/such/program", "./program", "."])
async def test_a_program_that_is_not_there_is_told_before_anything_is_recorded(
    tmp_path: Path, program: str
) -> None:
    ledger = FakeLedger()

    with pytest.raises(UpstreamFailed, match="there is no program"):
        await Child.spawn(command(tmp_path, program), ledger, piped=False)

    assert ledger.entries == []


async def test_a_program_is_found_by_the_path_that_the_child_has(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "greet").symlink_to("/bin/echo")
    variables = (("PATH", str(tmp_path / "bin")),)

    assert await spoken(command(tmp_path, "greet", "hello", variables=variables)) == b"hello\n"


async def test_a_program_in_its_own_folder_is_found_there(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "greet").symlink_to("/bin/echo")

    assert await spoken(command(tmp_path, "./greet", "hello")) == b"hello\n"


async def test_a_program_that_cannot_be_run_says_so_with_its_last_words(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\0\0 no format that is known")
    program.chmod(0o700)

    child = await finished(command(tmp_path, str(program)))

    assert child.end == "ended with exit code 1"
    assert "cannot be run: Exec format error" in str(child.words)


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("a file", "utf-8")

    with pytest.raises(UpstreamFailed, match="up cannot be started: File exists"):
        await Child.spawn(command(tmp_path, "/bin/true"), FakeLedger(), piped=False)


async def test_a_system_that_cannot_start_anything_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    before = len(list(Path("/proc/self/fd").iterdir()))

    with pytest.raises(UpstreamFailed, match="up cannot be started: No such file"):
        await Child.spawn(command(tmp_path, "/bin/true"), FakeLedger(), piped=True)

    assert len(list(Path("/proc/self/fd").iterdir())) <= before

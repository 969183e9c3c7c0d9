import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlmodel import select

from mcp_gateway.core.principal import Principal
from mcp_gateway.store.database import Database, StoreDamagedError
from mcp_gateway.store.keys import Keys
from mcp_gateway.store.revocations import Revocations
from mcp_gateway.store.rows import LeaseRow
from mcp_gateway.store.tables import RevocationRow

ROOT = Path(__file__).parents[3]
DENY = """
import sys
from pathlib import Path
from mcp_gateway.store.database import Database
from mcp_gateway.store.revocations import Revocations
Revocations(Database.open(Path(sys.argv[1]))).deny("subject:local|eve", "gone", 1)
"""
ADA = Principal("local", "ada", "acme", roles=frozenset({"user"}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


def test_every_file_of_the_store_is_its_owners_alone(path: Path) -> None:
    database = Database.open(path)
    Keys(database).create(ADA, 1)

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == {"gateway.db": 0o600, "gateway.db-wal": 0o600, "gateway.db-shm": 0o600}
    database.close()


def test_what_is_committed_survives_the_machine(path: Path) -> None:
    database = Database.open(path)
    with database.reading() as session:
        connection = session.connection()
        found = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in _PRAGMAS]
    database.close()

    assert found == ["wal", 2, 5000]


def test_each_change_is_a_revision_and_looking_is_none(path: Path) -> None:
    database = Database.open(path)
    keys = Keys(database)
    before = database.revision()
    key_id, _ = keys.create(ADA, 1)
    after_create = database.revision()
    keys.list("acme")
    keys.keyring(0)
    after_looking = database.revision()
    keys.revoke(key_id, "acme", 2)

    assert (before, after_create, after_looking, database.revision()) == (0, 1, 1, 2)
    database.close()


def test_what_fails_in_the_middle_changes_nothing(path: Path) -> None:
    database = Database.open(path)

    def half(session_row: RevocationRow) -> None:
        with database.writing() as session:
            session.add(session_row)
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half(RevocationRow(name="subject:x", reason="", revoked=1))
    with database.reading() as session:
        rows = session.exec(select(RevocationRow)).all()

    assert (list(rows), database.revision()) == ([], 0)
    database.close()


@pytest.mark.requirement("store:no-change-is-missed")
def test_changes_at_the_same_time_are_a_revision_each(path: Path) -> None:
    """A change that took another one's number would be a revocation that nobody looks for."""
    databases = [Database.open(path) for _ in range(4)]
    begin, faults = threading.Barrier(len(databases)), list[Exception]()

    def write(database: Database, lane: int) -> None:
        begin.wait(10)
        try:
            for number in range(15):
                Revocations(database).deny(f"subject:{lane}-{number}", "", 1)
        except Exception as error:  # noqa: BLE001  # the test is about there being none
            faults.append(error)

    threads = [
        threading.Thread(target=write, args=(database, lane))
        for lane, database in enumerate(databases)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert faults == []
    assert databases[0].revision() == 60
    assert len(Keys(databases[1]).keyring(0).revoked) == 60
    for database in databases:
        database.close()


@pytest.mark.requirement("store:no-change-is-missed")
def test_another_process_sees_the_revision_and_what_it_is_of(path: Path) -> None:
    database = Database.open(path)
    before = database.revision()
    subprocess.run(
        [
            sys.executable,
            "-c",
            DENY,
            str(path),
        ],
        cwd=ROOT,
        check=True,
        timeout=60,
    )

    assert database.revision() == before + 1
    assert Keys(database).keyring(0).revoked == {"subject:local|eve"}
    database.close()


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_text("no database, but long enough to be told from an empty one" * 20)
    with pytest.raises(StoreDamagedError, match=r"gateway\.db: file is not a database"):
        Database.open(path)


def test_a_writer_waits_for_another_one(path: Path) -> None:
    database = Database.open(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, other.execute, ["COMMIT"])
    timer.start()

    Revocations(database).deny("subject:late", "", 1)

    timer.join(5)
    assert database.revision() == 1
    database.close()
    other.close()


_PRAGMAS = ("journal_mode", "synchronous", "busy_timeout")


@pytest.mark.requirement("identity:no-change-is-missed")
def test_changes_of_several_threads_all_count(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "gateway.db")

    def change() -> None:
        for _ in range(20):
            with database.writing():
                pass

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(change) for _ in range(4)]:
            done.result()

    assert database.revision() == 80
    database.close()


def test_a_quiet_change_is_no_new_revision(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "gateway.db")

    with database.quietly() as session:
        session.add(LeaseRow(name="x", owner="me", until=1.0))

    assert database.revision() == 0
    with database.reading() as session:
        assert session.get(LeaseRow, "x") is not None
    database.close()

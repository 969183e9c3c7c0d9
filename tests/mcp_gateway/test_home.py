import os
import stat
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mcp_gateway.config import ConfigError, Settings, load
from mcp_gateway.home import Home
from mcp_gateway.services.compiled import compiled


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "deep" / "var")
    made.prepare()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.requirement("home:its-owners-alone")
def test_the_folder_and_all_in_it_are_the_owners_alone(home: Home) -> None:
    before = os.umask(0)
    try:
        home.write_defaults()
        home.signing_key()
        home.commitment_secret()
        home.vault_secret()
        home.installation()
    finally:
        os.umask(before)

    assert mode(home.folder) == 0o700
    assert {path.name: mode(path) for path in home.folder.iterdir()} == dict.fromkeys(
        (
            "commitments.key",
            "gateway.toml",
            "installation",
            "ledger.key",
            "policy.csv",
            "vault.key",
        ),
        0o600,
    )


@pytest.mark.requirement("home:its-owners-alone")
@pytest.mark.parametrize("others", [0o710, 0o701, 0o770, 0o755, 0o704])
def test_a_folder_that_others_may_enter_or_read_is_refused(home: Home, others: int) -> None:
    home.folder.chmod(others)
    with pytest.raises(ConfigError, match="run `chmod 700 "):
        home.prepare()


def test_a_folder_that_is_there_already_is_kept(home: Home) -> None:
    (home.folder / "gateway.toml").write_text("mine")
    home.prepare()
    home.write_defaults()

    assert home.config.read_text() == "mine"


@pytest.mark.requirement("home:keys-are-made-once")
def test_keys_and_names_are_made_once(home: Home) -> None:
    def made() -> tuple[bytes, bytes, bytes, str]:
        signing = home.signing_key().private_bytes_raw()
        return signing, home.commitment_secret(), home.vault_secret(), home.installation()

    first = made()

    assert made() == first
    assert [len(part) for part in first] == [32, 32, 32, len("mcp-gateway.local/12345678")]


@pytest.mark.requirement("home:keys-are-made-once")
def test_two_homes_have_nothing_in_common(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other")
    other.prepare()

    assert home.signing_key().private_bytes_raw() != other.signing_key().private_bytes_raw()
    assert home.commitment_secret() != other.commitment_secret()
    assert home.installation() != other.installation()


def test_a_file_is_made_whole_or_not_at_all(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key file that a crash left empty would be a key that everybody knows."""

    def crash(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="No space left"):
        home.commitment_secret()
    monkeypatch.undo()

    assert not (home.folder / "commitments.key").exists()
    assert len(home.commitment_secret()) == 32


def test_of_two_processes_that_begin_at_once_one_makes_the_keys(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = "ab" * 32
    real = os.link

    def late(source: str, to: Path) -> None:
        to.write_text(mine)
        real(source, to)

    monkeypatch.setattr(os, "link", late)

    assert home.commitment_secret() == bytes.fromhex(mine)
    assert [path.name for path in home.folder.iterdir()] == ["commitments.key"]


def test_a_key_of_another_kind_is_refused(home: Home) -> None:
    other = generate_private_key(SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    (home.folder / "ledger.key").write_bytes(other)
    with pytest.raises(ConfigError, match=r"ledger\.key is no Ed25519 key"):
        home.signing_key()


@pytest.mark.parametrize(
    ("file", "content", "read"),
    [
        ("ledger.key", b"torn", Home.signing_key),
        ("ledger.key", b"", Home.signing_key),
        ("commitments.key", b"not hexadecimal", Home.commitment_secret),
        ("commitments.key", b"abcd", Home.commitment_secret),
        ("commitments.key", b"", Home.commitment_secret),
    ],
)
def test_a_key_file_that_was_damaged_is_named_and_not_made_anew(
    home: Home, file: str, content: bytes, read: object
) -> None:
    assert callable(read)
    (home.folder / file).write_bytes(content)
    with pytest.raises(ConfigError, match=file):
        read(home)
    assert (home.folder / file).read_bytes() == content


def test_the_defaults_are_a_configuration_that_passes(home: Home) -> None:
    home.write_defaults()
    settings = load(home.config, {})

    assert set(settings.servers) == {"orders"}
    assert compiled(settings, home.folder).engine.rules.rules


def test_with_samples_the_defaults_name_them(home: Home, tmp_path: Path) -> None:
    home.write_defaults(tmp_path / "samples")
    settings = Settings.model_validate(tomllib.loads(home.config.read_text()))

    assert set(settings.servers) == {"orders", "time", "everything"}
    assert str(tmp_path / "samples") in str(settings.servers["time"].own()["command"])
    assert "@" not in str(settings.servers["orders"].own()["command"])
    compiled(settings, home.folder)


def test_a_path_with_a_quote_in_it_stays_a_configuration(home: Home, tmp_path: Path) -> None:
    odd = tmp_path / 'sam"ples \\ of'
    home.write_defaults(odd)

    command = load(home.config, {}).servers["time"].own()["command"]
    assert command[0] == f"{odd}/time/bin/python"


@pytest.mark.requirement("home:state-secret")
def test_the_secret_of_handles_is_made_once_and_is_no_other(home: Home) -> None:
    secret = home.state_secret()

    assert len(secret) == 32
    assert home.state_secret() == secret
    assert home.commitment_secret() != secret
    assert mode(home.folder / "state.key") == 0o600


def test_a_secret_of_handles_that_is_none_says_what_to_do(home: Home) -> None:
    (home.folder / "state.key").write_text("half a secr")

    with pytest.raises(ConfigError, match=r"state\.key is no secret of 32 bytes.*or remove it"):
        home.state_secret()

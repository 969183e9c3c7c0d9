"""The key stays in the token: with SoftHSM, which is software and speaks PKCS#11."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from mcp_gateway.config import ConfigError
from mcp_gateway.oauth.keys.pkcs11 import Pkcs11Kek
from mcp_gateway.oauth.ports import Place
from tests.support.gateway import gateway_under_test

MODULE: Final = "/usr/lib/softhsm/libsofthsm2.so"
PIN: Final = "marked-1234"
HERE: Final = Place("default", "local|ada", "github", "delegated")
MAKE: Final = """
import os, sys, PyKCS11 as p
library = p.PyKCS11Lib(); library.load(sys.argv[1])
slot = next(s for s in library.getSlotList(True) if library.getTokenInfo(s).label.strip() == "gw")
session = library.openSession(slot, p.CKF_SERIAL_SESSION | p.CKF_RW_SESSION)
session.login(sys.argv[2])
flags = [p.CKA_TOKEN, p.CKA_PRIVATE, p.CKA_SENSITIVE, p.CKA_ENCRYPT, p.CKA_DECRYPT]
about = [(p.CKA_CLASS, p.CKO_SECRET_KEY), (p.CKA_KEY_TYPE, p.CKK_AES), (p.CKA_VALUE_LEN, 32),
         (p.CKA_EXTRACTABLE, False), (p.CKA_LABEL, sys.argv[3]), (p.CKA_ID, os.urandom(8))]
session.generateKey([*about, *((flag, True) for flag in flags)],
                    p.Mechanism(p.CKM_AES_KEY_GEN, None))
"""
pytestmark = pytest.mark.debian


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A token `gw` with the keys `one` and `two`."""
    (tmp_path / "tokens").mkdir()
    conf = tmp_path / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(conf))
    made = ["softhsm2-util", "--init-token", "--free", "--label", "gw", "--so-pin", "5678"]
    subprocess.run([*made, "--pin", PIN], check=True, capture_output=True, timeout=60)
    for label in ("one", "two"):
        subprocess.run([sys.executable, "-c", MAKE, MODULE, PIN, label], check=True, timeout=60)
    (tmp_path / "pin").write_text(PIN)
    return tmp_path


@pytest.mark.usefixtures("token")
@pytest.mark.requirement("vault:a-key-in-a-token")
def test_what_is_wrapped_comes_back_for_what_it_is_bound_to_alone() -> None:
    one, two = Pkcs11Kek(MODULE, "gw", "one", PIN), Pkcs11Kek(MODULE, "gw", "two", PIN)
    key = os.urandom(32)
    wrapped = one.wrap(key, b"here")

    assert one.unwrap(wrapped, b"here") == key
    assert one.id != two.id
    for kek, tried, bound in (
        (one, wrapped, b"there"),
        (two, wrapped, b"here"),
        (one, b"", b"here"),
    ):
        with pytest.raises(ValueError, match="not wrapped by this key"):
            kek.unwrap(tried, bound)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: one.unwrap(one.wrap(key, b"x"), b"x"), range(200))) == {key}


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"label": "three"}, "0 AES keys"),
        ({"token": "other"}, "no token 'other'"),
        ({"pin": "wrong"}, "cannot be used"),
    ],
)
def test_what_cannot_be_opened_is_said_without_the_pin(given: dict[str, str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as failed:
        Pkcs11Kek(**{"module": MODULE, "token": "gw", "label": "one", "pin": PIN, **given})

    assert PIN not in str(failed.value)


@pytest.mark.requirement("vault:a-key-in-a-token")
async def test_a_gateway_seals_with_a_token_what_a_file_sealed_before(token: Path) -> None:
    pkcs11 = (
        f'[vault.pkcs11]\nmodule = "{MODULE}"\ntoken = "gw"\nlabel = "one"\n'
        f'pin = {{ file = "{token}/pin" }}\n'
    )
    async with gateway_under_test(token, "") as gateway:
        secrets = gateway.parts.wired.secrets
        assert secrets is not None
        await secrets.put(HERE, {"token": "x"})
    previous = f'[vault]\nprevious = [{{ file = "{token}/var/vault.key" }}]\n'
    async with (
        gateway_under_test(token, previous + pkcs11) as gateway,
        gateway.http("admin") as http,
    ):
        answer = await http.post("/admin/vault/rewrap", json={})
        assert (answer.json()["count"], answer.json()["lost"]) == (1, 0)
    async with gateway_under_test(token, pkcs11) as gateway:
        secrets = gateway.parts.wired.secrets
        assert secrets is not None
        assert await secrets.get(HERE) == {"token": "x"}
    (token / "pin").write_text("wrong")
    with pytest.raises(ConfigError, match="vault"):
        async with gateway_under_test(token, pkcs11):
            pytest.fail("it started")

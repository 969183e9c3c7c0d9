"""`tokens`: what an administrator takes back, from the command line."""

import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.mcp_gateway.cli.test_admin import status
from tests.support.gateway import GatewayUnderTest
from tests.support.tokens import ISSUER, claims, signed

Admin = Callable[..., Awaitable[Result]]


@pytest.mark.requirement("revocation:by-every-name")
async def test_a_subject_is_revoked_listed_and_restored(
    gateway: GatewayUnderTest, admin: Admin
) -> None:
    key = gateway.key("leaver", "user")
    await gateway.parts.keyring.refresh()
    before = await status(gateway, key)
    said = await admin("tokens", "revoke", "--subject", "leaver", "--reason", "left")
    after = await status(gateway, key)
    listed = await admin("tokens", "revoked")
    restored = await admin("tokens", "restore", "subject:local|leaver")

    assert (before, after, await status(gateway, key)) == (200, 401, 200)
    assert said.output == "revoked subject:local|leaver\n"
    assert re.search(
        r"^subject:local\|leaver  all that was issued by 20\S+Z  left$", listed.output, re.MULTILINE
    )
    assert restored.output == "restored subject:local|leaver\n"


async def test_a_token_is_read_from_a_file_so_that_no_list_of_processes_shows_it(
    admin: Admin, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_bytes(signed(claims(jti="t-9", exp=int(time.time()) + 60)) + b"\n")

    said = await admin("tokens", "revoke", "--token", str(file))
    listed = await admin("tokens", "revoked")
    await admin("tokens", "restore", f"token:{ISSUER}|t-9")

    assert said.output == f"revoked token:{ISSUER}|t-9\n"
    assert re.search(rf"^token:{ISSUER}\|t-9  until 20\S+Z$", listed.output, re.MULTILINE)


async def test_a_program_is_revoked_for_good(admin: Admin) -> None:
    said = await admin("tokens", "revoke", "--client", "an old one", "--for-good")
    listed = await admin("tokens", "revoked")
    await admin("tokens", "restore", "client:an old one")

    assert said.output == "revoked client:an old one\n"
    assert "client:an old one  for good\n" in listed.output


async def test_nothing_named_is_nothing_revoked(admin: Admin) -> None:
    said = await admin("tokens", "revoke")

    assert said.exit_code == 1
    assert "one of token, subject, client, key, family" in said.output

import hashlib
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_gateway.core.principal import Principal
from mcp_gateway.store.database import Database
from mcp_gateway.store.keys import PREFIX, Keys, digest_of

ADA = Principal(
    "local",
    "ada",
    "acme",
    client="laptop",
    roles=frozenset({"user", "desk"}),
    scopes=frozenset({"orders:read"}),
    mode="attended",
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open(tmp_path / "gateway.db")


@pytest.fixture
def keys(database: Database) -> Keys:
    return Keys(database)


@pytest.mark.requirement("store:keys-are-hashed")
def test_a_key_is_kept_as_its_digest_only(keys: Keys, tmp_path: Path) -> None:
    key_id, text = keys.create(ADA, 10)

    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    secret = text.removeprefix(f"{PREFIX}_{key_id}_").encode()
    assert len(secret) == 43
    assert secret not in kept
    assert hashlib.sha256(text.encode()).hexdigest().encode() in kept


def test_a_key_stands_for_its_principal_whole(keys: Keys) -> None:
    key_id, text = keys.create(ADA, 10, expires=99)

    (found,) = keys.keyring(7).keys.items()
    assert found[0] == digest_of(text) == digest_of(text.encode())
    assert (found[1].id, found[1].principal, found[1].expires) == (key_id, ADA, 99)
    assert keys.keyring(7).generation == 7


def test_a_key_without_a_client_is_known_by_its_id(keys: Keys) -> None:
    key_id, text = keys.create(Principal("local", "ada", "acme"), 10)

    assert keys.keyring(0).keys[digest_of(text)].principal.client == f"key:{key_id}"


def test_two_keys_are_never_alike(keys: Keys) -> None:
    made = [keys.create(ADA, 10) for _ in range(50)]

    assert len({text for _, text in made}) == len({key_id for key_id, _ in made}) == 50


def test_a_list_shows_all_but_the_secret_in_the_order_of_their_making(keys: Keys) -> None:
    second, _ = keys.create(ADA, 20, expires=99)
    first, text = keys.create(ADA, 10)
    keys.create(Principal("local", "eve", "other"), 5)
    keys.revoke(first, "acme", 30)

    listed = keys.list("acme")
    assert [summary.id for summary in listed] == [first, second]
    assert asdict(listed[1]) == {
        "id": second,
        "subject": "ada",
        "client": "laptop",
        "mode": "attended",
        "roles": ["desk", "user"],
        "scopes": ["orders:read"],
        "created": 20,
        "expires": 99,
        "revoked": 0,
    }
    assert listed[0].revoked == 30
    assert text not in repr(listed)


@pytest.mark.requirement("identity:keys-are-revoked-within-a-second")
def test_a_revoked_key_is_in_no_keyring_and_stays_revoked_since_when_it_was(keys: Keys) -> None:
    key_id, _ = keys.create(ADA, 10)
    done = [keys.revoke(key_id, "acme", moment) for moment in (20, 30)]

    assert done == [True, True]
    assert not keys.keyring(0).keys
    assert keys.list("acme")[0].revoked == 20


@pytest.mark.parametrize(
    ("key_id", "tenant"), [("00000000", "acme"), ("", "acme"), ("own", "else")]
)
def test_only_a_key_of_the_own_tenant_can_be_revoked(keys: Keys, key_id: str, tenant: str) -> None:
    own, _ = keys.create(ADA, 10)

    assert not keys.revoke(own if key_id == "own" else key_id, tenant, 20)
    assert len(keys.keyring(0).keys) == 1


def test_every_key_of_a_subject_ends_and_no_other(keys: Keys) -> None:
    for subject, tenant in (("ada", "acme"), ("ada", "acme"), ("eve", "acme"), ("ada", "other")):
        keys.create(Principal("local", subject, tenant), 10)

    ended = [keys.revoke_subject("ada", "acme", 20), keys.revoke_subject("ada", "acme", 30)]

    assert ended == [2, 0]
    left = {(k.principal.subject, k.principal.tenant) for k in keys.keyring(0).keys.values()}
    assert left == {("eve", "acme"), ("ada", "other")}


@settings(max_examples=15, deadline=None)
@given(
    roles=st.frozensets(st.from_regex(r"[a-z][a-z:._-]{0,20}", fullmatch=True), max_size=5),
    scopes=st.frozensets(st.from_regex(r"[!-~]{1,20}", fullmatch=True), max_size=5),
)
def test_roles_and_scopes_come_back_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, roles: frozenset[str], scopes: frozenset[str]
) -> None:
    database = Database.open(tmp_path_factory.mktemp("keys") / "gateway.db")
    _, text = Keys(database).create(Principal("local", "a", "t", roles=roles, scopes=scopes), 1)
    found = Keys(database).keyring(0).keys[digest_of(text)].principal
    database.close()

    assert (found.roles, found.scopes) == (roles, scopes)

"""Checkpoints are C2SP signed notes: by the published example, and whatever is done to one."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mcp_gateway.ledger.note import (
    Checkpoint,
    NoteError,
    notes,
    opened,
    parse_verifier,
    signed,
    verifier_line,
)
from tests.mcp_gateway.ledger.logs import KEY

# The example of the signed note's own documentation: its signer, its verifier, its note.
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PUBLISHED_VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKv"
    "qfqdngotpRZb6KE6RyyBwJnAM=\n"
)

CHECKPOINT = Checkpoint("test/000001", 7, bytes(range(32)))
NOTE = signed(CHECKPOINT, KEY)
VERIFIER = verifier_line(CHECKPOINT.origin, KEY)
SIGNATURE = NOTE.splitlines()[-1]


@pytest.mark.requirement("ledger:checkpoints-are-signed-notes")
def test_a_published_key_has_its_published_verifier_line() -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    origin, public = parse_verifier(PUBLISHED_VERIFIER)

    assert verifier_line("PeterNeumann", key) == PUBLISHED_VERIFIER
    assert origin == "PeterNeumann"
    assert public.public_bytes_raw() == key.public_key().public_bytes_raw()


@pytest.mark.requirement("ledger:checkpoints-are-signed-notes")
def test_the_signature_of_a_published_note_holds_though_it_is_no_checkpoint() -> None:
    with pytest.raises(NoteError, match="does not have origin, size and root"):
        opened(PUBLISHED_NOTE, PUBLISHED_VERIFIER)
    with pytest.raises(NoteError, match="no line of the checkpoint is signed"):
        opened(PUBLISHED_NOTE.replace("think", "thinK"), PUBLISHED_VERIFIER)


@given(st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_is_opened_as_it_was_signed(size: int, root: bytes) -> None:
    checkpoint = Checkpoint("test/000001", size, root)

    assert opened(signed(checkpoint, KEY), VERIFIER) == checkpoint


def test_a_signature_of_somebody_else_beside_it_is_passed_over() -> None:
    other = signed(CHECKPOINT, Ed25519PrivateKey.generate()).splitlines()[-1]
    witness = "\u2014 witness.example/1 AAAAAAAA"

    assert opened(NOTE.replace(SIGNATURE, f"{witness}\n{other}\n{SIGNATURE}"), VERIFIER)


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        NOTE.replace("\n7\n", "\n8\n"),
        NOTE.replace("test/000001", "test/000002"),
        NOTE.replace(SIGNATURE, ""),
        NOTE.replace(SIGNATURE, SIGNATURE.replace("\u2014 test/000001 ", "\u2014 test/000001 A")),
        NOTE.replace(SIGNATURE, "\u2014 test/000001 not base64!"),
        NOTE.replace(SIGNATURE, "\u2014 test/000001 "),
        NOTE.replace("\n\n", "\nmore\n\n"),
        signed(CHECKPOINT, Ed25519PrivateKey.generate()),
    ],
)
def test_what_the_key_did_not_sign_is_refused(note: str) -> None:
    with pytest.raises(NoteError, match="no line of the checkpoint is signed"):
        opened(note, VERIFIER)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("test/000001\n7\n", "does not have"),
        ("other\n7\nAAAA\n", "does not have"),
        ("test/000001\n-7\nAAAA\n", "does not have"),
        ("test/000001\nseven\nAAAA\n", "does not have"),
        ("test/000001\n\u0667\nAAAA\n", "does not have"),
        ("test/000001\n07\nAAAA\n", "does not have"),
        ("test/000001\n7\nAAAA\n", "no SHA-256"),
        ("test/000001\n7\nA!\n", "no base64"),
    ],
)
def test_what_is_signed_and_is_no_checkpoint_is_refused(text: str, said: str) -> None:
    class Claimed(Checkpoint):
        """Signed by the right key, whatever it says."""

        def text(self) -> str:
            return text

    with pytest.raises(NoteError, match=said):
        opened(signed(Claimed(CHECKPOINT.origin, 0, b""), KEY), VERIFIER)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "not a verifier key"),
        ("origin+00000000", "not a verifier key"),
        ("origin+00000000+not base64", "not a verifier key"),
        ("origin+00000000+AQID", "not a verifier key"),
        (VERIFIER.replace("test/000001", "test/000002"), "key id"),
        (PUBLISHED_VERIFIER.replace("+ARpc", "+Ahpc"), "key id"),
    ],
)
def test_what_is_no_verifier_line_is_refused(line: str, said: str) -> None:
    with pytest.raises(NoteError, match=said):
        parse_verifier(line)


def test_a_history_gives_its_whole_notes_and_leaves_out_a_torn_one() -> None:
    later = signed(Checkpoint("test/000001", 9, bytes(32)), KEY)
    history = f"{NOTE}\n{later}\n"

    assert notes(history) == [NOTE, later]
    assert notes(history[:-20]) == [NOTE]
    assert notes("") == []

"""A key-encryption key in a PKCS#11 token: it never leaves it (AES-256-GCM, `CKM_AES_GCM`)."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import PyKCS11
from PyKCS11 import PyKCS11Error

NONCE: Final = 12
TAG: Final = 16


class Pkcs11Kek:
    """Implements `ports.Kek`. Each operation has a session of its own, one at a time.

    An operation that failed may leave its session in the middle of it, and a log-in elsewhere in
    the process ends what was known of the key.
    """

    def __init__(self, module: str, token: str, label: str, pin: str) -> None:
        """Raises ValueError for what cannot be opened, and unless one AES key has the label."""
        self._label = label
        self._one = threading.Lock()
        self._library = PyKCS11.PyKCS11Lib()
        try:
            self._library.load(module)
            self._slot = _slot(self._library, token)
            self._login = _logged_in(self._library, self._slot, pin)
            _, id_ = _found(self._login, label)
        except PyKCS11Error as error:
            raise ValueError(f"the token {token!r} of {module} cannot be used: {error}") from None
        self.id = f"pkcs11:{label}:{id_.hex()}"

    def wrap(self, key: bytes, bound: bytes) -> bytes:
        """Raises OSError when the token does not."""
        nonce = os.urandom(NONCE)
        try:
            with self._session() as session:
                found, _ = _found(session, self._label)
                return nonce + bytes(session.encrypt(found, key, _gcm(nonce, bound)))
        except (PyKCS11Error, ValueError) as error:
            raise OSError(f"the token does not wrap: {error}") from None

    def unwrap(self, wrapped: bytes, bound: bytes) -> bytes:
        nonce, content = wrapped[:NONCE], wrapped[NONCE:]
        try:
            with self._session() as session:
                found, _ = _found(session, self._label)
                return bytes(session.decrypt(found, content, _gcm(nonce, bound)))
        except (PyKCS11Error, ValueError):
            raise ValueError("it was not wrapped by this key, or for another place") from None

    @contextmanager
    def _session(self) -> Iterator[Any]:
        with self._one:
            session = self._library.openSession(self._slot, PyKCS11.CKF_SERIAL_SESSION)
            try:
                yield session
            finally:
                session.closeSession()


def _gcm(nonce: bytes, bound: bytes) -> Any:
    return PyKCS11.AES_GCM_Mechanism(nonce, bound, TAG * 8)


def _slot(library: Any, token: str) -> Any:
    """Raises ValueError, PyKCS11Error."""
    for slot in library.getSlotList(tokenPresent=True):
        if library.getTokenInfo(slot).label.strip("\0 ") == token:
            return slot
    raise ValueError(f"there is no token {token!r}")


def _logged_in(library: Any, slot: Any, pin: str) -> Any:
    """A session that keeps the log-in, which is the whole process's. The PIN is always asked."""
    session = library.openSession(slot, PyKCS11.CKF_SERIAL_SESSION)
    with suppress(PyKCS11Error):
        session.logout()
    session.login(pin)
    return session


def _found(session: Any, label: str) -> tuple[Any, bytes]:
    """The key and its id (CKA_ID). Raises ValueError, PyKCS11Error."""
    wanted = [
        (PyKCS11.CKA_CLASS, PyKCS11.CKO_SECRET_KEY),
        (PyKCS11.CKA_KEY_TYPE, PyKCS11.CKK_AES),
        (PyKCS11.CKA_LABEL, label),
    ]
    keys = session.findObjects(wanted)
    if len(keys) != 1:
        raise ValueError(
            f"{len(keys)} AES keys of the token are called {label!r}: make one of 256 bits that "
            "cannot be extracted, with an id"
        )
    id_ = bytes(session.getAttributeValue(keys[0], [PyKCS11.CKA_ID])[0])
    if not id_:
        raise ValueError(f"the key {label!r} has no id")
    return keys[0], id_

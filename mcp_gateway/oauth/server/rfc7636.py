"""PKCE (RFC 7636): S256 and nothing else."""

import base64
import hashlib
import hmac
import re
from typing import Final

from mcp_gateway.oauth.server.rfc6749 import invalid_grant, invalid_request

METHOD: Final = "S256"
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def check_challenge(challenge: str, method: str) -> None:
    """Raises OAuthError: without a challenge, or with one that is not S256's, nobody logs in."""
    if method != METHOD:
        raise invalid_request("code_challenge_method is S256, and has to be said")
    if not _CHALLENGE.fullmatch(challenge):
        raise invalid_request("code_challenge is the SHA-256 of the verifier, in base64url")


def check_verifier(verifier: str, challenge: str) -> None:
    """Raises OAuthError for what the challenge was not made from."""
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(
        challenge_of(verifier), challenge
    ):
        raise invalid_grant("code_verifier is not what the challenge was made from")


def challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

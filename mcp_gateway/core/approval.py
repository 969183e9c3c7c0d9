"""Approval: another person's yes, bound to what will leave."""

import hashlib
from dataclasses import dataclass
from typing import Final

from mcp_gateway.core.body import Body


@dataclass(frozen=True, slots=True)
class Approval:
    """A grant of approval. `digest` (SHA-256, hex) binds it to the bytes that were shown.

    An empty digest binds nothing: it is the approval of a call for which none is owed, and the
    obligation `approval` keeps a call that owes one from leaving with it.
    """

    grant: str = ""
    digest: str = ""

    def covers(self, outgoing: Body) -> bool:
        """Whether what is about to leave is what was approved."""
        return not self.digest or hashlib.sha256(outgoing.raw).hexdigest() == self.digest


NOT_ASKED: Final = Approval()

"""Terms: how the credential for one upstream is obtained, and which scopes a target needs."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

from mcp_gateway.core.credential import Grant
from mcp_gateway.core.grants import grant_key
from mcp_gateway.core.patterns import Glob
from mcp_gateway.core.principal import Principal
from mcp_gateway.core.target import Target
from mcp_gateway.oauth.ports import GrantOptions

MOST: Final = 10_000
"""Targets whose scopes are remembered: callers choose the names of resources."""
ONE_TOKEN: Final = frozenset[str]()
"""Where the upstream gives one token for everything that was consented to."""


@dataclass(eq=False, slots=True)
class Terms:
    """Of one server, as one configuration has them. Compared by identity."""

    server: str
    url: str
    grant: Grant
    options: GrantOptions = field(default_factory=GrantOptions)
    _patterns: tuple[tuple[Glob, frozenset[str]], ...] = field(init=False, repr=False)
    _scopes: dict[Target, frozenset[str]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        globs = [(Glob(text), scopes) for text, scopes in self.grant.tools]
        self._patterns = tuple(sorted(globs, key=lambda found: _vague(found[0])))

    @property
    def consented(self) -> bool:
        """Whether a person has to connect the upstream first."""
        return self.grant.per_user or self.grant.kind == "delegated"

    def whose(self, principal: Principal) -> Hashable:
        """Principals that are the same here may be shown the upstream as each other.

        An exchanged token says for whom, by whom and with what it was asked for: whoever comes
        with less does not get the token that somebody with more was given.
        """
        if not self.grant.personal:
            return ""
        return grant_key(principal, self.server) if self.consented else principal

    def scopes(self, target: Target) -> frozenset[str]:
        """The least that a call of this target needs."""
        known = self._scopes.get(target)
        if known is None:
            known = self._remembered(target, self._of(target.name))
        return known

    def step_up(self, target: Target, more: frozenset[str]) -> frozenset[str]:
        """The upstream says that the target needs more. It is asked for at once from now on."""
        return self._remembered(target, self.scopes(target) | more)

    def _of(self, name: str) -> frozenset[str]:
        if self.grant.kind == "delegated" and not self.grant.downscope:
            return ONE_TOKEN
        found = next((scopes for glob, scopes in self._patterns if glob.matches(name)), ONE_TOKEN)
        return self.grant.scopes | found

    def _remembered(self, target: Target, scopes: frozenset[str]) -> frozenset[str]:
        if len(self._scopes) >= MOST:
            self._scopes.clear()
        self._scopes[target] = scopes
        return scopes


def _vague(glob: Glob) -> tuple[bool, int, str]:
    """In the order of this the most specific comes first: without a star, then the longest."""
    return glob.starred, -len(glob.text), glob.text

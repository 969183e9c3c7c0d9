"""Reads policy files, strictly: a line that is not understood is an error, never a comment."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from mcp_gateway.core import patterns
from mcp_gateway.core.decision import Effect, Obligation
from policies import lines
from policies.rule import ANY, ROLE, RoleLink, Rule, Rules

P_WIDTH: Final = 10
G_WIDTH: Final = 4
LOCAL: Final = "local"
OBLIGATIONS: Final = frozenset({"guard", "approval", "confirm", "keep", "restore"})
VALUED: Final = OBLIGATIONS - {"confirm"}
_IDENTIFIER: Final = re.compile(r"[^\x00-\x20\x7f,\"'#]+")


class PolicyError(ValueError):
    """A policy that cannot be taken. `faults` says for each line what is wrong with it."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def read(files: Sequence[Path], aliases: Mapping[str, str]) -> Rules:
    """Every rule of the files, sorted by priority, then by place. Raises PolicyError."""
    reading = _Reading(aliases)
    digest = hashlib.sha256(repr(sorted(aliases.items())).encode())
    for file in files:
        try:
            raw = file.read_bytes()
            text = raw.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reading.faults.append(f"{file}: cannot be read: {error}")
            continue
        digest.update(b"%d\n%b" % (len(raw), raw))
        reading.take(file.name, text)
    if not reading.rules and not reading.faults:
        reading.faults.append("the policy has no rule, so it would deny everything")
    if reading.faults:
        raise PolicyError(reading.faults)
    ordered = sorted(reading.rules, key=lambda rule: rule.priority)
    numbered = tuple(replace(rule, order=place) for place, rule in enumerate(ordered))
    return Rules(numbered, tuple(reading.links), digest.hexdigest()[:16])


class _Reading:
    """The rules and faults found so far."""

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.aliases = aliases
        self.faults = [f for alias, of in aliases.items() if (f := _alias_fault(alias, of))]
        self.rules: list[Rule] = []
        self.links: list[RoleLink] = []
        self._ids: dict[str, str] = {}

    def take(self, name: str, text: str) -> None:
        for number, line in lines.numbered(text):
            where = f"{name}:{number}"
            try:
                if fields := lines.fields(line):
                    self._line(where, fields)
            except ValueError as error:
                self.faults.append(f"{where}: {error}")

    def _line(self, where: str, fields: list[str]) -> None:
        match fields[0]:
            case "p":
                self._rule(where, fields)
            case "g":
                self._link(where, fields)
            case other:
                raise ValueError(f"a line begins with p or g, not {other!r}")

    def _rule(self, where: str, fields: list[str]) -> None:
        _width(fields, P_WIDTH)
        _, priority, id_, subject, tenant, target, action, when, effect, obligations = fields
        if when:
            raise ValueError("conditions (the column `when`) are not supported in this version")
        if earlier := self._ids.get(id_):
            raise ValueError(f"the id {id_!r} stands at {earlier} already")
        if fault := patterns.fault(target):
            raise ValueError(fault)
        rule = Rule(
            priority=_priority(priority),
            id=_identifier("id", id_),
            subject=self._subject(subject),
            tenant=_whole("tenant", tenant),
            target=target,
            action=_whole("action", action),
            effect=_effect(effect),
            obligations=frozenset(_obligations(obligations.split())),
            where=where,
        )
        self._ids[id_] = where
        self.rules.append(rule)

    def _link(self, where: str, fields: list[str]) -> None:
        _width(fields, G_WIDTH)
        if not fields[2].startswith(ROLE):
            raise ValueError(f"the third field is a role, written {ROLE}{fields[2]}")
        if fields[1] == ANY:
            raise ValueError("a g line gives a role to one subject or role, not to everybody")
        self.links.append(
            RoleLink(
                self._subject(fields[1]),
                self._subject(fields[2]),
                _whole("tenant", fields[3]),
                where,
            )
        )

    def _subject(self, text: str) -> str:
        """An identity: as it is, through an alias, or a bare name of the gateway's own."""
        _whole("subject", text)
        if text == ROLE:
            raise ValueError("a role has a name")
        if text == ANY or text.startswith(ROLE) or "|" in text:
            return text
        return self.aliases.get(text, f"{LOCAL}|{text}")


def _alias_fault(alias: str, identity: str) -> str:
    """An alias stands for one person; it never is a way to write a role or everybody."""
    issuer, _, subject = identity.partition("|")
    if issuer and subject and identity.isprintable() and not issuer.startswith(ROLE):
        return ""
    return f"the alias {alias!r} stands for {identity!r}, which is no issuer|subject"


def _width(fields: Sequence[str], width: int) -> None:
    if len(fields) != width:
        raise ValueError(f"a {fields[0]} line has {width} fields, this one has {len(fields)}")


def _identifier(what: str, text: str) -> str:
    if not _IDENTIFIER.fullmatch(text):
        raise ValueError(f"the {what} {text!r} is empty or holds blanks, quotes or controls")
    return text


def _whole(what: str, text: str) -> str:
    """An identifier that is compared as it is: a star in it would quietly match nothing."""
    if text != ANY and ANY in text:
        raise ValueError(f"the {what} {text!r} is no pattern: write it out, or {ANY} for every one")
    return _identifier(what, text)


def _priority(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"the priority {text!r} is not a whole number")
    return int(text)


def _effect(text: str) -> Effect:
    if text not in ("allow", "deny"):
        raise ValueError(f"the effect {text!r} is neither allow nor deny")
    return Effect(text)


def _obligations(words: Iterable[str]) -> Iterable[Obligation]:
    for word in words:
        name, _, value = word.partition(":")
        if name not in OBLIGATIONS or bool(value) != (name in VALUED):
            raise ValueError(f"nobody can discharge the obligation {word!r}")
        yield Obligation(name, value)
        if name == "guard":
            yield Obligation(name, value, "result")

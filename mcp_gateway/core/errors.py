"""Refusals: how a call ends without an answer from its upstream.

Refusal
├── InsufficientScope     the token lacks a scope that the target requires
├── Forbidden             the policy denies it, and the caller may know
├── UnknownTarget         no such name, or one that the caller may not know of
├── InvalidRequest        the request itself is malformed
├── HeaderMismatch        its headers and its arguments do not say the same
├── MissingCapability     the upstream asks what the client cannot answer
├── InvalidState          a state or task id that is not this caller's, or not ours
├── QuestionExpired       nobody waits for this answer any more
├── Throttled             over a limit
├── ApprovalRequired      another person, or the caller, has to say yes first
├── ConsentRequired       the caller has to connect the upstream to themselves first
├── Blocked               a guard found something in the arguments or the result
├── ResultTooLarge        the answer does not fit the buffer that inspects it
├── Overloaded            the gateway cannot record it, so it does not run it
├── UpstreamBusy          too many calls wait for the upstream, or it fails every one
├── UpstreamFailed        the upstream is away, or answered nonsense
└── UpstreamTimedOut      the upstream did not answer in time
"""

from collections.abc import Iterable, Mapping
from typing import Any


class Refusal(Exception):
    """A call's end in the gateway's own words.

    `slug` stands in the ledger; `code` is the JSON-RPC code, outside the reserved range of
    JSON-RPC 2.0 section 5.1 except where MCP names one; `status` is HTTP on the MCP endpoints
    for methods other than tools/call, `admin_status` on the admin API. `reason` is for the
    caller; `rule` only when they may know it; `retry_after` is in seconds, 0 when trying again
    does not help; `recorded` replaces the slug in the ledger, where the truth is another one.
    `sent` is False where certainly nothing has left for an upstream.
    """

    slug = "refused"
    code = -31050
    status = 200
    admin_status = 403
    sent = True

    def __init__(
        self, reason: str, *, rule: str = "", retry_after: float = 0, recorded: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rule = rule
        self.retry_after = retry_after
        self.recorded = recorded or self.slug


class InsufficientScope(Refusal):
    slug, code, status, admin_status = "insufficient_scope", -31056, 403, 403

    def __init__(self, missing: Iterable[str], required: Iterable[str]) -> None:
        self.missing = tuple(sorted(missing))
        self.required = tuple(sorted(required))
        super().__init__(f"the token lacks the scope {' '.join(self.missing)}")


class Forbidden(Refusal):
    slug, code, status, admin_status = "forbidden", -31050, 200, 403


class UnknownTarget(Refusal):
    slug, code, status, admin_status = "unknown_target", -32602, 400, 404


class InvalidRequest(Refusal):
    slug, code, status, admin_status = "invalid_request", -32602, 400, 400


class HeaderMismatch(Refusal):
    slug, code, status, admin_status = "header_mismatch", -32020, 400, 400


class MissingCapability(Refusal):
    """`required` is what the client would have to declare, as MCP spells it."""

    slug, code, status, admin_status = "missing_capability", -32021, 400, 400

    def __init__(self, reason: str, required: Mapping[str, Any]) -> None:
        super().__init__(reason)
        self.required = required


class InvalidState(Refusal):
    """One wording for each reason: which it was helps only who tries handles out."""

    slug, code, status, admin_status = "invalid_state", -32602, 400, 400

    def __init__(
        self, reason: str = "the state or task is not one that you were given for this request"
    ) -> None:
        super().__init__(reason)


class QuestionExpired(Refusal):
    slug, code, status, admin_status = "question_expired", -31061, 200, 410

    def __init__(self, reason: str = "the question has expired: call again") -> None:
        super().__init__(reason)


class Throttled(Refusal):
    slug, code, status, admin_status = "throttled", -31051, 429, 429


class ApprovalRequired(Refusal):
    slug, code, status, admin_status = "approval_required", -31057, 200, 403


class ConsentRequired(Refusal):
    """`url` is where the caller connects the upstream. The words have it: data is shown nowhere."""

    slug, code, status, admin_status = "consent_required", -31062, 200, 403
    sent = False

    def __init__(self, server: str, url: str, why: str = "is not connected to you yet") -> None:
        super().__init__(f"{server} {why}: open {url} and call again")
        self.server = server
        self.url = url
        self.why = why


class Blocked(Refusal):
    slug, code, status, admin_status = "blocked", -31052, 200, 403


class ResultTooLarge(Refusal):
    slug, code, status, admin_status = "result_too_large", -31058, 502, 502


class Overloaded(Refusal):
    slug, code, status, admin_status = "overloaded", -31053, 503, 503


class UpstreamBusy(Refusal):
    slug, code, status, admin_status = "upstream_busy", -31060, 503, 503
    sent = False


class UpstreamFailed(Refusal):
    """`detail` is for operators alone: an upstream's own words, which nobody has looked at.

    `passing` is for what asking again may mend: a connection that broke, a 502, a 503, a 504.
    """

    slug, code, status, admin_status = "upstream_failed", -31054, 502, 502

    def __init__(  # what is known of a failure
        self,
        reason: str,
        *,
        rule: str = "",
        retry_after: float = 0,
        detail: str = "",
        sent: bool = True,
        passing: bool = False,
    ) -> None:
        super().__init__(reason, rule=rule, retry_after=retry_after)
        self.detail = detail
        self.sent = sent
        self.passing = passing


class UpstreamTimedOut(Refusal):
    slug, code, status, admin_status = "upstream_timed_out", -31055, 504, 504


REFUSALS: tuple[type[Refusal], ...] = (
    InsufficientScope,
    Forbidden,
    UnknownTarget,
    InvalidRequest,
    HeaderMismatch,
    MissingCapability,
    InvalidState,
    QuestionExpired,
    Throttled,
    ApprovalRequired,
    ConsentRequired,
    Blocked,
    ResultTooLarge,
    Overloaded,
    UpstreamBusy,
    UpstreamFailed,
    UpstreamTimedOut,
)

"""Rounds: what an upstream asks is put to a client of the initialize era, and the call goes on."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

import msgspec

from mcp_gateway.core.asking import QUESTIONS, Asked, Question
from mcp_gateway.core.body import Body, Result
from mcp_gateway.core.call import Call
from mcp_gateway.core.errors import (
    Forbidden,
    MissingCapability,
    QuestionExpired,
    UpstreamFailed,
)
from mcp_gateway.edge import answered
from mcp_gateway.edge.links import Link
from mcp_gateway.edge.questions import TakenBack
from mcp_gateway.edge.refusals import Answer
from mcp_gateway.edge.resumable import Resumable
from mcp_gateway.edge.sessions import Session, Sessions, Why
from mcp_gateway.edge.stream import Stream
from mcp_gateway.wire import jsonrpc, legacy

ASKING: Final = "input_required"
MOST_ROUNDS: Final = 16
"""Times that one request may ask. Who asks more often does not come to an end."""
PAUSE: Final = 0.25
"""Seconds until an upstream that asks nothing but to be called again is called again."""
_ELICITATION: Final = "elicitation/create"
_LONGEST_WORDS: Final = 200


class Request(Protocol):
    """A request of the era, as it is carried on."""

    message: jsonrpc.Message
    session: Session | None
    stream: Stream
    params: Body
    link: Link | None
    rounds: int

    def go_on(self, parent: str, answers: bytes, state: str) -> None:
        """From now on it is the request of a call that goes on from `parent`."""
        ...

    async def say(self, message: bytes) -> None: ...

    def asked(self) -> AbstractContextManager[None]:
        """While it is asked something: cancelled when who is asked is gone for good."""
        ...


class Edge(Protocol):
    """The endpoint, as a round needs it. `request` is the one that the endpoint was given."""

    def call(self, request: Any) -> Call: ...

    async def answered(self, call: Call, request: Any) -> Answer: ...


class Rounds:
    """Asks on the stream of the call itself; each answered round is a call of its own."""

    def __init__(self, edge: Edge, sessions: Sessions) -> None:
        self._edge = edge
        self._sessions = sessions

    async def asked(self, call: Call, request: Request, result: Result) -> Answer:
        """The answer in the end. Raises Refusal, and then nothing waits at the upstream."""
        asked = result.asked or Asked({})
        questions = asked.questions
        state = result.view().get("requestState")
        state = state if isinstance(state, str) else ""
        try:
            session, stream = _within(request, questions)
            if questions and all(map(_address, questions.values())):
                return self._link(call, request, session, questions, state)
            with request.asked(), self._open(call, asked) as unasked:
                answers = await self._answers(session, stream, questions, unasked)
        except BaseException as fault:
            why: Why = "unanswered" if isinstance(fault, QuestionExpired) else "cancelled"
            self._sessions.parks.end(call.id, why)
            raise
        request.go_on(call.id, answers, state)
        return await self._gone_on(call, request)

    async def _gone_on(self, call: Call, request: Request) -> Answer:
        """The answer of the next call. One that does not get through ends what it was to answer.

        Its client has no state with which it could try again.
        """
        why: Why = "cancelled"
        try:
            answer = await self._edge.answered(self._edge.call(request), request)
            why = "refused"
        finally:
            self._sessions.parks.end(call.id, why)
        return answer

    @contextmanager
    def _open(self, call: Call, asked: Asked) -> Iterator["asyncio.Future[None]"]:
        """Done once nobody has to answer any more: an upstream that forgot the call never says."""
        if asked.parked is None:
            unasked = asyncio.get_running_loop().create_future()
        else:
            unasked = asyncio.ensure_future(self._sessions.parks.unasked(call.id))
        try:
            yield unasked
        finally:
            unasked.cancel()

    async def _answers(
        self,
        session: Session,
        stream: Resumable,
        questions: Mapping[str, Question],
        unasked: "asyncio.Future[None]",
    ) -> bytes:
        """The `inputResponses`, by key, without those that were taken back. All are put at once."""
        if not questions:
            await asyncio.sleep(PAUSE)
            return b"{}"
        try:
            async with asyncio.TaskGroup() as group:
                tasks = {
                    key: group.create_task(self._answer(session, stream, question, unasked))
                    for key, question in questions.items()
                }
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from None
        answers = {key: task.result() for key, task in tasks.items()}
        return jsonrpc.encode({key: msgspec.Raw(raw) for key, raw in answers.items() if raw})

    async def _answer(
        self,
        session: Session,
        stream: Resumable,
        question: Question,
        unasked: "asyncio.Future[None]",
    ) -> bytes:
        """Empty for a question that was taken back."""
        seconds = self._sessions.settings.question
        put = _of_session(question, session)
        try:
            message = await session.questions.put(put, stream.say, seconds, unasked)
        except TakenBack:
            return b""
        except TimeoutError:
            said = f"the upstream asked you, and had no answer in {seconds:g} s"
            raise QuestionExpired(said) from None
        if not message.error:
            return message.result
        if question.method == _ELICITATION:
            return b'{"action":"cancel"}'
        raise QuestionExpired(f"the upstream asked the runtime, which answered: {_words(message)}")

    def _link(
        self,
        call: Call,
        request: Request,
        session: Session,
        questions: Mapping[str, Question],
        state: str,
    ) -> Answer:
        """Addresses to open: an error of 2025-11-25, and the same request goes on later."""
        addresses = [_address(question) for question in questions.values()]
        if not session.latest:
            said = f"its upstream needs you to open {' and '.join(addresses)} first"
            raise Forbidden(f"{said}, which this runtime's protocol version cannot ask of you")
        ids = tuple(secrets.token_hex(16) for _ in questions)
        link = Link(call.id, state, tuple(questions), ids, tuple(addresses))
        for given_up in session.links.keep(request.message.method, request.message.params, link):
            self._sessions.parks.end(given_up.call, "unanswered")
        told = [
            _with_id(question.params, id_)
            for question, id_ in zip(questions.values(), ids, strict=True)
        ]
        data = {"elicitations": [msgspec.Raw(params) for params in told]}
        said = "open the addresses, then call again"
        return answered.error(request.message.id, legacy.URL_ELICITATION, said, data, legacy_=True)


def _within(request: Request, questions: Mapping[str, Question]) -> tuple[Session, Resumable]:
    """Where the client can be asked. Raises Refusal."""
    request.rounds += 1
    if request.rounds > MOST_ROUNDS:
        raise UpstreamFailed(f"the upstream asks more than {MOST_ROUNDS} times")
    stream = request.stream
    if request.session and isinstance(stream, Resumable) and stream.takes_events:
        return request.session, stream
    required: dict[str, Any] = {QUESTIONS[question.method]: {} for question in questions.values()}
    raise MissingCapability("without a session and an event stream nothing can be asked", required)


def _address(question: Question) -> str:
    """The address that a person shall open; empty for a question of another kind."""
    if question.method != _ELICITATION:
        return ""
    params = jsonrpc.decode(question.params)
    if not isinstance(params, dict) or params.get("mode") != "url":
        return ""
    return str(params.get("url", ""))


def _of_session(question: Question, session: Session) -> Question:
    """The question as the revision has it: before 2025-11-25 an elicitation has no mode."""
    if question.method != _ELICITATION:
        return question
    if _address(question):
        return Question(question.method, _with_id(question.params, secrets.token_hex(16)))
    if session.latest:
        return question
    return Question(question.method, jsonrpc.replaced(question.params, {"mode": None}))


def _with_id(params: bytes, id_: str) -> bytes:
    return jsonrpc.replaced(params, {"elicitationId": jsonrpc.encode(id_)})


def _words(message: jsonrpc.Message) -> str:
    error = jsonrpc.decode(message.error)
    said = error.get("message") if isinstance(error, dict) else ""
    return "".join(filter(str.isprintable, str(said)))[:_LONGEST_WORDS]

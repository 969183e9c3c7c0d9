"""Questions of tasks: recorded once for each that differs, and remembered within a bound."""

from dataclasses import replace

import pytest

from mcp_gateway.core.asking import Question, Resumed
from mcp_gateway.core.call import Call, child_of
from mcp_gateway.core.shown import Shown
from tests.support.calls import ALICE, resolved
from tests.support.fakes import ALLOWED, DENIED, WHO

OTHER = Question(WHO.method, b'{"message":"And your password?","mode":"form"}')
SAMPLING = Question("sampling/createMessage", WHO.params)


def look(
    question: Question = WHO, key: str = "who", task: str = "t", *, denied: bool = False
) -> Call:
    """A look at a task, which shows one question."""
    call = resolved(method="tasks/get", params={"taskId": "sealed"})
    call.resumed = Resumed(task=task, server="github", tool="add")
    child = child_of(call, 1, question)
    child.facts["key"] = key
    child.decision = DENIED if denied else ALLOWED
    call.children = (child,)
    return call


def recorded(shown: Shown, call: Call) -> bool:
    """Whether the question of a call is recorded, as it then is."""
    fresh = shown.fresh(call)
    shown.recorded(call, fresh)
    return bool(fresh)


@pytest.mark.requirement("tasks:questions-recorded-once")
def test_the_same_question_of_a_task_is_recorded_once() -> None:
    shown = Shown()

    assert [recorded(shown, look()) for _ in range(3)] == [True, False, False]


@pytest.mark.requirement("tasks:questions-recorded-once")
def test_what_could_not_be_written_is_not_taken_for_recorded() -> None:
    shown = Shown()

    assert [len(shown.fresh(look())) for _ in range(2)] == [1, 1]


@pytest.mark.requirement("tasks:questions-recorded-once")
def test_another_text_key_kind_task_decision_or_caller_is_another_question() -> None:
    shown = Shown()
    recorded(shown, look())
    bobs = look()
    bobs.principal = replace(ALICE, subject="bob")
    others = [
        look(OTHER),
        look(SAMPLING),
        look(key="whom"),
        look(task="u"),
        look(denied=True),
        bobs,
    ]

    assert [recorded(shown, call) for call in others] == [True] * 6


def test_every_question_of_another_call_is_recorded() -> None:
    shown, call = Shown(), look(task="")

    assert [recorded(shown, call) for _ in range(2)] == [True, True]
    assert len(shown) == 0


def test_what_is_forgotten_for_room_is_recorded_again() -> None:
    shown = Shown(most=2)
    first = [recorded(shown, look(key=key)) for key in "abc"]

    assert (len(shown), first) == (2, [True] * 3)
    assert [recorded(shown, look(key=key)) for key in "ca"] == [False, True]

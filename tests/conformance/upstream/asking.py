"""The tools that ask their client: the user, the model, the roots."""

import json
from types import MappingProxyType

from tests.conformance.upstream.media import JSON, said
from tests.conformance.upstream.rounds import ROOTS, ask, elicit, sample, unseal
from tests.conformance.upstream.tool import Called, Run, Tool, takes

_NAME = elicit("What is your name?", "name")
_PLAIN = ["option1", "option2", "option3"]
TEXT: JSON = {"type": "string"}


def _titled(*titles: str) -> list[JSON]:
    return [{"const": f"value{n}", "title": title} for n, title in enumerate(titles, 1)]


_ADDRESSED = takes(
    "username",
    "email",
    username={"type": "string", "description": "User's response"},
    email={"type": "string", "description": "User's email address"},
)
_DEFAULTS = takes(
    name={"type": "string", "default": "John Doe"},
    age={"type": "integer", "default": 30},
    score={"type": "number", "default": 95.5},
    status={"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    verified={"type": "boolean", "default": True},
)
_ENUMS = takes(
    untitledSingle={"type": "string", "enum": _PLAIN},
    titledSingle={"type": "string", "oneOf": _titled("First Option", "Second Option", "Third")},
    legacyEnum={
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    untitledMulti={"type": "array", "items": {"type": "string", "enum": _PLAIN}},
    titledMulti={"type": "array", "items": {"anyOf": _titled("First", "Second", "Third")}},
)


def _form(schema: JSON, label: str, message: str = "") -> Run:
    """A tool that has a form filled in, and says what it was answered."""

    async def run(called: Called) -> JSON:
        answer = called.round.answered("answer")
        if answer is None:
            text = message or called.arguments["message"]
            params = {"mode": "form", "message": text, "requestedSchema": schema}
            return ask({"answer": {"method": "elicitation/create", "params": params}})
        filled = json.dumps(answer.get("content") or {})
        return said(f"{label}: action={answer['action']}, content={filled}")

    return run


async def _model(called: Called) -> JSON:
    answer = called.round.answered("reply")
    if answer is None:
        return ask({"reply": sample(called.arguments["prompt"], 100)})
    return said(f"LLM response: {answer['content']['text']}")


async def _needs_sampling(called: Called) -> JSON:
    called.round.needs("sampling")
    return said("Sampling is declared.")


async def _name(called: Called) -> JSON:
    name = called.round.filled("user_name", "name")
    return ask({"user_name": _NAME}) if name is None else said(f"Hello, {name}!")


async def _streamed_name(called: Called) -> JSON:
    called.round.needs("elicitation")
    await called.context.session.report_progress(1, 2)
    return await _name(called)


async def _capital(called: Called) -> JSON:
    answer = called.round.answered("capital_question")
    if answer is None:
        return ask({"capital_question": sample("What is the capital of France?", 100)})
    return said(f"The model said: {json.dumps(answer.get('content'))}")


async def _roots(called: Called) -> JSON:
    answer = called.round.answered("client_roots")
    if answer is None:
        return ask({"client_roots": ROOTS})
    return said("Roots: " + ", ".join(str(root.get("uri")) for root in answer.get("roots", [])))


def _confirmed(state: str, text: str) -> Run:
    """A tool that wants its own state back, unaltered."""

    async def run(called: Called) -> JSON:
        if called.round.state is None:
            return ask({"confirm": elicit("Please confirm", "ok", "boolean")}, state)
        unseal(called.round.state)
        return said(text)

    return run


async def _three(called: Called) -> JSON:
    wanted = {"user_name": _NAME, "greeting": sample("Generate a greeting", 50)}
    wanted["client_roots"] = ROOTS
    if called.round.state is None or not wanted.keys() <= called.round.answers.keys():
        return ask(wanted, "three")
    unseal(called.round.state)
    return said(f"{len(wanted)} answers came.")


async def _two_rounds(called: Called) -> JSON:
    now = called.round
    if now.state is None:
        return ask({"step1": elicit("Step 1: What is your name?", "name")}, "step1")
    step, _, name = unseal(now.state).partition(":")
    if step == "step1":
        question = elicit("Step 2: What is your favorite color?", "color")
        return ask({"step2": question}, f"step2:{now.filled('step1', 'name') or 'someone'}")
    return said(f"{name} likes {now.filled('step2', 'color') or 'no color'}.")


async def _declared_only(called: Called) -> JSON:
    questions = {
        "elicitation": ("user_name", _NAME),
        "sampling": ("question", sample("Say hello", 20)),
        "roots": ("client_roots", ROOTS),
    }
    declared = called.round.capabilities
    wanted = dict(question for name, question in questions.items() if name in declared)
    return ask(wanted) if wanted and not called.round.answers else said("Done.")


_ROUND = "test_input_required_result_"
TOOLS = MappingProxyType(
    {
        "test_sampling": Tool("Asks the model", _model, takes("prompt", prompt=TEXT)),
        "test_elicitation": Tool(
            "Asks the user", _form(_ADDRESSED, "User response"), takes("message", message=TEXT)
        ),
        "test_elicitation_sep1034_defaults": Tool(
            "Has a form with defaults filled in",
            _form(_DEFAULTS, "Elicitation completed", "Please review"),
        ),
        "test_elicitation_sep1330_enums": Tool(
            "Has every kind of choice made",
            _form(_ENUMS, "Elicitation completed", "Please choose"),
        ),
        "test_missing_capability": Tool("Needs sampling", _needs_sampling),
        "test_streaming_elicitation": Tool("Streams, then asks the user", _streamed_name),
        f"{_ROUND}elicitation": Tool("Asks the user once", _name),
        f"{_ROUND}sampling": Tool("Asks the model once", _capital),
        f"{_ROUND}list_roots": Tool("Asks for the roots", _roots),
        f"{_ROUND}request_state": Tool("Wants its state", _confirmed("confirm", "state-ok")),
        f"{_ROUND}multiple_inputs": Tool("Asks three things at once", _three),
        f"{_ROUND}multi_round": Tool("Asks twice", _two_rounds),
        f"{_ROUND}tampered_state": Tool(
            "Refuses a state that it did not make", _confirmed("tamper", "The state is intact.")
        ),
        f"{_ROUND}capabilities": Tool("Asks only for what is declared", _declared_only),
    }
)

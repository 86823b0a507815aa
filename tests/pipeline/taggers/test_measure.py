"""Which kappa measures which label, by hand."""

import numpy as np
import pytest

from configs.contract import DOMAINS
from filters.taggers import DIMENSIONS
from pipeline.taggers import agreement
from pipeline.taggers.labels import Label
from pipeline.taggers.measure import Predictions, measure


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "NUM_RESAMPLES", 10)


def label(number: int, domain: str, grade: int) -> Label:
    return Label(f"d{number}", f"s{number}", "text", domain, grade, grade, grade)


def test_a_disagreement_of_grades_is_weighed_by_the_square_of_its_distance() -> None:
    """Given 0, 0, 5, 5 and predicted 0, 1, 5, 3: three grades are wrong by 0, 1 and 2."""
    labels = [label(n, "news", grade) for n, grade in enumerate((0, 0, 5, 5))]
    expected = np.array([0.0, 0.2, 1.0, 0.6])
    news = np.full(4, DOMAINS.index("news"))
    predictions = Predictions(news, dict.fromkeys(DIMENSIONS, expected))
    measured = measure(labels, "document", predictions)
    # Observed cost 0 + 1 + 0 + 4 = 5 of 4 rows. By chance each given grade meets each predicted one:
    # 0: 0 + 1 + 25 + 9 = 35, 5: 25 + 16 + 0 + 4 = 45; mean over 2 x 4 pairs = 10. Linear would give 0.7.
    assert measured["quality"]["unscaled"]["kappa"] == pytest.approx(1 - (5 / 4) / 10, abs=5e-4)


def test_domains_agree_or_not_whatever_their_order() -> None:
    """Three of four agree; by chance 1/2 x 1/2 + 1/2 x 1/4 = 3/8 do."""
    names = ("mathematics", "mathematics", "news", "news")
    labels = [label(n, name, n) for n, name in enumerate(names)]
    predicted = np.array([DOMAINS.index(name) for name in ("mathematics", "mathematics", "news", "fiction")])
    scores = {name: np.array([0.0, 0.2, 0.4, 0.6]) for name in DIMENSIONS}
    measured = measure(labels, "document", Predictions(predicted, scores))
    assert measured["domain"]["kappa"] == pytest.approx((3 / 4 - 3 / 8) / (1 - 3 / 8), abs=5e-4)
    assert measured["quality"]["unscaled"]["kappa"] == 1.0

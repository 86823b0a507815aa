"""The contract's closed lists are those of the rooms that may not import it."""

from configs.contract import SCORED, SCORES
from filters import taggers


def test_the_taggers_give_the_contracts_scores() -> None:
    assert taggers.DIMENSIONS == SCORES
    assert tuple(taggers.Scores._fields) == ("domain", *SCORES)
    assert set(SCORES) <= set(SCORED.names)

"""Sums over a sample of a table's parts are scaled up by rows; sums over all parts are exact."""

import json

import pytest

from pipeline.inspection.volume import column_sum, volumes
from tests.pipeline.sample_run import document_row, reject_row
from tests.run_tables import deal, write_table

NUM_PARTS = 3


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Seven kept rows of 10 words and five rejects of 4, dealt out over three parts of unequal size."""
    folder = str(tmp_path_factory.mktemp("run"))
    rows = [document_row(f"kept-{n}", "words") | {"num_words": 10} for n in range(7)]
    measured = json.dumps({"num_words": 4})
    rejects = [reject_row(f"gone-{n}", "too_few_words", measurements=measured) for n in range(5)]
    write_table(folder, "filtered", *deal(rows, NUM_PARTS), rejects=deal(rejects, NUM_PARTS))
    return folder


@pytest.mark.parametrize("max_parts", [1, 2])
def test_a_sample_of_parts_is_scaled_up_to_all_rows(root: str, max_parts: int) -> None:
    assert column_sum(root, "filtered", "num_words", max_parts) == (pytest.approx(70), False)
    found = volumes(root, max_parts)["filtered"]
    assert found.words_out == pytest.approx(70)
    assert found.words_rejected == {"too_few_words": pytest.approx(20)}
    assert found.words_in == pytest.approx(90)
    assert not found.is_exact


@pytest.mark.parametrize("max_parts", [None, NUM_PARTS])
def test_all_parts_are_summed_exactly(root: str, max_parts: int | None) -> None:
    assert column_sum(root, "filtered", "num_words", max_parts) == (70, True)
    found = volumes(root, max_parts)["filtered"]
    assert (found.words_in, found.words_out, found.words_rejected) == (90, 70, {"too_few_words": 20})
    assert found.is_exact

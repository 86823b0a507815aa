"""Features see code and math; the shipped models load, agree with their card, and put plain cases apart."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import taggers
from filters.taggers import load, shipped
from filters.taggers.fasttext import expectation, features, most_probable
from filters.taggers.scores import on_label_scale

PROOF = (
    "Theorem. There are infinitely many primes. Proof. Suppose $p_1, \\dots, p_n$ are all the primes. "
    "Let $N = p_1 p_2 \\cdots p_n + 1$. Since $N > 1$, some prime $p$ divides $N$. If $p = p_i$ for some "
    "$i$, then $p$ divides $N - p_1 \\cdots p_n = 1$, a contradiction. Hence $p$ is not in the list, and "
    "the list is not complete. It follows that the number of primes is infinite."
)
ADVERT = (
    "Buy now! Best price guaranteed. Free shipping on all orders over $50. Shop our sale today, click here "
    "to order. Add to cart. Limited time offer, subscribe to our newsletter and save 20% on your purchase."
)


def test_features_are_one_line_with_marks_for_code_math_numbers_and_lines() -> None:
    # Once each, twice of 2 or 3, three times of 4 to 7 occurrences.
    assert features("Let $x$ be 1,024.\nSo:\n\n```py\nf(x)\n```\n") == (
        "let #math $ $ x x be #5 . #end #end #end so : #code# ` ` ` py f ( )"
    )


def test_a_word_that_fasttext_would_take_for_a_label_is_no_label() -> None:
    assert features("use __label__x here") == "use labelx here"


def test_the_label_scale_puts_cuts_halfway_between_labels() -> None:
    cuts = [0.1, 0.3, 0.45, 0.6, 0.8]
    assert [on_label_scale(cut, cuts) for cut in cuts] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert (on_label_scale(0.0, cuts), on_label_scale(1.0, cuts)) == (0.0, 1.0)
    assert on_label_scale(0.525, cuts) == pytest.approx(0.6)


def test_features_end_at_the_length_that_labels_judged() -> None:
    assert features("a " * taggers.MAX_CHARS) == features("a " * (taggers.MAX_CHARS // 2))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(), max_size=80))
def test_any_text_gives_one_line_that_utf_8_can_write(text: str) -> None:
    line = features(text)
    assert "\n" not in line
    assert "\0" not in line
    line.encode("utf-8")


def test_expectation_is_the_mean_label_over_five() -> None:
    assert expectation({"0": 0.5, "5": 0.5}) == pytest.approx(0.5)
    assert expectation({"1": 1.0}) == pytest.approx(0.2)
    assert expectation({"5": 1.00001}) == 1.0
    assert most_probable({"b": 0.4, "a": 0.4, "c": 0.2}) == "a"


def test_a_proof_is_mathematics_and_reasons_deeper_than_an_advertisement() -> None:
    tagger = load()
    proof, advert = tagger.score_many([PROOF, ADVERT])
    assert (proof.domain, advert.domain) == ("mathematics", "commerce")
    assert proof.reasoning_depth > advert.reasoning_depth + 0.2
    assert proof.quality > advert.quality
    assert proof.knowledge_density > advert.knowledge_density


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_scores_are_fractions_and_repeatable(text: str) -> None:
    tagger = load()
    scores = tagger.score(text)
    assert all(0.0 <= value <= 1.0 for value in scores[1:])
    assert tagger.score(text) == scores


def test_the_card_states_sizes_and_agreement() -> None:
    card = json.loads((shipped() / taggers.CARD).read_text())
    assert sum(model["bytes"] for model in card["models"].values()) <= 6_000_000
    for split in ("source", "document"):
        assert set(card["agreement"][split]) == {"domain", *taggers.DIMENSIONS}
        for name, figures in card["agreement"][split].items():
            low, high = figures["interval"]
            # The taggers are worth shipping: better than chance by a margin, whatever the resample.
            assert 0.2 < low <= figures["kappa"] <= high < 1.0, (split, name)


def test_a_model_that_the_card_does_not_describe_is_refused(tmp_path: Path) -> None:
    shutil.copytree(shipped(), tmp_path / "models")
    assert load(tmp_path / "models").model_hash == load().model_hash
    shutil.copy(tmp_path / "models/quality.ftz", tmp_path / "models/domain.ftz")
    with pytest.raises(ValueError, match=r"domain\.ftz: not the model that card\.json describes"):
        load(tmp_path / "models")
    (tmp_path / "models/domain.ftz").unlink()
    with pytest.raises(ValueError, match=r"domain\.ftz: no such model; remedy"):
        load(tmp_path / "models")
    with pytest.raises(ValueError, match=r"card\.json: FileNotFoundError"):
        load(tmp_path)


def test_models_in_a_zip_are_unpacked(tmp_path: Path) -> None:
    """spark-submit ships the rooms as a zip; fastText reads files."""
    rooms = tmp_path / "rooms.zip"
    with zipfile.ZipFile(rooms, "w") as archive:
        for path in Path("filters").rglob("*"):
            if path.suffix in (".py", ".ftz", ".json", ".npz"):
                archive.write(path)
    code = "from filters import taggers; print(taggers.__file__, taggers.load().score('Let $x=1$.').domain)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path,
        env={"PYTHONPATH": str(rooms)}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(rooms))

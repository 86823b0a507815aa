"""Training on labels made here: a reproducible child, folds of whole groups, bad labels refused."""

import json
import lzma
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs.contract import DOMAINS
from configs.loader import ConfigError
from configs.text_files import read_json_lines
from filters import taggers
from filters.taggers.fasttext import label_probabilities, load_predictor
from pipeline.taggers import labels as tagger_labels
from pipeline.taggers import train_fasttext
from pipeline.taggers.fit_fasttext import Examples, fit, train, vocabulary
from pipeline.taggers.labels import (
    NUM_FOLDS,
    folds,
    hash_folds,
    independent_unit,
    read_labels,
    read_pseudo_labels,
    spread,
)
from pipeline.taggers.save_fasttext import END, save
from pipeline.taggers.train_fasttext import SETTINGS

FILLERS = tuple(f"word{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(300))
SUBJECTS = {"mathematics": ("lemma", "prime", "integral"), "commerce": ("price", "cart", "shipping")}


def label_rows(count: int) -> list[dict[str, object]]:
    """Labelled texts whose words give the labels away, in sources of eight documents."""
    drawn = random.Random(5)
    rows = []
    for n in range(count):
        domain = ("mathematics", "commerce")[n % 2]
        ordinal = 4 if domain == "mathematics" else 1
        words = drawn.choices(SUBJECTS[domain], k=10) + drawn.choices(FILLERS, k=40)
        rows.append(
            {
                "id": f"d{n}",
                "source": "fineweb" if n % 3 == 0 else f"site-{n // 8}",
                "group": "",
                "text": " ".join(words),
                "domain": domain,
                **dict.fromkeys(taggers.DIMENSIONS, ordinal),
            }
        )
    return rows


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_bytes(lzma.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


def two_classes() -> Examples:
    lines = [f"{'lemma lemma' if n % 2 else 'cart'} {' '.join(FILLERS)} rare{n}" for n in range(60)]
    return Examples(lines, {"domain": np.eye(2, dtype=np.float32)[np.arange(60) % 2]})


LABELS = {"domain": ("news", "jobs")}
SMALL = replace(SETTINGS, dim=4, epochs=40, batch_documents=20)


def test_training_is_reproducible_and_a_file_says_what_was_trained(tmp_path: Path) -> None:
    examples = two_classes()
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        fit(examples, LABELS, {"lemma": np.ones(4, dtype=np.float32)}, folder, SMALL)
    assert (tmp_path / "one/domain.ftz").read_bytes() == (tmp_path / "two/domain.ftz").read_bytes()
    model = load_predictor(tmp_path / "one/domain.ftz")
    words = vocabulary(examples.lines, SMALL)
    inputs, outputs = train(examples, words, {"lemma": np.ones(4, dtype=np.float32)}, SMALL)
    for line in ("lemma lemma worda unknown", "cart"):
        rows = [words.index(word) for word in line.split() if word in words] + [words.index(END)]
        logits = outputs["domain"] @ inputs[rows].mean(axis=0)
        wanted = np.exp(logits) / np.exp(logits).sum()
        said = label_probabilities(model, line)
        # Vectors are quantised to a byte for two numbers: at most 0.02 here.
        assert [said["news"], said["jobs"]] == pytest.approx(wanted, abs=0.05)
    assert label_probabilities(model, "lemma")["jobs"] > 0.9


def test_a_vocabulary_is_of_words_in_several_documents() -> None:
    lines = ["b a a", "b c", "b a", "b a", "c c"]
    settings = replace(SMALL, min_documents=2)
    assert vocabulary(lines, settings) == [END, "b", "a", "c"]  # the repeated line counts once
    assert vocabulary(lines, replace(settings, min_documents=3)) == [END, "b"]
    assert vocabulary(lines, replace(settings, max_words=1)) == [END, "b"]


def test_words_start_from_their_vectors() -> None:
    examples = two_classes()
    words = vocabulary(examples.lines, SMALL)
    still = replace(SMALL, vector_rate=0.0, epochs=1)
    inputs, _ = train(examples, words, {"cart": np.arange(4, dtype=np.float32)}, still)
    assert inputs[words.index("cart")] == pytest.approx(0.3 * np.arange(4))
    other, _ = train(examples, words, {}, still)
    assert np.delete(inputs, words.index("cart"), 0) == pytest.approx(
        np.delete(other, words.index("cart"), 0)
    )


def test_documents_without_common_words_are_an_error(tmp_path: Path) -> None:
    examples = Examples(["one", "two"], {"domain": np.eye(2, dtype=np.float32)})
    with pytest.raises(ConfigError, match=r"no word is in enough documents; remedy"):
        fit(examples, LABELS, {}, tmp_path, SMALL)


def test_a_failing_child_is_an_error(tmp_path: Path) -> None:
    nothing = np.full((2, 4), np.nan, dtype=np.float32)
    with pytest.raises(ConfigError, match=r"cannot train: RuntimeError: a vector is not finite; remedy"):
        save(tmp_path / "none.ftz", [END, "a"], nothing, ("news", "jobs"), nothing)


def test_models_and_card_from_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tagger_labels, "NUM_FOLDS", 2)  # 5 fits instead of 11
    labels = write(tmp_path / "labels.jsonl.xz", label_rows(120))
    card = train_fasttext.run(labels, tmp_path / "models")
    tagger = taggers.load(tmp_path / "models")
    scores = tagger.score_many(
        ["lemma prime the integral of a lemma prime", "cart price of the shipping cart"]
    )
    assert [score.domain for score in scores] == ["mathematics", "commerce"]
    assert scores[0].quality > scores[1].quality
    assert card["agreement"]["source"]["domain"]["kappa"] > 0.9
    assert card["agreement"]["source"]["quality"]["cuts"]["4"]["auc"] > 0.95
    written = (tmp_path / "models/CARD.md").read_text() + (tmp_path / "models/card.json").read_text()
    assert "120" in written
    assert not any(row["text"][:30] in written for row in label_rows(120))


def test_a_fold_holds_whole_groups_of_about_equal_size() -> None:
    groups = [f"g{n % 13}" for n in range(90)] + ["big"] * 30
    parts = folds(groups)
    assert sorted(np.concatenate(parts).tolist()) == list(range(120))
    for part in parts:
        inside = {groups[row] for row in part}
        outside = {groups[row] for row in range(120) if row not in part}
        assert not inside & outside
    sizes = [len(part) for part in parts]
    assert len(sizes) == NUM_FOLDS
    assert max(sizes) == 30


def test_web_pages_are_units_of_their_own(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "labels.jsonl.xz", label_rows(60)))
    assert independent_unit(labels[0], "source") == "d0"
    assert independent_unit(labels[1], "source") == independent_unit(labels[2], "source") == "site-0"
    assert independent_unit(labels[1], "document") == "d1"


def test_a_fold_trains_on_pseudo_labels_of_its_own_teacher_and_of_no_held_out_parent(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "labels.jsonl.xz", label_rows(60)))
    says = {"all": ["commerce", 1.0, 1.0, 1.0], "source 0": ["mathematics", 4.0, 4.0, 4.0]}
    rows = [{"folds": hash_folds(labels)}]
    rows += [{"text": f"text {parent}", "parent": parent, "scores": says} for parent in ("", "d1", "d2")]
    pseudo = read_pseudo_labels(write(tmp_path / "pseudo.jsonl.xz", rows), labels)
    corpus = train_fasttext.Corpus(labels, pseudo)
    examples = corpus.examples(np.array([1, 3]), "source 0")
    # Of three texts, that of d2 is held out; those without parent and of d1 follow the teacher "source 0".
    assert examples.lines[-2:] == ["text", "text d #1"]
    assert len(examples.lines) == 2 * train_fasttext.LABEL_COPIES + 2
    assert examples.targets["domain"][-2:, DOMAINS.index("mathematics")].tolist() == [1.0, 1.0]
    assert examples.targets["quality"][-2:].argmax(axis=1).tolist() == [4, 4]


def test_pseudo_labels_of_other_folds_are_refused(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "labels.jsonl.xz", label_rows(60)))
    other = write(tmp_path / "pseudo.jsonl.xz", [{"folds": hash_folds(labels[1:])}])
    with pytest.raises(ConfigError, match="made for other labels or folds"):
        read_pseudo_labels(other, labels)


def test_a_spread_label_has_its_expectation() -> None:
    assert spread([2.25, 5.0, 0.0, 5.01]).tolist() == [
        [0.0, 0.0, 0.75, 0.25, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"quality": 6}, "line 1: ValueError: quality is 6"),
        ({"domain": "sports"}, "line 1: ValueError: domain is 'sports'"),
        ({"reasoning_depth": None}, "line 1: ValueError: reasoning_depth is None"),
    ],
)
def test_bad_labels_stop_with_line_and_value(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    rows = label_rows(60)
    rows[0] |= change
    with pytest.raises(ConfigError, match=fault):
        read_labels(write(tmp_path / "labels.jsonl.xz", rows))


def test_too_few_labels_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="10 labels; remedy: give at least 50"):
        read_labels(write(tmp_path / "labels.jsonl.xz", label_rows(10)))
    with pytest.raises(ConfigError, match="no file"):
        read_labels(tmp_path / "absent.jsonl")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\xff\xfe", r"cannot be read \('utf-8' codec"),
        (b'{"folds": 1}\n[1]\n', r"line 2: no JSON object"),
        (b"[" * 100_000, r"line 1: .*recursion"),
        (b"{", r"line 1: Expecting"),
        (None, r"cannot be read \(.*No such file"),
    ],
    ids=["no UTF-8", "a list", "deep", "cut", "absent"],
)
def test_rows_that_cannot_be_read_stop_with_file_and_line(
    tmp_path: Path, data: bytes | None, fault: str
) -> None:
    path = tmp_path / "rows.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=rf"rows\.jsonl: {fault}.*; remedy"):
        list(read_json_lines(path))


def test_a_cut_xz_file_stops_with_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.jsonl.xz", label_rows(60))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ConfigError, match=r"labels\.jsonl\.xz: cannot be read .*; remedy"):
        read_labels(path)


def test_a_pseudo_label_without_scores_stops_with_its_line(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "labels.jsonl.xz", label_rows(60)))
    rows: list[dict[str, object]] = [{"folds": hash_folds(labels)}, {"text": "a", "parent": ""}]
    with pytest.raises(ConfigError, match=r"line 2: KeyError: 'scores'; remedy"):
        read_pseudo_labels(write(tmp_path / "pseudo.jsonl.xz", rows), labels)

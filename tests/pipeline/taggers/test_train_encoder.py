"""Fine-tuning a random tiny encoder on labels made here; the folder loads as a tagger."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers

from configs.loader import ConfigError
from filters import taggers
from pipeline.taggers import labels as tagger_labels
from pipeline.taggers import train_encoder
from pipeline.taggers.fit_encoder import Weights, new_optimizer
from pipeline.taggers.labels import read_labels, read_pseudo_labels
from tests.filters.taggers.test_encoder import HIDDEN, SHAPE, random_weights
from tests.pipeline.taggers.test_train_fasttext import FILLERS, SUBJECTS, label_rows, write


def write_base(folder: Path) -> Path:
    """A checkpoint that knows the words of the made labels."""
    folder.mkdir()
    words = [
        "[PAD]",
        "[CLS]",
        "[SEP]",
        "[UNK]",
        *(word for group in SUBJECTS.values() for word in group),
        *FILLERS,
    ]
    weights = {name: value for name, value in random_weights().items() if not name.startswith("head")}
    table = weights["embeddings.word_embeddings.weight"]
    weights["embeddings.word_embeddings.weight"] = (
        table.repeat(len(words) // len(table) + 1, 1)[: len(words)] * 1.0
    )
    weights["embeddings.word_embeddings.weight"] += 0.3 * table.new_tensor(range(len(words)))[:, None].sin()
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "model.safetensors")
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "num_hidden_layers": SHAPE.num_layers,
        "num_attention_heads": SHAPE.num_heads,
        "hidden_size": HIDDEN,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_student_and_its_pseudo_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = replace(
        train_encoder.SETTINGS,
        epochs=40,
        batch_documents=6,
        learning_rate=3e-3,
        head_learning_rate=2e-2,
        dropout=0.0,
    )
    monkeypatch.setattr(train_encoder, "SETTINGS", settings)
    # Fits from random weights end far apart: their mean would be no student.
    monkeypatch.setattr(train_encoder, "SEEDS", (1,))
    monkeypatch.setattr(tagger_labels, "NUM_FOLDS", 2)
    labels = write(tmp_path / "labels.jsonl.xz", label_rows(60))
    texts = tmp_path / "texts.jsonl"
    texts.write_text(json.dumps({"text": "lemma prime", "parent": ""}) + "\n")
    base = write_base(tmp_path / "base")
    card = train_encoder.run(labels, base, tmp_path / "out", texts, tmp_path / "pseudo.jsonl")
    assert card["agreement"]["document"]["domain"]["kappa"] > 0.6
    proof, advert = taggers.load(tmp_path / "out").score_many(
        ["lemma prime integral " * 4, "price cart shipping " * 4]
    )
    assert (proof.domain, advert.domain) == ("mathematics", "commerce")
    assert proof.quality > advert.quality
    (pseudo,) = read_pseudo_labels(tmp_path / "pseudo.jsonl", read_labels(labels))
    assert set(pseudo.scores) == {"source 0", "source 1", "document 0", "document 1", "all"}


def test_a_student_is_the_mean_of_the_fits_of_all_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(base: object, shape: object, examples: object, num: int, settings: object, seed: int) -> Weights:
        return {"head.bias": torch.tensor([float(seed), 10.0 * seed])}

    monkeypatch.setattr(train_encoder, "fit_encoder", fit)
    labels = read_labels(write(tmp_path / "labels.jsonl.xz", label_rows(60)))
    student = train_encoder.Corpus(write_base(tmp_path / "base"), labels).fit(np.arange(40))
    assert student.weights["head.bias"].tolist() == [2.0, 20.0]


def test_lower_layers_learn_slower() -> None:
    settings = replace(train_encoder.SETTINGS, learning_rate=1.0, layer_decay=0.5, head_learning_rate=7.0)
    names = ("embeddings.x.weight", "encoder.layer.0.x.weight", "encoder.layer.1.x.bias", "head.weight")
    weights = {
        name: torch.zeros((2,) if name.endswith("bias") else (2, 2), requires_grad=True) for name in names
    }
    groups = new_optimizer(weights, settings).param_groups
    assert [group["lr"] for group in groups] == [0.25, 0.5, 1.0, 7.0]
    assert [group["weight_decay"] for group in groups] == [0.01, 0.01, 0.0, 0.01]


def test_a_base_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    labels = write(tmp_path / "labels.jsonl.xz", label_rows(60))
    with pytest.raises(ConfigError, match=r"no model\.safetensors in .*remedy"):
        train_encoder.run(labels, tmp_path, tmp_path / "out", None, None)


def test_a_damaged_base_and_texts_without_text_are_refused(tmp_path: Path) -> None:
    labels = write(tmp_path / "labels.jsonl.xz", label_rows(60))
    base = write_base(tmp_path / "base")
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "a"}\n{"parent": ""}\n')
    with pytest.raises(ConfigError, match=r"texts\.jsonl: line 2: no text; remedy"):
        train_encoder.run(labels, base, tmp_path / "out", texts, None)
    for name in ("tokenizer.json", "config.json", "model.safetensors"):
        damaged = write_base(tmp_path / name)
        (damaged / name).write_bytes(b"{")
        with pytest.raises(ConfigError, match=rf"--base: .*{name}: \w+: .*remedy"):
            train_encoder.run(labels, damaged, tmp_path / "out", None, None)

"""The encoder against torch's own layers, and behind the taggers' interface."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

from configs.contract import DOMAINS  # noqa: E402
from filters import taggers  # noqa: E402
from filters.taggers.encoder_model import NUM_CUTS, Shape, encode, pack, to_windows  # noqa: E402
from filters.taggers.scores import hash_bytes, hash_card, read_card  # noqa: E402
from filters.taggers.statistics import NAMES  # noqa: E402

SHAPE = Shape(num_layers=2, num_heads=2, cls_id=1, sep_id=2)
HIDDEN = 8
WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "prime", "proof", "buy", "now")


def random_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """A tiny BERT with a head, under the names of published checkpoints."""
    generator = torch.Generator().manual_seed(seed)
    sizes = {"embeddings.word_embeddings.weight": (len(WORDS), HIDDEN)}
    sizes["embeddings.position_embeddings.weight"] = (512, HIDDEN)
    sizes["embeddings.token_type_embeddings.weight"] = (2, HIDDEN)
    parts = {f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
    parts |= {"attention.output.dense": (HIDDEN, HIDDEN), "intermediate.dense": (16, HIDDEN)}
    parts |= {
        "output.dense": (HIDDEN, 16),
        "attention.output.LayerNorm": (HIDDEN,),
        "output.LayerNorm": (HIDDEN,),
    }
    for layer in range(SHAPE.num_layers):
        for part, size in parts.items():
            sizes[f"encoder.layer.{layer}.{part}.weight"] = size
            sizes[f"encoder.layer.{layer}.{part}.bias"] = size[:1]
    sizes |= {"embeddings.LayerNorm.weight": (HIDDEN,), "embeddings.LayerNorm.bias": (HIDDEN,)}
    sizes["head.weight"] = (len(DOMAINS) + NUM_CUTS, HIDDEN + len(NAMES))
    sizes["head.bias"] = (len(DOMAINS) + NUM_CUTS,)
    return {name: torch.randn(size, generator=generator) * 0.3 for name, size in sizes.items()}


def write_folder(folder: Path, num_measurements: int = len(NAMES)) -> Path:
    """A student's folder with random weights."""
    folder.mkdir()
    arrays = {name: value.numpy().astype(np.float16) for name, value in random_weights().items()}
    standard = {"measured.mean": np.zeros(num_measurements), "measured.scale": np.ones(num_measurements)}
    np.savez(folder / "encoder.npz", **arrays, **standard)
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    files = ("encoder.npz", "tokenizer.json")
    card = {
        "student": "encoder",
        "domains": list(DOMAINS),
        "shape": SHAPE._asdict(),
        "cuts": {name: [0.1, 0.3, 0.5, 0.7, 0.9] for name in taggers.DIMENSIONS},
        "models": {name: {"hash": hash_bytes((folder / name).read_bytes())} for name in files},
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_it_loads_behind_the_same_entry_and_scores_any_text(tmp_path: Path) -> None:
    tagger = taggers.load(write_folder(tmp_path / "encoder"))
    texts = ["prime proof\nprime", "", "buy now " * 2_000, "$x$ \ud800"]
    scores = tagger.score_many(texts)
    assert all(score.domain in DOMAINS for score in scores)
    assert all(0.0 <= value <= 1.0 for score in scores for value in score[1:])
    assert scores == [tagger.score(text) for text in texts]
    assert tagger.model_hash == hash_card(read_card(tmp_path / "encoder")) != taggers.load().model_hash
    (tmp_path / "encoder/tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match=r"tokenizer\.json: not the model"):
        taggers.load(tmp_path / "encoder")


def test_a_student_of_other_measurements_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"encoder\.npz: made for 3 measurements, not 42; remedy"):
        taggers.load(write_folder(tmp_path / "encoder", 3))


def test_windows_hold_every_token_once_between_marks() -> None:
    assert to_windows([4, 5, 6], SHAPE, window=4) == [[1, 4, 5, 2], [1, 6, 2]]
    assert to_windows([], SHAPE) == [[1, 2]]


def test_padding_changes_nothing() -> None:
    weights = random_weights()
    alone, _ = pack([[4, 5]], SHAPE)
    beside, owners = pack([[4, 5], [6, 7, 4, 5, 6]], SHAPE)
    assert owners.tolist() == [0, 1]
    assert torch.allclose(encode(weights, alone, SHAPE)[0], encode(weights, beside, SHAPE)[0, :4], atol=1e-5)


def test_the_layers_are_those_of_torch() -> None:
    """The same weights in torch's own post-norm encoder layer give the same vectors."""
    weights = random_weights()
    ids, _ = pack([[4, 5, 6, 7]], SHAPE)
    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][:6]
    )
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    norm = [weights[f"embeddings.LayerNorm.{part}"] for part in ("weight", "bias")]
    x = torch.nn.functional.layer_norm(x, (HIDDEN,), *norm, 1e-12)
    for number in range(SHAPE.num_layers):
        layer = torch.nn.TransformerEncoderLayer(
            HIDDEN, SHAPE.num_heads, 16, 0.0, "gelu", layer_norm_eps=1e-12, batch_first=True
        )
        of = {name.removeprefix(f"encoder.layer.{number}."): value for name, value in weights.items()}
        state = {
            f"self_attn.in_proj_{part}": torch.cat(
                [of[f"attention.self.{n}.{part}"] for n in ("query", "key", "value")]
            )
            for part in ("weight", "bias")
        }
        renamed = {
            "self_attn.out_proj": "attention.output.dense",
            "linear1": "intermediate.dense",
            "linear2": "output.dense",
            "norm1": "attention.output.LayerNorm",
            "norm2": "output.LayerNorm",
        }
        state |= {
            f"{new}.{part}": of[f"{old}.{part}"]
            for new, old in renamed.items()
            for part in ("weight", "bias")
        }
        layer.load_state_dict(state)
        x = layer(x)
    assert torch.allclose(x, encode(weights, ids, SHAPE), atol=1e-5)

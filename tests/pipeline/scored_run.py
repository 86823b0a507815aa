"""A run folder with literal documents up to `scored`, for the jobs that score, plan and tokenise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from configs.contract import Manifest
from tests.run_tables import write_table, write_tokenizer


@dataclass(frozen=True)
class Doc:
    """What the tests say of a document; every other column has a neutral value."""

    doc_id: str
    text: str
    source: str = "web"
    split: str = "train"
    domain: str = "science"
    quality: float = 0.5
    knowledge_density: float = 0.5
    reasoning_depth: float = 0.5
    token_count: int = 10


def write_documents(root: Path, table: str, docs: Sequence[Doc], inputs: dict[str, str]) -> Manifest:
    """Commit `docs` as a table, one part per source."""
    sources = dict.fromkeys(doc.source for doc in docs)
    parts = ([vars(doc) for doc in docs if doc.source == source] for source in sources)
    return write_table(root, table, *parts, inputs=inputs)


MIXTURE_TOML = """
seed = 3
max_natural_epochs = 4.0

[domain_weights]
mathematics = 1.0
code = 1.0
science = 1.0
technology = 1.0
society = 1.0
news = 1.0
commerce = 1.0
jobs = 1.0
lifestyle = 1.0
fiction = 1.0
boilerplate = 1.0

[score_weights]
quality = 0.3
knowledge_density = 0.3
reasoning_depth = 0.4

[[bands]]
name = "low"
min_score = 0.0
weight = 1.0

[[bands]]
name = "high"
min_score = 0.5
weight = 1.0

[[stages]]
synthetic_fraction = 0.0

[[stages]]
math_and_code_fraction = 0.7
synthetic_fraction = 0.0

[[stages]]
math_and_code_fraction = 0.7
synthetic_fraction = 0.1
"""


def write_stages(preset: Path, tokens: tuple[int, int, int]) -> None:
    """stage1..3.toml of these budgets."""
    for number, budget in enumerate(tokens, 1):
        (preset / f"stage{number}.toml").write_text(
            f"tokens = {budget}\nsequence_length = 64\nrotary_base = 10000\nglobal_batch_size = 2\n"
        )


WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "x", "=", "+", "1", "2", "\n")


def write_bpe(root: Path) -> str:
    """Commit a byte-level BPE of 280 tokens; returns the table's digest."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    return write_tokenizer(root, tokenizer, "<|endoftext|>")

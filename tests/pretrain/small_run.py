"""A run folder that is ready to train: text-like tokens in two buckets and a plan for three short stages."""

import struct
from pathlib import Path

import numpy as np

from configs.contract import MIXTURE, SPANS
from configs.tokens.blocks import digests_of, encode_digests
from tests.run_tables import parquet, write_files

EOD = 0
VOCAB = 96
STAGE_TOKENS = (2048, 1024, 1024)

PRESET = {
    "model": """
num_layers = 2
hidden_size = 64
ffn_hidden_size = 96
num_attention_heads = 2
num_query_groups = 1
head_dim = 32
vocab_size = 96
vocab_divisible_by = 32
norm_epsilon = 1e-5
init_std = 0.02
mtp_num_layers = 1
mtp_hidden = "mimo"
mtp_zero_first_embedding = true
""",
    "schedule": """
seed = 7
adam_beta1 = 0.9
adam_beta2 = 0.95
adam_epsilon = 1e-8
weight_decay = 0.1
clip_grad = 1.0
[batch_warmup]
tokens = 512
start = 2
increment = 1
[[learning_rate]]
shape = "linear"
tokens = 512
start = 0.0
end = 1e-2
[[learning_rate]]
shape = "cosine"
tokens = 3584
start = 1e-2
end = 1e-3
[[mtp_loss_weight]]
from_token = 0
weight = 0.3
[[mtp_loss_weight]]
from_token = 1024
weight = 0.1
""",
    "stage1": "tokens = 2048\nsequence_length = 64\nrotary_base = 10_000\nglobal_batch_size = 4\n",
    "stage2": "tokens = 1024\nsequence_length = 64\nrotary_base = 10_000\nglobal_batch_size = 4\n",
    "stage3": "tokens = 1024\nsequence_length = 128\nrotary_base = 640_000\nglobal_batch_size = 2\n",
    "train": """
micro_batch_tokens = 128
tensor_parallel = 1
pipeline_parallel = 1
context_parallel = 1
precision = "fp32"
recompute = false
deterministic = true
checkpoint_every_steps = 4
kept_checkpoints = 2
spike_sigmas = 6.0
max_skipped_steps = 3
cpu_threads = 1
""",
    "preflight": "num_gpus = 1\nflops_utilisation = 0.1\n",
}


def documents(seed: int, count: int) -> list[list[int]]:
    """Token lists that can be learned: each counts upward from its first token, ended by EOD."""
    noise = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        first, length = int(noise.integers(1, VOCAB)), int(noise.integers(5, 60))
        made.append([1 + (first + n) % (VOCAB - 1) for n in range(length)] + [EOD])
    return made


def write_bucket(root: Path, bucket: str, texts: list[list[int]], shards: int = 2, **facts: object) -> int:
    """`tokens/<bucket>` as Megatron shards with spans and digests; returns its number of tokens.

    The documents' ids are the bucket's first letter and a number.
    """
    files: dict[str, bytes] = {}
    prefixes = []
    for number in range(shards):
        mine = texts[number * len(texts) // shards : (number + 1) * len(texts) // shards]
        name = f"{bucket.split('/')[-1]}_{number:05d}"
        binary = np.array([token for text in mine for token in text], "<u2").tobytes()
        lengths = np.array([len(text) for text in mine], "<i4")
        pointers = np.concatenate([[0], np.cumsum(lengths[:-1], dtype=np.int64)]) * 2
        head = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, 8, len(mine), len(mine) + 1)
        index = head + lengths.tobytes() + pointers.astype("<i8").tobytes()
        index += np.arange(len(mine) + 1, dtype="<i8").tobytes()
        files |= {f"{name}.bin": binary, f"{name}.idx": index}
        prefixes.append(name)
    files["spans.parquet"] = encode_spans(bucket[0], texts)
    add_digests(files)
    total = sum(map(len, texts))
    facts = {
        "prefixes": prefixes, "vocab_size": VOCAB, "eod_id": EOD, "tokenizer_hash": "t",
        "num_documents": len(texts),
        "num_tokens": total, "domain": "mathematics", "band": "high", "source": "web", **facts,
    }  # fmt: skip
    write_files(root, f"tokens/{bucket}", files, **facts)
    return total


def encode_spans(letter: str, texts: list[list[int]]) -> bytes:
    ends = np.cumsum([len(text) for text in texts]).tolist()
    spans = zip([0, *ends], ends, strict=False)
    rows = [
        {"token_start": start, "token_end": end, "doc_id": f"{letter}{number}"}
        for number, (start, end) in enumerate(spans)
    ]
    return parquet(rows, SPANS)


def add_digests(files: dict[str, bytes]) -> None:
    """Add blocks.parquet with the digests of these files."""
    files["blocks.parquet"], _ = encode_digests(
        {name: digests_of(data, name.endswith(".bin")) for name, data in files.items()}
    )


def write_plan(root: Path, stage: int, rows: list[dict[str, object]], **facts: object) -> None:
    """`mixtures/stage<N>` of these rows."""
    columns = {"domain": "mathematics", "band": "high", "epochs": 1.0}
    data = parquet([columns | row for row in rows], MIXTURE)
    known = {"budget_tokens": STAGE_TOKENS[stage - 1], "seed": 7, "tokenizer_hash": "t"} | facts
    write_files(root, f"mixtures/stage{stage}", {"data/part-0.parquet": data}, len(rows), **known)


def write_run(root: Path, texts: tuple[list[list[int]], list[list[int]]] | None = None) -> Path:
    """Everything under `root`; returns the preset's folder. `texts`: the documents of both buckets."""
    preset = root / "preset"
    preset.mkdir(parents=True)
    for name, text in PRESET.items():
        (preset / f"{name}.toml").write_text(text)
    mixture = Path(__file__).parents[2] / "configs" / "tiny" / "mixture.toml"
    (preset / "mixture.toml").write_bytes(mixture.read_bytes())
    a, b = texts or (documents(1, 60), documents(2, 30))
    write_bucket(root, "mathematics-high-web", a)
    write_bucket(root, "code-high-web", b, shards=1)
    for stage in (1, 2, 3):
        rows = []
        for bucket, texts, weight in (("mathematics-high-web", a, 0.7), ("code-high-web", b, 0.3)):
            start, end = (stage - 1) * len(texts) // 3, stage * len(texts) // 3
            tokens = sum(map(len, texts[start:end]))
            rows.append(
                {"bucket": bucket, "source": "web", "weight": weight, "document_start": start,
                 "document_end": end, "tokens": tokens}
            )  # fmt: skip
        write_plan(root, stage, rows)
    return preset

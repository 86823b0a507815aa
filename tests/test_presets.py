"""tiny, h200 and mimo7b ask for the same things; mimo7b holds the report's numbers, each with its section."""

import re
import tomllib
from collections.abc import Set
from pathlib import Path

import pytest

from configs.loader import Config, load
from configs.recipe import MixtureConfig, load_recipe
from pipeline.dedup.config import DedupConfig
from pipeline.extract_documents import ExtractConfig
from pipeline.filter_documents import FilterConfig
from pipeline.index_benchmarks import BenchmarksConfig
from pipeline.ingest_sources import IngestConfig
from pipeline.score_documents import ScoreConfig
from pipeline.tokenize_corpus import TokenizeConfig
from pipeline.train_tokenizer import TokenizerConfig
from synth.config import SynthConfig
from synth.label_documents import LabelConfig

PRESETS = ("tiny", "h200", "mimo7b")
MIMO = Path("configs/mimo7b")
JOBS = {
    "benchmarks", "ingest", "extract", "filter", "dedup", "tokenizer", "score", "synth", "labels", "mixture",
    "tokenize", "model", "schedule", "stage1", "stage2", "stage3", "train", "preflight", "extend_mtp",
}  # fmt: skip
TRAINING = ("model", "schedule", "stage1", "stage2", "stage3", "train", "extend_mtp")
OPTIONAL = {
    "train": {"spike_sigmas"},
    "ingest": {"sources.exclude", "sources.text_field", "sources.id_field", "sources.url_field"},
    "filter": {"max_toxicity", "toxic_words"},
    "tokenizer": {"path"},
    "synth": {"seeds"},
}
"""Keys that a preset may leave out, by file; the configuration models say what their absence means."""
MODELS: dict[str, type[Config]] = {
    "benchmarks": BenchmarksConfig,
    "ingest": IngestConfig,
    "extract": ExtractConfig,
    "filter": FilterConfig,
    "dedup": DedupConfig,
    "tokenizer": TokenizerConfig,
    "score": ScoreConfig,
    "synth": SynthConfig,
    "labels": LabelConfig,
    "mixture": MixtureConfig,
    "tokenize": TokenizeConfig,
}
SECTION = re.compile(r"\[2\.[123]")
SOURCE = re.compile(r"\[2\.[123]|\breleased\b")
"""A section of the report, or the released checkpoint (whose config the model's small constants are from)."""

# (file, key, value); a key of a list of tables comes once for each table, in order.
REPORT = [
    ("model", "num_layers", 36),
    ("model", "hidden_size", 4096),
    ("model", "ffn_hidden_size", 11008),
    ("model", "num_attention_heads", 32),
    ("model", "num_query_groups", 8),
    ("model", "head_dim", 128),
    ("model", "vocab_size", 151_665),
    ("model", "norm_epsilon", 1e-5),
    ("model", "init_std", 0.02),
    ("model", "mtp_num_layers", 1),
    ("stage1", "tokens", 17_784_000_000_000),
    ("stage2", "tokens", 4_000_000_000_000),
    ("stage3", "tokens", 2_000_000_000_000),
    ("stage1", "sequence_length", 8192),
    ("stage2", "sequence_length", 8192),
    ("stage3", "sequence_length", 32_768),
    ("stage1", "rotary_base", 10_000),
    ("stage2", "rotary_base", 10_000),
    ("stage3", "rotary_base", 640_000),
    ("stage1", "global_batch_size", 2560),
    ("stage2", "global_batch_size", 2560),
    ("stage3", "global_batch_size", 640),
    ("schedule", "adam_beta1", 0.9),
    ("schedule", "adam_beta2", 0.95),
    ("schedule", "weight_decay", 0.1),
    ("schedule", "clip_grad", 1.0),
    ("schedule", "batch_warmup.tokens", 168_000_000_000),
    ("schedule", "learning_rate.shape", ["linear", "constant", "cosine", "constant", "constant", "cosine"]),
    (
    "schedule",
    "learning_rate.tokens",
    [
        84_000_000_000, 10_200_000_000_000, 7_500_000_000_000,
        4_000_000_000_000, 1_500_000_000_000, 500_000_000_000,
    ],
    ),
    ("schedule", "learning_rate.start", [0.0, 1.07e-4, 1.07e-4, 3e-5, 3e-5, 3e-5]),
    ("schedule", "learning_rate.end", [1.07e-4, 1.07e-4, 3e-5, 3e-5, 3e-5, 1e-5]),
    ("schedule", "mtp_loss_weight.from_token", [0, 10_300_000_000_000]),
    ("schedule", "mtp_loss_weight.weight", [0.3, 0.1]),
    ("mixture", "stages.math_and_code_fraction", [None, 0.7, None]),
    ("mixture", "stages.synthetic_fraction", [0.0, 0.0, 0.1]),
]  # fmt: skip


def keys(value: object, optional: Set[str] = frozenset(), table: str = "") -> object:
    """The names in a TOML value but for optional ones ("table.key").

    Tables are nested; a list of tables is the union of its tables' names.
    """
    if isinstance(value, dict):
        return {
            name: keys(inner, optional, f"{table}{name}.")
            for name, inner in value.items()
            if f"{table}{name}" not in optional
        }
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return [keys({name: inner for item in value for name, inner in item.items()}, optional, table)]
    return None


def read(preset: str, name: str) -> dict[str, object]:
    return tomllib.loads(Path("configs", preset, f"{name}.toml").read_text(encoding="utf-8"))


def names(preset: str) -> set[str]:
    return {path.stem for path in Path("configs", preset).glob("*.toml")}


def test_every_job_has_its_file() -> None:
    assert names("tiny") >= JOBS
    assert names("tiny") == names("h200") == names("mimo7b")


@pytest.mark.parametrize("name", sorted(names("tiny")))
def test_presets_have_the_same_keys(name: str) -> None:
    optional = OPTIONAL.get(name, set())
    tiny, h200, mimo7b = (keys(read(preset, name), optional) for preset in PRESETS)
    assert tiny == mimo7b
    assert h200 == mimo7b


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("preset", PRESETS)
def test_the_first_line_names_the_report(preset: str, name: str) -> None:
    text = Path("configs", preset, f"{name}.toml").read_text(encoding="utf-8")
    assert "arXiv 2505.07608" in text.splitlines()[0]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", MODELS)
def test_data_jobs_can_read_their_file(preset: str, name: str) -> None:
    load(f"configs/{preset}", name, MODELS[name])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", MODELS)
def test_a_file_that_cites_the_report_names_it_first(preset: str, name: str) -> None:
    text = Path("configs", preset, f"{name}.toml").read_text(encoding="utf-8")
    assert "arXiv 2505.07608" in text.splitlines()[0] or not SECTION.search(text)


def test_key_comparison_sees_differences() -> None:
    assert keys({"a": 1, "b": {"c": 2}}) == keys({"a": 5, "b": {"c": []}})
    assert keys({"a": 1}) != keys({"b": 1})
    assert keys({"a": {"b": 1}}) != keys({"a": {"c": 1}})
    assert keys({"a": [{"b": 1}, {"c": 1}]}) == keys({"a": [{"b": 1, "c": 2}]})
    assert keys({"a": [{"b": 1}]}) != keys({"a": [{"c": 1}]})
    assert keys({"a": [{"b": 1, "c": 1}]}, {"a.c"}) == keys({"a": [{"b": 1}]}, {"a.c"})
    assert keys({"a": 1, "b": 1}, {"b.c"}) != keys({"a": 1}, {"b.c"})


@pytest.mark.parametrize(("name", "key", "value"), REPORT, ids=[f"{name}.{key}" for name, key, _ in REPORT])
def test_mimo7b_holds_the_reports_number(name: str, key: str, value: object) -> None:
    found: object = read("mimo7b", name)
    for step in key.split("."):
        if isinstance(found, list):
            found = [table.get(step) for table in found]
        else:
            assert isinstance(found, dict)
            found = found[step]
    if key == "stages.math_and_code_fraction":
        assert isinstance(found, list)
        found[2] = None  # stage 3 keeps stage 2's share: the report names none of its own
    assert found == value


@pytest.mark.parametrize(("name", "key", "value"), REPORT, ids=[f"{name}.{key}" for name, key, _ in REPORT])
def test_the_number_stands_beside_its_section(name: str, key: str, value: object) -> None:
    """In the comment of its own line, or of the line that opens its table."""
    comments = sections((MIMO / f"{name}.toml").read_text(encoding="utf-8"), key)
    stated = [item for item in value if item is not None] if isinstance(value, list) else [value]
    assert len(comments) >= len(stated)
    for comment in comments:
        assert SOURCE.search(comment), f"{name}.toml, {key}: no section in {comment!r}"


def sections(text: str, key: str) -> list[str]:
    """The comments that stand for every line that sets `key` (a.b is b in table a)."""
    table, _, last = key.rpartition(".")
    header = ""
    found = []
    for line in text.splitlines():
        if line.startswith("["):
            header = line
        opened = header.partition("#")[0].strip(" []")
        if re.match(rf"{last}\s*=", line) and opened == table:
            found.append(_comment(line) or _comment(header))
    return found


def _comment(line: str) -> str:
    return line.partition("#")[2]


def test_sections_are_found_where_they_stand() -> None:
    text = "a = 1 # [2.2]\n[t] # [2.3]\nb = 2\nc = 3 # Ours\n[[u]] # [2.1]\nb = 4\n"
    assert sections(text, "a") == [" [2.2]"]
    assert sections(text, "t.b") == [" [2.3]"]
    assert sections(text, "t.c") == [" Ours"]
    assert sections(text, "u.b") == [" [2.1]"]
    assert sections(text, "b") == []


def test_the_reports_numbers_fit_each_other() -> None:
    recipe = load_recipe(MIMO)
    assert recipe.model.padded_vocab_size == 151_680
    assert sum(stage.tokens for stage in recipe.stages) == 23_784_000_000_000
    assert sum(piece.tokens for piece in recipe.schedule.learning_rate) == 23_784_000_000_000
    assert {stage.global_batch_size * stage.sequence_length for stage in recipe.stages} == {20_971_520}


@pytest.mark.parametrize("preset", PRESETS)
def test_learning_rate_ends_with_the_stages(preset: str) -> None:
    recipe = load_recipe(Path("configs", preset))
    ends, position = set(), 0
    for piece in recipe.schedule.learning_rate:
        position += piece.tokens
        ends.add(position)
    assert position == sum(stage.tokens for stage in recipe.stages)
    first, second, _ = (stage.tokens for stage in recipe.stages)
    assert {first, first + second} <= ends

"""Preflight passes what can run, and catches every seeded fault with one line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from configs.command import Place
from configs.contract import ContractError
from configs.loader import ConfigError
from configs.storage.manifest import MANIFEST
from pretrain import preflight
from pretrain.plan import checks
from tests.pretrain.faults import (
    CODE,
    FIRST_STAGE,
    MATH,
    Fault,
    damage_file,
    damaged_heldout,
    edit,
    edit_facts,
    edit_manifest,
    edit_plan,
    flip,
    move_all_tokens_to_the_next_document,
    redigest,
    remake,
    remake_spans,
    remove,
    replace_digests,
    spans_of_other_ends,
    update,
    without_digests,
)
from tests.pretrain.small_run import STAGE_TOKENS, documents, write_bucket, write_run


def place(root: Path, **options: bool) -> Place:
    return Place(root / "preset", str(root), str(root), **options)


FAULTS: dict[str, tuple[Fault, str]] = {
    "preset file gone": (remove("preset/model.toml"), "model.toml: missing"),
    "preset key gone": (edit("train", "recompute = false\n", ""), "train.toml: recompute: Field required"),
    "preset key unknown": (edit("stage1", "tokens", "more = 1\ntokens"), "stage1.toml: more: Extra inputs"),
    "preset value of another type": (edit("model", "= 64", '= "64"'), "hidden_size: Input should be a valid"),
    "TOML broken": (edit("schedule", "seed = 7", "seed = "), "schedule.toml: not valid TOML"),
    "heads not divisible": (
        edit("model", "query_groups = 1", "query_groups = 3"),
        "multiple of num_query_groups",
    ),
    "learning rate too short": (
        edit("schedule", "tokens = 3584", "tokens = 3000"),
        "pieces cover 3512 tokens",
    ),
    "learning rate jumps": (edit("schedule", "start = 1e-2", "start = 2e-2"), "make the curve continuous"),
    "constant piece changes": (
        edit("schedule", 'shape = "cosine"', 'shape = "constant"'),
        "give it one value",
    ),
    "MTP weights go back": (edit("schedule", "from_token = 1024", "from_token = 0"), "let each be larger"),
    "MTP weights begin late": (edit("schedule", "from_token = 0", "from_token = 8"), "begin at 0"),
    "ramp above the batch": (edit("schedule", "start = 2\n", "start = 9\n"), "let it begin lower"),
    "ramp beyond stage 1": (edit("schedule", "tokens = 512", "tokens = 4096"), "end inside stage 1"),
    "GPUs not divisible": (
        edit("train", "tensor_parallel = 1", "tensor_parallel = 2"),
        "query_groups 1 cannot",
    ),
    "layers not divisible": (
        edit("train", "pipeline_parallel = 1", "pipeline_parallel = 3"),
        "num_layers 2 cannot",
    ),
    "layout does not fit GPUs": (
        edit("train", "pipeline_parallel = 1", "pipeline_parallel = 2"),
        "num_gpus is 1",
    ),
    "batch not divisible": (
        edit("preflight", "num_gpus = 1", "num_gpus = 4"),
        "stage3.toml: global_batch_size 2",
    ),
    "ramp not divisible": (edit("preflight", "num_gpus = 1", "num_gpus = 2"), "batch_warmup.increment 1"),
    "row not divisible": (
        edit("train", "context_parallel = 1", "context_parallel = 5"),
        "sequence_length 64 cannot be cut",
    ),
    "no plan": (remove("mixtures"), "mixtures: the token tables are not there yet"),
    "plan of one stage gone": (remove("mixtures/stage2"), "mixtures/stage2: no such table"),
    "plan of another contract": (
        edit_manifest("mixtures/stage1", contract_version=99),
        "contract version 99",
    ),
    "plan for other tokens": (edit("stage2", "tokens = 1024", "tokens = 512"), "pieces cover"),
    "plan for another budget": (edit_plan(2, lambda rows: None, budget_tokens=7), "planned for 7 tokens"),
    "weights too large": (edit_plan(1, update(0, weight=0.8)), "sum to 1.1"),
    "weight negative": (
        edit_plan(3, lambda r: (r[0].update(weight=-0.2), r[1].update(weight=1.2))),
        "from -0.2 up",
    ),
    "bucket planned twice": (edit_plan(1, update(1, bucket=MATH)), "a bucket is planned twice"),
    "bucket not tokenised": (remove(f"tokens/{CODE}"), f"tokens/{CODE}: no such table"),
    "documents beyond the bucket": (edit_plan(3, update(0, document_end=61)), "61 planned"),
    "documents taken twice": (edit_plan(2, update(0, **FIRST_STAGE)), "take the same documents"),
    "plan counts other tokens": (edit_plan(1, update(0, tokens=5)), "the plan counts 5 tokens"),
    "too many epochs": (edit("mixture", "max_natural_epochs = 6.0", "max_natural_epochs = 0.5"), "is drawn"),
    "vocabulary of another size": (edit("model", "vocab_size = 96", "vocab_size = 97"), "vocab_size is 97"),
    "EOD is no token": (edit_facts(CODE, eod_id=96), "EOD 96 is no token"),
    "EOD differs": (edit_facts(CODE, eod_id=1), "EOD [0, 1]"),
    "tokenizers differ": (edit_facts(CODE, tokenizer_hash="u"), "buckets of 2 tokenizers"),
    "documents not counted": (edit_facts(MATH, num_documents=59), "59 in its manifest"),
    "index of other magic": (
        damage_file(MATH, ".idx", lambda d: d.__setitem__(0, 0)),
        "not a whole Megatron index",
    ),
    "index cut": (
        damage_file(MATH, ".idx", lambda d: d.__delitem__(slice(-8, None))),
        "not a whole Megatron index",
    ),
    "index of other lengths": (
        damage_file(CODE, ".idx", lambda d: d.__setitem__(34, d[34] ^ 1)),
        "its index names",
    ),
    "tokens cut": (damage_file(CODE, ".bin", lambda d: d.__delitem__(slice(-2, None))), "its index names"),
    "token file gone": (remove(f"tokens/{CODE}/*.bin"), "the list of parts names"),
    "tokens of another contract": (edit_manifest(f"tokens/{MATH}", contract_version=0), "contract version 0"),
    "tokens changed": (
        flip(CODE, "*.bin", 77),
        "code-high-web_00000.bin: block 0 (from byte 0) is not what tokenize wrote",
    ),
    "index changed": (flip(MATH, "*_00001.idx", 400), "web_00001.idx: not what tokenize wrote"),
    "spans changed": (flip(MATH, "spans.parquet", 99), "web/spans.parquet: not what tokenize wrote"),
    "digests changed": (flip(CODE, "blocks.parquet", 99), "blocks.parquet: not the file that the manifest"),
    "digests gone": (without_digests, "blocks.parquet: the manifest names no digests"),
    "manifest changed": (flip(CODE, "_meta/manifest.json", -30), "manifest.json: "),
    "manifest of another bucket": (
        lambda root: shutil.copy(root / "tokens" / CODE / MANIFEST, root / "tokens" / MATH / MANIFEST),
        f"{MATH}/_meta/manifest.json: is that of the table tokens/{CODE}",
    ),
    "list of parts changed": (flip(CODE, "_meta/parts-*.parquet", 99), "not the list that was committed"),
    "list of parts gone": (remove(f"tokens/{MATH}/_meta/parts-*.parquet"), ".parquet: missing; remedy: "),
    "token outside the vocabulary": (
        remake(CODE, ".bin", lambda d: d.__setitem__(slice(20, 22), b"\x60\0")),
        "code-high-web_00000.bin: token 10 is 96, the vocabulary has 96 ids",
    ),
    "document without EOD": (
        remake(CODE, ".bin", lambda d: d.__setitem__(slice(-2, None), b"\5\0")),
        "is 5, but a document ends there",
    ),
    "EOD inside a document": (
        remake(CODE, ".bin", lambda d: d.__setitem__(slice(0, 2), b"\0\0")),
        "code-high-web_00000.bin: token 0 is 0, but no document ends there",
    ),
    "index with other offsets": (
        remake(CODE, ".idx", lambda d: d.__setitem__(34 + 4 * 30 + 8, 2)),
        "code-high-web_00000.idx: lengths, offsets and document numbers contradict",
    ),
    "index with an empty document": (
        remake(CODE, ".idx", move_all_tokens_to_the_next_document),
        "code-high-web_00000.idx: lengths, offsets and document numbers contradict",
    ),
    "spans of other documents": (remake_spans(MATH, documents(3, 60)), "60 spans that are not the documents"),
    "spans too few": (remake_spans(MATH, documents(1, 59)), "59 spans that are not the documents"),
    "spans that are no Parquet": (
        remake(MATH, "spans.parquet", lambda d: d.__delitem__(slice(9, None))),
        "spans.parquet: not readable",
    ),
    "spans that end elsewhere": (
        remake(MATH, "spans.parquet", lambda d: d.__setitem__(slice(None), spans_of_other_ends())),
        "60 spans that are not the documents of the .idx",
    ),
    "digests of too few blocks": (
        redigest(CODE, replace_digests("code-high-web_00000.bin", blocks=())),
        "code-high-web_00000.bin: 1898 bytes, but 0 digests of blocks",
    ),
    "digest of the whole file differs": (
        redigest(CODE, replace_digests("code-high-web_00000.bin", whole=bytes(16))),
        "code-high-web_00000.bin: not what tokenize wrote",
    ),
    "spans without digest": (
        redigest(CODE, lambda digests: digests.pop("spans.parquet")),
        "blocks.parquet has no digest of spans.parquet",
    ),
    "held-out text changed": (damaged_heldout, "heldout/code/code_00000.bin: block 0"),
    "tokens not counted": (edit_facts(MATH, num_tokens=7), "the manifest 7; remedy"),
    "held-out text gone": (
        edit("train", "kept_checkpoints", "heldout_every_steps = 5\nkept_checkpoints"),
        "heldout/math: no",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_caught_with_one_line(tmp_path: Path, name: str) -> None:
    fault, expected = FAULTS[name]
    write_run(tmp_path)
    fault(tmp_path)
    with pytest.raises((ConfigError, ContractError), match=re.escape(expected)) as caught:
        preflight.run(place(tmp_path))
    assert "remedy: " in str(caught.value)
    assert not (tmp_path / "preflight.json").exists()


def test_there_are_forty_five_faults() -> None:
    assert len(FAULTS) >= 45


def test_a_disk_too_small_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 1))
    with pytest.raises(ConfigError, match=r"0\.0 GiB free, checkpoints need"):
        preflight.run(place(tmp_path))


def test_a_good_run_passes_and_says_what_it_will_do(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_run(tmp_path)
    preflight.run(place(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    assert f"total: {sum(STAGE_TOKENS):,} tokens, 18 steps" in lines
    assert "batch ramp: 2 by 1 over 512 tokens" in lines
    written = (tmp_path / "preflight.json").stat().st_mtime_ns
    preflight.run(place(tmp_path))
    assert (tmp_path / "preflight.json").stat().st_mtime_ns == written


@pytest.mark.parametrize("preset", ["tiny", "h200", "mimo7b"])
def test_presets_have_a_plan_before_there_is_data(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    preflight.run(Place(Path("configs") / preset, str(tmp_path), str(tmp_path)), plan_only=True)
    *plan, last = capsys.readouterr().out.splitlines()
    assert any(line.startswith("memory per GPU: ") for line in plan)
    assert last == f"{tmp_path}/mixtures: the token tables are not there yet; remedy: run make plan tokenize"
    assert not list(tmp_path.iterdir())


def test_the_plan_alone_reads_no_token(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_run(tmp_path)
    shutil.rmtree(tmp_path / "tokens")
    preflight.run(place(tmp_path), plan_only=True)
    assert "not there yet" not in capsys.readouterr().out
    assert not (tmp_path / "preflight.json").exists()


def test_without_tables_the_plan_comes_first_then_one_line_of_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pretrain.preflight", "--preset", "configs/mimo7b", "--output"]
    done = subprocess.run(
        [*command, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    *plan, last = done.stdout.splitlines()
    assert done.returncode == 2
    assert "total: 23,784,000,000,000 tokens, 1,149,839 steps" in plan
    assert last.startswith(f"error: {tmp_path}/mixtures: the token tables are not there yet; remedy: ")
    assert not list(tmp_path.iterdir())


def test_a_dry_run_checks_everything_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    write_run(tmp_path)
    preflight.run(place(tmp_path, dry_run=True))
    assert "stage 1 draws 2,048 tokens from web" in capsys.readouterr().out
    assert not (tmp_path / "preflight.json").exists()


def test_mimo7b_is_printed_to_the_token(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    preflight.run(Place(Path("configs/mimo7b"), str(tmp_path), str(tmp_path)), plan_only=True)
    text = capsys.readouterr().out
    for expected in (
        "tokens 0 to 17,784,000,000,000",
        "tokens 21,784,000,000,000 to 23,784,000,000,000",
        "MTP loss weight: 0.1 from token 10,300,000,000,000",
        "7,833,409,536 parameters, of which the MTP layer 210,790,400",
        "the report's pieces sum to 23.784T, its text says about 25T: 1.216T are not accounted for",
        "without (+10.3%)",
        "budget of stage 3: 1,800,000,000,000 natural tokens, 70% of them mathematics and code; "
        "200,000,000,000 synthetic tokens",
        "at least 5,896,000,000,000 distinct tokens at 4 epochs",  # (23.784T - .2T) / 4
        "disk: 408.5 GiB for checkpoints",  # 4 x 14 bytes per parameter
    ):
        assert expected in text


def test_a_bucket_that_no_plan_names_does_not_matter(tmp_path: Path) -> None:
    write_run(tmp_path)
    write_bucket(tmp_path, "news-low-web", documents(9, 3), eod_id=50)
    preflight.run(place(tmp_path))


def test_damaged_tokens_end_in_one_line_and_exit_code_2(tmp_path: Path) -> None:
    write_run(tmp_path)
    flip(MATH, "*_00001.bin", 10)(tmp_path)
    command = [sys.executable, "-m", "pretrain.preflight", "--preset", str(tmp_path / "preset")]
    done = subprocess.run([*command, "--output", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: {tmp_path}/tokens/{MATH}/{MATH}_00001.bin: block 0 (from byte 0) is not what tokenize wrote"
        "; remedy: run make tokenize again with --overwrite\n"
    )

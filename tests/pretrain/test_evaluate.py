"""Every finished stage measured once on every held-out group."""

import json
from pathlib import Path

import pytest
import torch

from configs.command import Place
from configs.contract import ContractError
from pretrain import evaluate
from pretrain.decoding import acceptance
from pretrain.plan.token_files import GROUPS
from pretrain.run.heldout import heldout_samples
from tests.pretrain import small_run
from tests.pretrain.model.test_mimo import small_model
from tests.pretrain.run.test_heldout import WORDS
from tests.pretrain.test_export_hf import STAGE, fake_checkpoints, write_preset, write_tokenizer

pytestmark = pytest.mark.usefixtures("single_process")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A run folder with held-out documents, a tokenizer, and checkpoints of stages 1 and 2."""
    monkeypatch.setattr(evaluate, "NUM_ROWS", 3)
    monkeypatch.setattr(acceptance, "NUM_SERVED", 1)
    monkeypatch.setattr(acceptance, "SERVED_TOKENS", 16)
    root = str(tmp_path / "run")
    write_tokenizer(root, WORDS)
    generator = torch.Generator().manual_seed(2)
    for group in GROUPS:
        texts = [
            [*torch.randint(1, 90, (n,), generator=generator).tolist(), small_run.EOD] for n in (40, 1, 60)
        ]
        small_run.write_bucket(tmp_path / "run", f"heldout/{group}", texts, shards=1)
    digests = {1: "one", 2: "two", 3: None}
    asked = fake_checkpoints(monkeypatch, digests, small_model())
    return Place(write_preset(tmp_path / "preset"), root, root), asked, digests


def test_every_finished_stage_and_group_is_reported_once(place, tmp_path):
    place, asked, digests = place
    report = evaluate.run(place)
    assert [entry["stage"] for entry in report["stages"]] == [1, 2]
    for entry in report["stages"]:
        assert entry["groups"].keys() == set(GROUPS)
        for scores in entry["groups"].values():
            assert scores["num_tokens"] == 39 + 59  # the one-word document has nothing to predict
            for name in ("greedy_acceptance", "sampled_acceptance", "sampling_overlap"):
                assert 0.0 <= scores[name] <= 1.0
    for served in report["served"].values():
        assert [(way["temperature"], way["num_drafts"]) for way in served] == [
            (0.0, 1), (0.0, 2), (0.0, 3), (1.0, 1), (1.0, 2), (1.0, 3)
        ]  # fmt: skip
    stored = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert stored == report
    assert evaluate.run(place) == report
    assert asked == [1, 2]
    digests[3] = "three"
    assert len(evaluate.run(place)["stages"]) == 3


def test_half_a_report_is_written_again(place, tmp_path):
    place, asked, _ = place
    (tmp_path / "run" / "evaluation.json").write_text('{"fingerprint": "')
    evaluate.run(place)
    assert asked == [1, 2]
    assert json.loads((tmp_path / "run" / "evaluation.json").read_text())["job"] == "evaluate"


def test_the_budget_cuts_documents(place):
    place, _, _ = place
    sample = heldout_samples(place.input, STAGE.sequence_length, 1)["math"]
    assert sum(int(batch.loss_mask.sum()) for batch in sample.batches) == STAGE.sequence_length


def test_a_missing_group_is_named(place, tmp_path):
    place, _, _ = place
    (tmp_path / "run" / "tokens" / "heldout" / "code" / "_meta" / "manifest.json").unlink()
    with pytest.raises(ContractError, match="tokens/heldout/code: no such table"):
        evaluate.run(place)


def test_damaged_text_is_not_measured(place):
    place, _, _ = place
    path = Path(place.input, "tokens/heldout/code/code_00000.bin")
    content = bytearray(path.read_bytes())
    content[20] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        ContractError, match=r"code_00000.bin: block 0 .* is not what tokenize wrote; remedy: "
    ):
        evaluate.run(place)

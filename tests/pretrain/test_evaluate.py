"""Every finished stage measured once on every held-out group."""

import json

import pytest
import torch
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder

from configs import tables
from configs.command import Place
from configs.contract import ContractError, Manifest
from pretrain import acceptance, checkpoint, evaluate
from pretrain.heldout import heldout_sample
from tests.pretrain.test_export_hf import STAGE, write_preset, write_tokenizer
from tests.pretrain.test_heldout import WORDS
from tests.pretrain.test_model import small_model

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
    for group in evaluate.GROUPS:
        folder = tmp_path / "run" / "tokens" / "heldout" / group
        folder.mkdir(parents=True)
        builder = IndexedDatasetBuilder(str(folder / "text_0.bin"))
        for length in (40, 1, 60):
            document = torch.randint(1, 90, (length,), generator=generator, dtype=torch.int32)
            builder.add_document(torch.cat([document, torch.zeros(1, dtype=torch.int32)]), [length + 1])
        builder.finalize(str(folder / "text_0.idx"))
        parts = tuple(tables.Part(f"text_0.{end}", 3, (folder / f"text_0.{end}").stat().st_size, "")
                      for end in ("bin", "idx"))  # fmt: skip
        table = f"tokens/heldout/{group}"
        tables.commit(root, Manifest(table, "tokenize", "", "d", parts, 0, 0, facts={"prefixes": ["text_0"]}))
    weights = {name: value for name, value in small_model().state_dict().items() if value is not None}
    asked, digests = [], {1: "one", 2: "two", 3: None}

    def load_weights(root, stage, model):
        asked.append(stage)
        model.load_state_dict(weights)

    monkeypatch.setattr(checkpoint, "digest", lambda root, stage: digests[stage])
    monkeypatch.setattr(checkpoint, "load_weights", load_weights)
    return Place(write_preset(tmp_path / "preset"), root, root), asked, digests


def test_every_finished_stage_and_group_is_reported_once(place, tmp_path):
    place, asked, digests = place
    report = evaluate.run(place)
    assert [entry["stage"] for entry in report["stages"]] == [1, 2]
    for entry in report["stages"]:
        assert entry["groups"].keys() == set(evaluate.GROUPS)
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
    sample = heldout_sample(place.input, "math", STAGE.sequence_length, 1)
    assert sum(int(batch.loss_mask.sum()) for batch in sample.batches) == STAGE.sequence_length


def test_a_missing_group_is_named(place, tmp_path):
    place, _, _ = place
    (tmp_path / "run" / "tokens" / "heldout" / "code" / "manifest.json").unlink()
    with pytest.raises(ContractError, match="tokens/heldout/code: no such table"):
        evaluate.run(place)

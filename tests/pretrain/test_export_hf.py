"""The exported folder: what is in it, that it reads back, and that transformers computes the same."""

import json

import pytest
import torch

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from configs.recipe import StageConfig
from pretrain import export_hf
from pretrain.decoding.generate import one_document
from pretrain.export_hf import split_into_files, write_weights
from pretrain.hf.layout import hf_config, to_hf
from pretrain.import_hf import load_folder, read_folder
from pretrain.model.mtp import shift_within_documents
from pretrain.run import checkpoint
from tests import run_tables
from tests.pretrain import small_run
from tests.pretrain.model.test_mimo import SMALL, small_model

pytestmark = pytest.mark.usefixtures("single_process")

STAGE = StageConfig(tokens=1000, sequence_length=48, rotary_base=640_000, global_batch_size=4)


def write_toml(path, values):
    path.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))


def write_preset(folder):
    folder.mkdir()
    write_toml(folder / "model.toml", SMALL.model_dump())
    for number in (1, 2, 3):
        write_toml(folder / f"stage{number}.toml", STAGE.model_dump())
    (folder / "train.toml").write_text(small_run.PRESET["train"])
    return folder


def write_tokenizer(root, words):
    """A word-level tokenizer table of `words`; the first is the end of a document."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token=words[0]))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Whitespace(), decoders.Fuse()
    run_tables.write_tokenizer(root, tokenizer, words[0])


def fake_checkpoints(monkeypatch, digests, trained):
    """Stages that end with the digest of `digests` (None: not finished), all with the weights of `trained`.

    Returns the stages whose weights were asked for.
    """
    asked = []

    def load_weights(root, stage, model):
        asked.append(stage)
        model.load_state_dict(trained.state_dict())

    monkeypatch.setattr(checkpoint, "digest", lambda root, stage: digests[stage])
    monkeypatch.setattr(checkpoint, "load_weights", load_weights)
    return asked


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A preset, a tokenizer and checkpoints of stages 1 and 3, whose weights are `small_model`'s."""
    digests = {1: "one", 2: None, 3: "three"}
    asked = fake_checkpoints(monkeypatch, digests, small_model())
    root = str(tmp_path / "run")
    write_tokenizer(root, [f"w{n}" for n in range(SMALL.vocab_size)])
    place = Place(write_preset(tmp_path / "preset"), root, root)
    return place, digests, asked


def test_the_last_finished_stage_is_exported_and_reads_back(place):
    place, _, asked = place
    manifest = export_hf.run(place)
    assert asked == [3]
    assert {part.path for part in tables.read_parts(place.output, manifest)} == {
        "model.safetensors", "config.json", "generation_config.json", "tokenizer.json",
        "tokenizer_config.json", "configuration_mimo.py", "modeling_mimo.py",
    }  # fmt: skip
    folder = f"{place.output}/export"
    stored, expected = read_folder(folder), to_hf(SMALL, small_model().state_dict())
    assert stored.keys() == expected.keys()
    assert all(torch.equal(stored[name], expected[name]) for name in expected)
    again = small_model()
    torch.nn.init.zeros_(again.output_layer.weight)
    load_folder(folder, again)
    assert torch.equal(again.output_layer.weight[:90], small_model().output_layer.weight[:90])
    config = json.loads(tables.read_bytes(folder, "config.json"))
    assert config["architectures"] == ["MiMoForCausalLM"]
    assert (config["vocab_size"], config["rope_theta"], config["max_position_embeddings"]) == (
        90,
        640_000,
        48,
    )
    assert (config["torch_dtype"], config["num_nextn_predict_layers"]) == ("float32", 1)
    assert manifest.facts["parameters"] == sum(tensor.numel() for tensor in expected.values())


def test_finished_work_is_skipped_until_the_checkpoint_changes(place):
    place, digests, asked = place
    first = export_hf.run(place)
    assert export_hf.run(place) == first
    assert asked == [3]
    digests[3] = "another"
    export_hf.run(place)
    assert asked == [3, 3]


def test_a_dry_run_writes_nothing(place, tmp_path):
    place, _, asked = place
    assert export_hf.run(Place(place.preset, place.input, place.output, dry_run=True)) is None
    assert not (tmp_path / "run" / "export").exists()
    assert asked == []


def test_no_checkpoint_is_named(place):
    place, digests, _ = place
    digests.update({1: None, 3: None})
    with pytest.raises(ContractError, match="no finished stage; remedy: run make stage1 first"):
        export_hf.run(place)


def test_large_models_are_cut_into_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(export_hf, "MAX_FILE_BYTES", 100)
    tensors = {"a": torch.zeros(20), "b": torch.ones(10), "c": torch.ones(30), "d": torch.ones(1)}
    assert [list(piece) for piece in split_into_files(tensors)] == [["a"], ["b"], ["c"], ["d"]]
    parts = list(write_weights(str(tmp_path), tensors))
    assert [part.path for part in parts][-2:] == [
        "model-00004-of-00004.safetensors",
        "model.safetensors.index.json",
    ]
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["weight_map"]["c"] == "model-00003-of-00004.safetensors"
    assert index["metadata"]["total_size"] == 61 * 4
    assert all(torch.equal(read_folder(str(tmp_path))[name], tensors[name]) for name in tensors)


def test_a_disk_that_changes_bytes_is_noticed(tmp_path, monkeypatch):
    changed = export_hf.safetensors.torch.save({"a": torch.ones(3)})
    monkeypatch.setattr(tables, "read_bytes", lambda folder, name: changed)
    with pytest.raises(ContractError, match="reads back changed"):
        list(write_weights(str(tmp_path), {"a": torch.zeros(3)}))


def test_transformers_computes_the_same_with_the_exported_code(place):
    transformers = pytest.importorskip("transformers")
    place, _, _ = place
    export_hf.run(place)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        f"{place.output}/export", trust_remote_code=True, dtype=torch.float32
    )
    ours = small_model().eval()
    from pretrain.model.mimo import set_rotary

    set_rotary(ours, STAGE.rotary_base)
    tokens = torch.randint(0, 90, (2, 40), generator=torch.Generator().manual_seed(0))
    batch = one_document(tokens)
    with torch.no_grad():
        states = ours(batch)
        draft = ours.draft(states, shift_within_documents(tokens, batch.document_starts))
        main, mtp = ours.logits(states.hidden).transpose(0, 1), ours.logits(draft).transpose(0, 1)
        their_main, their_mtp = theirs(tokens).logits, theirs.draft_logits(tokens)
    assert float((main - their_main).abs().max()) < 1e-4
    assert float((mtp - their_mtp)[:, :-1].abs().max()) < 1e-4


def test_config_names_the_stage_it_was_trained_in():
    config = hf_config(SMALL, STAGE, 7, {"lm_head.weight": torch.zeros(1, dtype=torch.bfloat16)})
    assert (config["eos_token_id"], config["torch_dtype"]) == (7, "bfloat16")
    assert (config["num_key_value_heads"], config["head_dim"], config["attention_bias"]) == (2, 16, True)

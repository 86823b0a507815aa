"""The command that completes a prompt: what it prints, what it logs, and whose weights it takes."""

import logging

import pytest
import torch
import typer

from pretrain import complete
from pretrain.export_hf import write_model
from pretrain.hf.layout import hf_config, hf_tensors
from pretrain.model.mtp import append_copies
from tests.pretrain.decoding.test_generate import CYCLE, greedy
from tests.pretrain.model.test_mimo import SMALL, small_model
from tests.pretrain.test_export_hf import STAGE, fake_checkpoints, write_preset, write_tokenizer

pytestmark = pytest.mark.usefixtures("single_process")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A preset, and a root whose last checkpoint has `small_model`'s weights."""
    fake_checkpoints(monkeypatch, {1: "one", 2: "two", 3: "three"}, small_model())
    write_tokenizer(str(tmp_path / "run"), [f"w{n}" for n in range(SMALL.vocab_size)])
    return write_preset(tmp_path / "preset"), str(tmp_path / "run")


def test_a_prompt_is_completed_as_whole_passes_would(run, capsys):
    preset, root = run
    complete.main(preset, "w3 w14", input=root, num_new=6, drafts=2)
    model = complete.load_last(preset, root)[0]
    assert torch.equal(model.output_layer.weight, small_model().output_layer.weight)
    words = "".join(f"w{token}" for token in greedy(model, [3, 14], 6))
    assert capsys.readouterr().out == f"w3 w14{words}\n"


def test_weights_of_a_folder_with_three_mtp_layers(run, tmp_path):
    preset, root = run
    model = small_model()
    append_copies(model.mtp, 2)
    with torch.no_grad():
        model.output_layer.weight.mul_(2)
    tensors = hf_tensors(model)
    list(write_model(str(tmp_path / "folder"), tensors, hf_config(SMALL, STAGE, 0, tensors)))
    loaded = complete.load_last(preset, root, str(tmp_path / "folder"))[0]
    assert len(loaded.mtp.layers) == 3
    assert torch.equal(loaded.output_layer.weight[:90], model.output_layer.weight[:90])


def test_what_drafts_saved_is_logged(caplog, trained):
    caplog.set_level(logging.INFO)
    prompt = (CYCLE * 2)[:9]
    made = complete.complete(trained, prompt, 20, 1, 0.0, 0, eod_id=89)
    assert made.tokens == tuple((CYCLE * 5)[9:29])
    assert "20 tokens in 11 passes; accepted drafts per position: 1.00; a draft costs" in caplog.text
    caplog.clear()
    complete.complete(trained, prompt, 1, 1, 0.0, 0, eod_id=89)
    assert caplog.messages == ["1 tokens in 1 passes"]  # nothing to compare
    complete.complete(trained, prompt, 20, 0, 0.0, 0, eod_id=89)
    assert caplog.messages[1:] == ["20 tokens in 20 passes"]


def test_an_empty_prompt_is_refused(run, capsys):
    preset, root = run
    with pytest.raises(typer.Exit) as ended:
        complete.main(preset, " ", input=root)
    assert ended.value.exit_code == 2
    assert "--prompt: the prompt is empty; remedy: give at least one word" in capsys.readouterr().err

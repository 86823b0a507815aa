"""Copies of the MTP layer: what they learn, that nothing else moves, and the folder they end in."""

import math

import pytest
import torch

from configs import tables
from configs.command import Place
from configs.loader import ConfigError
from configs.recipe import load_recipe
from pretrain import extend_mtp
from pretrain.decoding import acceptance
from pretrain.decoding.generate import generate
from pretrain.import_hf import load_folder
from pretrain.model.batch import make_batch
from pretrain.model.mimo import build_model
from pretrain.model.mtp import append_copies
from pretrain.mtp_copies import state as tuning_state
from pretrain.mtp_copies.state import TuningState
from pretrain.mtp_copies.tune import ExtendConfig, steps, targets, tune
from pretrain.run import heldout
from pretrain.run.heldout import make_sample
from tests.pretrain import small_run
from tests.pretrain.decoding.test_generate import whole_drafts
from tests.pretrain.test_export_hf import fake_checkpoints, write_tokenizer
from tests.run_tables import write_files

pytestmark = pytest.mark.usefixtures("single_process")

CONFIG = ExtendConfig(num_copies=2, tokens=4096, warmup_tokens=512, learning_rate=5e-3)
TOML = "num_copies = 2\ntokens = 512\nwarmup_tokens = 0\nlearning_rate = 5e-3\n"


def new_model(recipe):
    torch.manual_seed(1)
    return build_model(recipe.model, sequence_length=128, rotary_base=640_000)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A run folder to train in: documents that count upward."""
    root = tmp_path_factory.mktemp("run")
    preset = small_run.write_run(root)
    (preset / "extend_mtp.toml").write_text(TOML)
    write_tokenizer(str(root), ["<eod>", *(f"w{n}" for n in range(1, small_run.VOCAB))])
    for group, seed in (("math", 8), ("code", 9), ("prose", 10)):
        texts = [text for text in small_run.documents(seed, 30) if len(text) > 40]
        small_run.write_bucket(root, f"heldout/{group}", texts, shards=1)
    return root, preset


def test_what_a_layer_reads_and_learns_by_hand():
    starts = torch.tensor([[1, 0, 0, 0, 1, 0]])
    batch = make_batch(
        torch.tensor([[10, 11, 12, 13, 20, 21]]), torch.tensor([[11, 12, 13, 14, 21, 22]]),
        torch.tensor([[1, 1, 1, 0, 1, 1]]), starts,
    )  # fmt: skip
    following, labels, mask = targets(batch, 1)
    assert (following[0, :2].tolist(), labels[0, :2].tolist()) == ([12, 13], [13, 14])
    assert mask.int().tolist() == [[1, 0, 0, 0, 0, 0]]  # x_4 is another document's first token: not learned
    assert [column.int().tolist() for column in targets(batch, 0)][2] == [[1, 1, 0, 0, 1, 0]]


def test_the_rate_warms_up_and_falls_to_nothing(small):
    recipe = load_recipe(small[1])
    found = list(steps(recipe, 3, CONFIG))
    assert sum(step.tokens for step in found) == 4096
    assert [step.tokens for step in found] == [256] * 16
    rates = [step.learning_rate for step in found]
    assert rates[:2] == [pytest.approx(5e-3 * 128 / 512), pytest.approx(5e-3 * 384 / 512)]
    assert rates[2] == pytest.approx(5e-3 * (1 + math.cos(math.pi * 128 / 3584)) / 2)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert 0.0 < rates[-1] < 5e-5
    assert [step.tokens for step in steps(recipe, 3, CONFIG.model_copy(update={"tokens": 300}))] == [256, 44]


def test_copies_learn_and_nothing_else_moves(small, tmp_path):
    root, preset = small
    recipe = load_recipe(preset)
    model = new_model(recipe)
    append_copies(model.mtp, 2)
    before = {name: value.clone() for name, value in model.state_dict().items() if value is not None}
    sample = make_sample([text[:-1] for text in small_run.documents(11, 12)], _Words(), 64)
    untrained = [layer["loss_nats"] for layer in extend_mtp.on_text(model.eval(), sample)]
    first, last = tune(model, str(root), recipe, 3, CONFIG, 128, TuningState(tmp_path / "state", ""))
    assert not (tmp_path / "state").exists()  # nothing was due
    assert first == pytest.approx([math.log(96)] * 2, rel=0.05)
    tuned = [layer["loss_nats"] for layer in extend_mtp.on_text(model, sample)]
    assert tuned[0] == untrained[0]
    assert max(*last, *tuned[1:]) < 0.85 * math.log(96)  # measured .79: the output layer stays as drawn
    after = model.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(after[name], value)}
    assert moved
    assert all(name.startswith(("mtp.layers.1.", "mtp.layers.2.")) for name in moved)
    assert any(not torch.equal(after[name.replace("s.1.", "s.2.")], after[name]) for name in moved)


def tuned(small, folder, fingerprint="this"):
    """Weights of the copies and their losses after six steps."""
    root, preset = small
    recipe = load_recipe(preset)
    model = new_model(recipe)
    append_copies(model.mtp, 2)
    config = CONFIG.model_copy(update={"tokens": 6 * 256})
    losses = tune(model, str(root), recipe, 3, config, 128, TuningState(folder, fingerprint))
    return {
        name: value.clone() for name, value in model.mtp.state_dict().items() if value is not None
    }, losses


class KilledError(Exception):
    pass


def test_a_killed_tuning_goes_on_to_the_same_weights(small, tmp_path, monkeypatch, caplog):
    weights, losses = tuned(small, tmp_path / "straight")
    monkeypatch.setattr(tuning_state, "SAVE_AFTER_S", 0.0)
    save = TuningState.save_if_due

    def killed_after(number):
        def save_and_die(self, masters, optimizer, means):
            if len(means) <= number:
                return save(self, masters, optimizer, means)
            raise KilledError

        with monkeypatch.context() as patch:
            patch.setattr(TuningState, "save_if_due", save_and_die)
            with pytest.raises(KilledError):
                tuned(small, tmp_path / "killed")

    def is_the_straight_one():
        again, losses_again = tuned(small, tmp_path / "killed")
        same = all(torch.equal(again[name], value) for name, value in weights.items())
        return same and losses_again == losses

    caplog.set_level("INFO")
    killed_after(2)
    assert [path.name for path in (tmp_path / "killed").glob("step-*")] == ["step-000002.safetensors"]
    (tmp_path / "killed" / "step-000003.safetensors").write_bytes(b"half of one")
    killed_after(4)
    assert "continuing after step 2" in caplog.text
    assert is_the_straight_one()
    assert "continuing after step 4" in caplog.text
    assert [path.name for path in (tmp_path / "killed").glob("step-*")] == ["step-000006.safetensors"]
    assert is_the_straight_one()  # killed after the last step: nothing is left to do
    state = tmp_path / "killed" / "step-000006.safetensors"
    data = bytearray(state.read_bytes())
    data[-1] ^= 1
    state.write_bytes(data)
    assert is_the_straight_one()
    assert "the hash differs from that of the written file; tuning begins again" in caplog.text
    caplog.clear()
    tuned(small, tmp_path / "killed", fingerprint="another")
    assert "continuing" not in caplog.text


class _Words:
    def decode(self, tokens, skip_special_tokens):
        return "x" * len(tokens)


def test_a_folder_with_three_layers_that_reads_back(small, monkeypatch):
    root, preset = small
    recipe = load_recipe(preset)
    digests = {1: "one", 2: "two", 3: "three"}
    asked = fake_checkpoints(monkeypatch, digests, new_model(recipe))
    monkeypatch.setattr(extend_mtp.launch, "start", lambda config: None)
    monkeypatch.setattr(acceptance, "SERVED_TOKENS", 16)
    monkeypatch.setattr(heldout, "NUM_PROMPTS", 1)
    place = Place(preset, str(root), str(root))
    manifest = extend_mtp.run(place)
    assert asked == [3]
    assert manifest.facts["mtp_layers"] == 3
    for group in ("math", "code", "prose"):
        assert [len(manifest.facts["on_text"][when][group]) for when in ("before", "after")] == [3, 3]
        for when in ("before", "after"):
            greedy, sampled = manifest.facts["served"][when][group]
            assert (len(greedy["acceptance"]), sampled["num_drafts"]) == (3, 3)
    config = tables.read_bytes(f"{root}/extended", "config.json").decode()
    assert '"num_nextn_predict_layers": 3' in config
    again = new_model(recipe).eval()
    load_folder(f"{root}/extended", again)
    assert len(again.mtp.layers) == 3
    prompt = list(range(5, 15))
    found = generate(again, prompt, 6, num_drafts=3)
    assert len(found.tokens) == 6
    assert len(whole_drafts(again, prompt, 3)) == 3
    assert extend_mtp.run(place).digest == manifest.digest
    assert asked == [3]
    assert not (root / "checkpoints" / "extended").exists()


def test_a_folder_that_is_being_written_has_no_manifest(small, tmp_path, monkeypatch):
    """Old weights under a manifest that a killed run left would count as whole."""
    root, _ = small
    write_files(tmp_path, "extended", {"model.safetensors": b"old"})
    recipe = load_recipe(small[1])

    def dies(folder, tensors, values):
        raise KilledError

    monkeypatch.setattr(extend_mtp, "write_model", dies)
    with pytest.raises(KilledError):
        extend_mtp._write(
            str(tmp_path), new_model(recipe), recipe.stages[2], tables.open_table(str(root), "tokenizer")
        )
    assert tables.read_manifest(str(tmp_path), "extended") is None


def test_a_model_without_an_mtp_layer_has_nothing_to_copy(small, tmp_path):
    root, preset = small
    other = tmp_path / "preset"
    other.mkdir()
    for file in preset.glob("*.toml"):
        text = file.read_text().replace("mtp_num_layers = 1", "mtp_num_layers = 0")
        (other / file.name).write_text(text)
    with pytest.raises(ConfigError, match="there is no layer to copy"):
        extend_mtp.run(Place(other, str(root), str(root)))

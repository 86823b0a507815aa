"""MiMo's layout and back, tensor by tensor."""

import pytest
import torch

from configs.contract import ContractError
from pretrain.hf.layout import from_hf, to_hf
from pretrain.import_hf import load_folder, read_folder
from tests.pretrain.model.test_mimo import SMALL, small_model

pytestmark = pytest.mark.usefixtures("single_process")


def tensors_of(model):
    return {name: value for name, value in model.state_dict().items() if value is not None}


def test_there_and_back_is_exact():
    ours = tensors_of(small_model())
    theirs = to_hf(SMALL, ours)
    again = from_hf(SMALL, theirs)
    assert again.keys() == ours.keys()
    for name, tensor in again.items():
        rows = (
            SMALL.vocab_size if name in ("embedding.word_embeddings.weight", "output_layer.weight") else None
        )
        assert torch.equal(tensor[:rows], ours[name][:rows]), name
        assert tensor.shape == ours[name].shape
    once_more = to_hf(SMALL, again)
    assert all(torch.equal(once_more[name], theirs[name]) for name in theirs)


def test_rows_and_halves_by_hand():
    ours = tensors_of(small_model())
    # Row r of the fused matrix holds r: 2 groups of (2 q + 1 k + 1 v) heads of 16 rows.
    ours["decoder.layers.1.self_attention.linear_qkv.bias"] = torch.arange(128.0)
    ours["mtp.layers.0.eh_proj.weight"] = torch.arange(64.0).repeat(32, 1)
    theirs = to_hf(SMALL, ours)
    layer = "model.layers.1.self_attn"
    assert theirs[f"{layer}.q_proj.bias"].tolist() == [*range(32), *range(64, 96)]
    assert theirs[f"{layer}.k_proj.bias"].tolist() == [*range(32, 48), *range(96, 112)]
    assert theirs[f"{layer}.v_proj.bias"].tolist() == [*range(48, 64), *range(112, 128)]
    assert theirs["model.mtp_layers.0.input_proj.weight"][0].tolist() == [*range(32, 64), *range(32)]
    assert theirs["lm_head.weight"].shape == (90, 32)
    gate_up = ours["decoder.layers.0.mlp.linear_fc1.weight"]
    assert torch.equal(theirs["model.layers.0.mlp.gate_proj.weight"], gate_up[:48])
    assert torch.equal(theirs["model.layers.0.mlp.up_proj.weight"], gate_up[48:])


def test_transformer_engines_names_export_alike():
    ours = tensors_of(small_model())
    fused = {
        name.replace("pre_mlp_layernorm.weight", "mlp.linear_fc1.layer_norm_weight").replace(
            "input_layernorm.weight", "self_attention.linear_qkv.layer_norm_weight"
        ): value
        for name, value in ours.items()
    }
    assert fused.keys() != ours.keys()
    theirs, expected = to_hf(SMALL, fused), to_hf(SMALL, ours)
    assert theirs.keys() == expected.keys()
    assert all(torch.equal(theirs[name], expected[name]) for name in expected)


def test_an_unknown_tensor_is_refused():
    with pytest.raises(
        ContractError, match=r"decoder\.layers\.0\.router\.weight: MiMo's layout has no such tensor"
    ):
        to_hf(SMALL, {"decoder.layers.0.router.weight": torch.zeros(1)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop("model.norm.weight"), "model.norm.weight: missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "extra: not in model.toml's shape"),
        (lambda t: t.update({"lm_head.weight": torch.zeros(91, 32)}), r"shape \(91, 32\), model.toml says"),
    ],
)
def test_a_folder_of_another_shape_is_refused(change, message):
    theirs = to_hf(SMALL, tensors_of(small_model()))
    change(theirs)
    with pytest.raises(ContractError, match=message):
        from_hf(SMALL, theirs)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ContractError, match=r"model\.safetensors: missing; remedy"):
        load_folder(str(tmp_path), small_model())
    with pytest.raises(ContractError, match="missing"):
        read_folder(str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.safetensors", b""),
        ("model.safetensors", b"\xff" * 8),
        ("model.safetensors", b"\x02" + bytes(7) + b"[]"),
        ("model.safetensors.index.json", b"{"),
        ("model.safetensors.index.json", b"[" * 100_000),
        ("model.safetensors.index.json", b'{"weight_map": {"a": "../model.safetensors"}}'),
        ("model.safetensors.index.json", b'{"weight_map": {"a": 1}}'),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ContractError, match="remedy: copy the model again"):
        read_folder(str(tmp_path))

"""Read a model folder in MiMo's Hugging Face layout, an export of ours or a released one, into a model."""

import json

import safetensors.torch
from torch import Tensor

from configs import tables
from configs.contract import ContractError
from pretrain.hf_layout import from_hf, num_mtp_layers
from pretrain.model import MimoModel
from pretrain.mtp import append_copies


def read_folder(folder: str) -> dict[str, Tensor]:
    """Every tensor of a model folder, from one safetensors file or from those its index names."""
    fs, base = tables.filesystem(folder)
    names = ["model.safetensors"]
    if fs.get_file_info(f"{base}/model.safetensors.index.json").is_file:
        index = json.loads(tables.read_bytes(folder, "model.safetensors.index.json"))
        names = sorted(set(index["weight_map"].values()))
    tensors: dict[str, Tensor] = {}
    for name in names:
        if not fs.get_file_info(f"{base}/{name}").is_file:
            raise ContractError(f"{folder}/{name}: missing; remedy: name an exported model's folder")
        tensors |= safetensors.torch.load(tables.read_bytes(folder, name))
    return tensors


def load_folder(folder: str, model: MimoModel) -> None:
    """Give `model` (one process, local layer spec) the weights of a model folder, in the model's own type.

    Where the folder holds more MTP layers than the model, the model gets them.
    """
    tensors = read_folder(folder)
    state = from_hf(model.model_config, tensors)
    if model.mtp_process:
        append_copies(model.mtp, num_mtp_layers(tensors) - len(model.mtp.layers))
    model.load_state_dict(state, strict=True)

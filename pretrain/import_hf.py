"""Load a model folder in MiMo's Hugging Face layout into a model: an export of ours or a released model."""

import json
from pathlib import PurePosixPath

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from configs import tables
from configs.contract import ContractError
from pretrain.hf.layout import from_hf, num_mtp_layers
from pretrain.model.mimo import MimoModel
from pretrain.model.mtp import append_copies


def read_folder(folder: str) -> dict[str, Tensor]:
    """Read every tensor of a model folder, from one safetensors file or from those that its index names.

    Raises ContractError if a file is missing or is not in the safetensors format.
    """
    fs, base = tables.filesystem(folder)
    names = ["model.safetensors"]
    if fs.get_file_info(f"{base}/model.safetensors.index.json").is_file:
        names = _names_in_index(folder)
    tensors: dict[str, Tensor] = {}
    for name in names:
        if not fs.get_file_info(f"{base}/{name}").is_file:
            raise ContractError(f"{folder}/{name}: missing; remedy: name an exported model's folder")
        try:
            tensors |= safetensors.torch.load(tables.read_bytes(folder, name))
        except (SafetensorError, KeyError, ValueError) as error:  # KeyError: a dtype that torch does not have
            raise ContractError(
                f"{folder}/{name}: not safetensors ({error}); remedy: copy the model again"
            ) from None
    return tensors


def _names_in_index(folder: str) -> list[str]:
    """Return the names of the weight files in the index.

    Raises ContractError unless all are in this folder.
    """
    try:
        index = json.loads(tables.read_bytes(folder, "model.safetensors.index.json"))
        names = sorted(set(index["weight_map"].values()))
        is_sound = all(name == PurePosixPath(name).name for name in names)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        is_sound = False
    if not is_sound:
        raise ContractError(
            f"{folder}/model.safetensors.index.json: no map of tensors to files of this folder; "
            "remedy: copy the model again"
        )
    return names


def load_folder(folder: str, model: MimoModel) -> None:
    """Load a model folder into `model` (one process, megatron-core's local layers), in the model's dtype.

    If the folder holds more MTP layers than the model, the model gets the additional layers too.
    """
    tensors = read_folder(folder)
    state = from_hf(model.model_config, tensors)
    if model.mtp_process:
        append_copies(model.mtp, num_mtp_layers(tensors) - len(model.mtp.layers))
    model.load_state_dict(state, strict=True)

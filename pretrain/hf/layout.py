"""Conversion of tensor names and shapes between megatron-core and MiMo's Hugging Face layout.

Apart from the names, MiMo's layout differs in four points: q, k and v are three matrices, gate and up are
two, the MTP projection has its column halves swapped (megatron-core concatenates [token, hidden], MiMo
[hidden, token]), and the vocabulary has no padding rows.
"""

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor

from configs.contract import ContractError
from configs.recipe import ModelConfig, StageConfig
from pretrain.model.mimo import MimoModel

LAYER_NAMES = {
    "input_layernorm.weight": "input_layernorm.weight",
    # Transformer Engine fuses a norm with the linear layer after it, and names it so.
    "self_attention.linear_qkv.layer_norm_weight": "input_layernorm.weight",
    "self_attention.linear_proj.weight": "self_attn.o_proj.weight",
    "pre_mlp_layernorm.weight": "post_attention_layernorm.weight",
    "mlp.linear_fc1.layer_norm_weight": "post_attention_layernorm.weight",
    "mlp.linear_fc2.weight": "mlp.down_proj.weight",
}
NAMES = {
    "embedding.word_embeddings.weight": "model.embed_tokens.weight",
    "output_layer.weight": "lm_head.weight",
    "decoder.final_layernorm.weight": "model.norm.weight",
}
MTP_NAMES = {
    "enorm.weight": "token_layernorm.weight",
    "hnorm.weight": "hidden_layernorm.weight",
    "eh_proj.weight": "input_proj.weight",
    "final_layernorm.weight": "final_layernorm.weight",
}


def hf_tensors(model: MimoModel) -> dict[str, Tensor]:
    """Return the weights of a model (without parallelism) under MiMo's names, in host memory."""
    state = {name: value.cpu() for name, value in model.state_dict().items() if value is not None}
    return to_hf(model.model_config, state)


def to_hf(model: ModelConfig, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert megatron-core's state dict (without parallelism) to MiMo's names; drop the vocabulary padding.

    The training softmax excludes padding rows (loss.py), so the exported model computes the same function.
    Raises ContractError for a tensor that has no counterpart in MiMo's layout.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith("_extra_state"):
            continue
        if name in NAMES:
            renamed[NAMES[name]] = tensor
            continue
        prefix, part = _layer_prefix(name)
        if part == "eh_proj.weight":
            # megatron-core concatenates [token, hidden], MiMo [hidden, token].
            token, hidden = tensor.chunk(2, dim=1)
            renamed[f"{prefix}.input_proj.weight"] = torch.cat([hidden, token], dim=1)
        elif part in MTP_NAMES:
            renamed[f"{prefix}.{MTP_NAMES[part]}"] = tensor
        elif part in LAYER_NAMES:
            renamed[f"{prefix}.{LAYER_NAMES[part]}"] = tensor
        elif part.startswith("self_attention.linear_qkv."):
            for letter, piece in zip("qkv", _split_qkv(model, tensor), strict=True):
                renamed[f"{prefix}.self_attn.{letter}_proj.{part.rsplit('.', 1)[1]}"] = piece
        elif part == "mlp.linear_fc1.weight":
            gate, up = tensor.chunk(2)
            renamed |= {f"{prefix}.mlp.gate_proj.weight": gate, f"{prefix}.mlp.up_proj.weight": up}
        else:
            raise ContractError(
                f"{name}: MiMo's layout has no such tensor; remedy: export a model of model.toml's shape"
            )
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        renamed[name] = renamed[name][: model.vocab_size]
    return {name: tensor.detach().clone().contiguous() for name, tensor in renamed.items()}


def from_hf(model: ModelConfig, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convert MiMo-named tensors to a state dict of megatron-core's local layers; padding rows become zero.

    A folder of extend_mtp.py holds more MTP layers than the one of pretraining; `num_mtp_layers` counts them.
    Raises ContractError for a tensor that is missing, unknown, or of another shape than model.toml gives.
    """
    left = dict(tensors)

    def take(name: str, *shape: int) -> Tensor:
        if name not in left:
            raise ContractError(f"{name}: missing in the model folder; remedy: check model.toml's layers")
        if left[name].shape != shape:
            raise ContractError(
                f"{name}: shape {tuple(left[name].shape)}, model.toml says {shape}; remedy: adapt model.toml"
            )
        return left.pop(name)

    hidden = model.hidden_size
    state: dict[str, Tensor] = {}
    for ours, theirs in NAMES.items():
        if ours == "decoder.final_layernorm.weight":
            state[ours] = take(theirs, hidden)
            continue
        rows = take(theirs, model.vocab_size, hidden)
        padding = rows.new_zeros(model.padded_vocab_size - model.vocab_size, hidden)
        state[ours] = torch.cat([rows, padding])
    num_mtp = max(num_mtp_layers(tensors), model.mtp_num_layers) if model.mtp_num_layers else 0
    for number in range(num_mtp):
        state |= _mtp_inputs(hidden, number, take)
    for ours, theirs in _layers(model.num_layers, num_mtp):
        for name, tensor in _decoder_layer(model, theirs, take).items():
            state[f"{ours}.{name}"] = tensor
    if left:
        raise ContractError(f"{next(iter(left))}: not in model.toml's shape; remedy: adapt model.toml")
    return state


def num_mtp_layers(tensors: Iterable[str]) -> int:
    """Return the number of MTP layers among MiMo-named tensors."""
    return len({name.split(".")[2] for name in tensors if name.startswith("model.mtp_layers.")})


def hf_config(
    model: ModelConfig, trained: StageConfig, eod_id: int, tensors: Mapping[str, Tensor]
) -> dict[str, object]:
    """Return the content of config.json for MiMo-named tensors of a model; `trained` is its last stage."""
    return {
        "architectures": ["MiMoForCausalLM"],
        "model_type": "mimo",
        "auto_map": {
            "AutoConfig": "configuration_mimo.MiMoConfig",
            "AutoModel": "modeling_mimo.MiMoModel",
            "AutoModelForCausalLM": "modeling_mimo.MiMoForCausalLM",
        },
        "attention_bias": True,
        "attention_dropout": 0.0,
        "bos_token_id": eod_id,
        "eos_token_id": eod_id,
        "head_dim": model.head_dim,
        "hidden_act": "silu",
        "hidden_size": model.hidden_size,
        "initializer_range": model.init_std,
        "intermediate_size": model.ffn_hidden_size,
        "max_position_embeddings": trained.sequence_length,
        "num_attention_heads": model.num_attention_heads,
        "num_hidden_layers": model.num_layers,
        "num_key_value_heads": model.num_query_groups,
        "num_nextn_predict_layers": num_mtp_layers(tensors),
        "rms_norm_eps": model.norm_epsilon,
        "rope_theta": trained.rotary_base,
        "tie_word_embeddings": False,
        "torch_dtype": dtype_name(tensors),
        "use_cache": True,
        "use_sliding_window": False,
        "vocab_size": model.vocab_size,
    }


def dtype_name(tensors: Mapping[str, Tensor]) -> str:
    """Return the name of the weights' dtype as config.json spells it."""
    return str(tensors["lm_head.weight"].dtype).removeprefix("torch.")


def _layer_prefix(name: str) -> tuple[str, str]:
    """Split `decoder.layers.3.mlp.x` into (`model.layers.3`, `mlp.x`).

    Names of MTP layers and of the decoder layers inside them are split in the same way.
    """
    for ours, theirs in (("decoder.layers.", "model.layers"), ("mtp.layers.", "model.mtp_layers")):
        if name.startswith(ours):
            number, part = name.removeprefix(ours).split(".", 1)
            return f"{theirs}.{number}", part.removeprefix("transformer_layer.")
    return "", name


def _mtp_inputs(hidden: int, number: int, take: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Return the tensors of an MTP layer outside its decoder layer, under megatron-core's names."""
    state = {}
    for ours, theirs in MTP_NAMES.items():
        width = (hidden, 2 * hidden) if ours == "eh_proj.weight" else (hidden,)
        tensor = take(f"model.mtp_layers.{number}.{theirs}", *width)
        if ours == "eh_proj.weight":
            first, second = tensor.chunk(2, dim=1)
            tensor = torch.cat([second, first], dim=1)  # MiMo [hidden, token] -> [token, hidden]
        state[f"mtp.layers.{number}.{ours}"] = tensor
    return state


def _split_qkv(model: ModelConfig, tensor: Tensor) -> list[Tensor]:
    """Split rows [groups * (q per group + k + v) * d, ...] into the three tensors q, k and v."""
    per_group = model.num_attention_heads // model.num_query_groups
    rest = tensor.shape[1:]
    grouped = tensor.view(model.num_query_groups, per_group + 2, model.head_dim, *rest)
    pieces = grouped.split([per_group, 1, 1], dim=1)
    return [piece.reshape(-1, *rest) for piece in pieces]


def _layers(num_layers: int, num_mtp: int) -> list[tuple[str, str]]:
    """Return (megatron-core's prefix, MiMo's prefix) of every decoder layer, also of those in MTP layers."""
    pairs = [(f"decoder.layers.{n}", f"model.layers.{n}") for n in range(num_layers)]
    return pairs + [(f"mtp.layers.{n}.transformer_layer", f"model.mtp_layers.{n}") for n in range(num_mtp)]


def _decoder_layer(model: ModelConfig, prefix: str, take: Callable[..., Tensor]) -> dict[str, Tensor]:
    """Return the tensors of one decoder layer under the names of megatron-core's local layers."""
    hidden, ffn = model.hidden_size, model.ffn_hidden_size
    queries, keys = model.num_attention_heads * model.head_dim, model.num_query_groups * model.head_dim
    shapes = {
        "input_layernorm.weight": (hidden,),
        "post_attention_layernorm.weight": (hidden,),
        "self_attn.o_proj.weight": (hidden, queries),
        "mlp.down_proj.weight": (hidden, ffn),
    }
    state = {
        ours: take(f"{prefix}.{theirs}", *shapes[theirs])
        for ours, theirs in LAYER_NAMES.items()
        if not ours.endswith(".layer_norm_weight")  # Transformer Engine's names of the same two norms
    }
    gate_up = [take(f"{prefix}.mlp.{name}_proj.weight", ffn, hidden) for name in ("gate", "up")]
    state["mlp.linear_fc1.weight"] = torch.cat(gate_up)
    for kind, rest in (("weight", (hidden,)), ("bias", ())):
        pieces = [
            take(f"{prefix}.self_attn.{letter}_proj.{kind}", rows, *rest)
            for letter, rows in zip("qkv", (queries, keys, keys), strict=True)
        ]
        state[f"self_attention.linear_qkv.{kind}"] = _join_qkv(model, pieces)
    return state


def _join_qkv(model: ModelConfig, pieces: list[Tensor]) -> Tensor:
    """Join the rows of q, k and v to [groups * (q per group + k + v) * d, ...]."""
    rest = pieces[0].shape[1:]
    grouped = [piece.view(model.num_query_groups, -1, model.head_dim, *rest) for piece in pieces]
    return torch.cat(grouped, dim=1).reshape(-1, *rest)

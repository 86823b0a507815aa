"""The training side of the serving check: model folders, and what Megatron-Core computes with them.

A case is a folder: `model/` (an export), `case.json` (prompts, and our tokens and drafts),
`ours.safetensors` (our logits). Sound: three tiny shapes of random weights, one of them with three MTP
layers, the trained run, and a small model trained as MiMo trains. Broken, to be refused by the check: the
trained run with the halves of the MTP projection as megatron-core has them, and the small model trained on
the hidden state after the final norm.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from configs import tables
from configs.contract import ContractError
from configs.loader import load
from configs.recipe import ModelConfig, StageConfig
from pretrain.decoding.generate import generate, one_document
from pretrain.export_hf import write_model
from pretrain.hf.layout import hf_config, hf_tensors
from pretrain.import_hf import load_folder
from pretrain.model.batch import make_batch
from pretrain.model.loss import forward_step, global_counts
from pretrain.model.mimo import MimoModel, build_model
from pretrain.model.mtp import append_copies
from pretrain.run.heldout import heldout_samples

NUM_PROMPTS = 16
LENGTH = 256
NEW_TOKENS = 96
"""Tokens of a prompt's continuation. Our choice: 16 x 96 hold about 1,000 drafts; two sigma are .03."""

SHAPES = {
    "shape-1": (1, 128, 192, 2, 1, 90),
    "shape-2": (2, 192, 320, 3, 3, 512),
    "shape-3": (3, 256, 704, 4, 2, 2048),
}
"""Layers, hidden size, SwiGLU width, heads (of 64, the least that servers take), key-value heads, words."""
CYCLE = [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 43]
"""What the small models learn to repeat: 9 and 26 stand twice, so the next word needs the one before."""


@dataclass(frozen=True)
class Case:
    """One model folder and what it must show."""

    name: str
    is_sound: bool
    is_trained: bool
    """Its draft head is worth measuring."""


def make_cases(root: str, preset: Path, folder: Path) -> list[Case]:
    """Write every case under `folder`. Raises ContractError if the run under `root` has no export."""
    found = []
    for number, (name, shape) in enumerate(SHAPES.items()):
        # vLLM 0.32 mixes up the names of MTP layers where these are more than the decoder's.
        model = _random(_shape(*shape), seed=number, num_mtp=3 if name == "shape-3" else 1)
        prompts = _random_prompts(shape[-1], seed=number)
        found.append(_write(folder, Case(name, True, False), model, prompts, 16))
    trained, prompts = _trained_run(root, preset), _heldout_prompts(root)
    found.append(_write(folder, Case("trained", True, True), trained, prompts, NEW_TOKENS))
    found.append(_write_unswapped(folder, folder / "trained"))
    for name, hidden in (("pre-norm", "mimo"), ("post-norm", "megatron")):
        model = _taught(_shape(*SHAPES["shape-2"], mtp_hidden=hidden))
        prompts = [(CYCLE * 3)[start : start + 11 + start] for start in range(NUM_PROMPTS)]
        found.append(_write(folder, Case(name, hidden == "mimo", True), model, prompts, 48))
    return found


def _shape(
    layers: int, hidden: int, ffn: int, heads: int, groups: int, words: int, mtp_hidden: str = "mimo"
) -> ModelConfig:
    return ModelConfig(
        num_layers=layers, hidden_size=hidden, ffn_hidden_size=ffn, num_attention_heads=heads,
        num_query_groups=groups, head_dim=64, vocab_size=words, vocab_divisible_by=128, norm_epsilon=1e-5,
        init_std=0.06, mtp_num_layers=1, mtp_hidden=mtp_hidden, mtp_zero_first_embedding=True,
    )  # fmt: skip


def _random(config: ModelConfig, seed: int, num_mtp: int = 1) -> MimoModel:
    """Random weights; biases and norm gains too, which start at 0 and 1, where a mix-up would not show."""
    torch.manual_seed(seed)
    model = build_model(config, sequence_length=LENGTH, rotary_base=640_000)
    append_copies(model.mtp, num_mtp - 1)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = 0.3 if parameter.dim() == 1 else 0.01
            parameter.add_(scale * torch.randn_like(parameter))
    return model.eval()


def _taught(config: ModelConfig) -> MimoModel:
    """A model that has learnt CYCLE with both heads, from random weights."""
    model = _random(config, seed=5).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    stream = torch.tensor([(CYCLE * 5)[start : start + 49] for start in range(len(CYCLE))])
    ones = torch.ones(len(CYCLE), 48, dtype=torch.bool)
    batch = make_batch(stream[:, :-1], stream[:, 1:], ones, torch.zeros_like(ones))
    step = forward_step(global_counts([batch]), 0.3)
    for _ in range(40):
        optimizer.zero_grad()
        step(iter([batch]), model)[0].total.backward()
        optimizer.step()
    return model.eval()


def _trained_run(root: str, preset: Path) -> MimoModel:
    """The model of a run's export."""
    if tables.read_manifest(root, "export") is None:
        raise ContractError(f"{root}/export: no such table; remedy: run make demo first")
    stage = load(preset, "stage3", StageConfig)
    config = load(preset, "model", ModelConfig)
    model = build_model(config, sequence_length=stage.sequence_length, rotary_base=stage.rotary_base)
    load_folder(f"{root}/export", model)
    return model.eval()


def _heldout_prompts(root: str) -> list[list[int]]:
    """Beginnings of held-out documents of all groups."""
    prompts = [sample.prompts.tolist() for sample in heldout_samples(root, LENGTH, 32).values()]
    mixed = [group[place] for place in range(NUM_PROMPTS) for group in prompts if place < len(group)]
    return mixed[:NUM_PROMPTS]


def _random_prompts(words: int, seed: int) -> list[list[int]]:
    noise = torch.Generator().manual_seed(seed)
    return [torch.randint(1, words, (3 + 2 * n,), generator=noise).tolist() for n in range(NUM_PROMPTS)]


def _write(folder: Path, case: Case, model: MimoModel, prompts: list[list[int]], num_new: int) -> Case:
    """A case's three parts."""
    place = folder / case.name
    config = model.model_config
    tensors = hf_tensors(model)
    stage = StageConfig(tokens=1, sequence_length=LENGTH, rotary_base=640_000, global_batch_size=1)
    for _ in write_model(str(place / "model"), tensors, hf_config(config, stage, 0, tensors)):
        pass
    texts = [generate(model, prompt, num_new, num_drafts=1) for prompt in prompts]
    values = {
        "prompts": prompts,
        "num_new": num_new,
        "mtp_layers": len(model.mtp.layers),
        "tokens": [text.tokens for text in texts],
        "checked": sum(text.verified[0] for text in texts),
        "accepted": sum(text.accepted[0] for text in texts),
    }
    (place / "case.json").write_text(json.dumps(values))
    logits = {}
    for number, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        logits |= _logits(model, [*prompt, text.tokens[0]], number)
    safetensors.torch.save_file(logits, place / "ours.safetensors")
    return case


@torch.no_grad()
def _logits(model: MimoModel, tokens: list[int], number: int) -> dict[str, torch.Tensor]:
    """All heads over all tokens but the last, [s - 1, v]; the last is what the first draft layer reads there.

    A layer further on has a row less each: for its last ones there is no text.
    """
    states = model(one_document(torch.tensor([tokens[:-1]])))
    found = {f"main.{number}": model.logits(states.hidden[:, 0]).contiguous()}
    for layer in range(len(model.mtp.layers)):
        following = torch.tensor([[*tokens[layer + 1 :], *[0] * layer]])
        hidden = model.draft(states, following, layer)[: len(tokens) - 1 - layer, 0]
        found[f"draft{layer or ''}.{number}"] = model.logits(hidden).contiguous()
    return found


def _write_unswapped(folder: Path, sound: Path) -> Case:
    """A sound case whose MTP projection reads [token, hidden], as megatron-core has it."""
    place = folder / "unswapped"
    shutil.copytree(sound, place)
    path = place / "model" / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    name = "model.mtp_layers.0.input_proj.weight"
    tensors[name] = tensors[name].roll(tensors[name].size(1) // 2, dims=1).contiguous()
    safetensors.torch.save_file(tensors, path, {"format": "pt"})
    return Case("unswapped", False, True)

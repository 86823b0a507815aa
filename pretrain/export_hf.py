"""Write the last checkpoint as a Hugging Face model folder in MiMo's layout.

    python -m pretrain.export_hf --preset DIR

The result is runs/<preset>/export/: safetensors files, config.json, generation_config.json, the tokenizer,
and the two remote-code files (hf/*.py) that vLLM and transformers load. Every weight file is read back and
compared; the manifest is withdrawn first and written last.
Cost: one process, which needs no GPU. Its memory holds all weights twice and one weight file twice (mimo7b in
bf16: 42 GB, computed from the sizes).
"""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import ContractError, Manifest, Part
from configs.job import Job, commit, make_table
from configs.loader import load
from configs.recipe import ModelConfig, StageConfig
from configs.storage.shard_log import ShardLog
from pretrain.hf.layout import dtype_name, hf_config, hf_tensors
from pretrain.plan.layout import TrainConfig
from pretrain.run import launch
from pretrain.run.finished import checkpoint_root, finished_model, finished_stages

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 5_000_000_000
"""Largest size of one safetensors file, as is usual on the Hugging Face hub."""


def run(place: Place) -> Manifest | None:
    """Export the last finished stage; do nothing if the export was made from the same checkpoint."""
    model_config = load(place.preset, "model", ModelConfig)
    stage, checkpoint_digest = max(finished_stages(checkpoint_root(place)).items())
    trained = load(place.preset, f"stage{stage}", StageConfig)
    tokenizer = tables.open_table(place.input, "tokenizer")
    inputs = {f"checkpoints/stage{stage}": checkpoint_digest, "tokenizer": tokenizer.manifest.digest}
    config = {"model": model_config.model_dump(), "stage": trained.model_dump()}
    job = Job("export", "export", code_hash(__name__), config, inputs)

    def work() -> Manifest:
        started = time.monotonic()
        training = load(place.preset, "train", TrainConfig)
        launch.start_alone(training)
        tensors = hf_tensors(finished_model(checkpoint_root(place), stage, model_config, trained, training))
        folder = tables.table_path(place.output, "export")
        tables.withdraw(place.output, "export")
        values = hf_config(model_config, trained, int(tokenizer.manifest.facts["eod_id"]), tensors)
        parts = (*write_model(folder, tensors, values), *write_tokenizer(folder, tokenizer, trained))
        logger.info("exported %d tensors of stage %d to %s", len(tensors), stage, folder)
        facts = {
            "stage": stage,
            "tensors": len(tensors),
            "parameters": sum(tensor.numel() for tensor in tensors.values()),
            "dtype": dtype_name(tensors),
        }
        return commit(place.output, job, ShardLog.of({}), started, parts=parts, facts=facts)

    what = f"export stage {stage} to {place.output}/export"
    return make_table(place, job, what, work)


def write_model(folder: str, tensors: dict[str, Tensor], config: dict[str, object]) -> Iterator[Part]:
    """Write the weights, config.json, generation_config.json and the remote-code files of pretrain/hf."""
    yield from write_weights(folder, tensors)
    generation = {name: config[name] for name in ("bos_token_id", "eos_token_id")}
    yield _write_json(folder, "config.json", config)
    yield _write_json(folder, "generation_config.json", generation)
    for name in ("configuration_mimo.py", "modeling_mimo.py"):
        yield tables.write_bytes(folder, name, (Path(__file__).parent / "hf" / name).read_bytes())


def write_tokenizer(folder: str, tokenizer: tables.Table, trained: StageConfig) -> Iterator[Part]:
    """Write tokenizer_config.json and tokenizer.json of a tokenizer table."""
    eod = str(tokenizer.manifest.facts["eod"])
    values = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": eod,
        "pad_token": eod,
        "clean_up_tokenization_spaces": False,
        "model_max_length": trained.sequence_length,
    }
    yield _write_json(folder, "tokenizer_config.json", values)
    yield tables.write_bytes(folder, "tokenizer.json", tables.read_bytes(tokenizer.path, "tokenizer.json"))


def _write_json(folder: str, name: str, values: dict[str, object]) -> Part:
    return tables.write_bytes(folder, name, (json.dumps(values, indent=2) + "\n").encode())


def split_into_files(tensors: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """Group tensors, in order, into files of at most MAX_FILE_BYTES; a larger tensor gets its own file."""
    pieces: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in tensors.items():
        if pieces[-1] and size + tensor.nbytes > MAX_FILE_BYTES:
            pieces.append({})
            size = 0
        pieces[-1][name] = tensor
        size += tensor.nbytes
    return pieces


def write_weights(folder: str, tensors: dict[str, Tensor]) -> Iterator[Part]:
    """Write the safetensors files, and an index if there are several; read each back and compare it.

    Raises ContractError if a file reads back changed.
    """
    pieces = split_into_files(tensors)
    index: dict[str, str] = {}
    for number, piece in enumerate(pieces, start=1):
        place = f"-{number:05}-of-{len(pieces):05}" if len(pieces) > 1 else ""
        name = f"model{place}.safetensors"
        yield tables.write_bytes(folder, name, safetensors.torch.save(piece, {"format": "pt"}))
        stored = safetensors.torch.load(tables.read_bytes(folder, name))
        wrong = [key for key in piece if not torch.equal(stored[key], piece[key])]
        if wrong or stored.keys() != piece.keys():
            raise ContractError(f"{folder}/{name}: {wrong[:1]} reads back changed; remedy: check the disk")
        index |= dict.fromkeys(piece, name)
    if len(pieces) > 1:
        total = sum(tensor.nbytes for tensor in tensors.values())
        text = json.dumps({"metadata": {"total_size": total}, "weight_map": index}, indent=1)
        yield tables.write_bytes(folder, "model.safetensors.index.json", text.encode())


if __name__ == "__main__":
    main(run)

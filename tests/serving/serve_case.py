"""The serving side of the check, in its own environment: one case in transformers and in vLLM.

    python tests/serving/serve_case.py CASE_FOLDER

Reads `model/` and `case.json`; writes `theirs.safetensors` (logits of both heads, of both programs) and
`theirs.json` (vLLM's tokens with and without drafts, drafts made and accepted). Imports nothing of ours.
"""

import json
import os
import sys
from pathlib import Path

os.environ |= {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the models must be in this process, to ask them for logits
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
}

import safetensors.torch
import torch
import transformers
from vllm import LLM, SamplingParams

MAX_LENGTH = 256


def main(folder: Path) -> None:
    case = json.loads((folder / "case.json").read_text())
    model = str(folder / "model")
    logits = transformers_logits(model, case)
    plain = open_model(model, {})
    greedy = decode(plain, case["prompts"], case["num_new"])
    del plain
    drafting = open_model(model, {"speculative_config": {"method": "mtp", "num_speculative_tokens": 1}})
    logits |= vllm_logits(drafting, case["prompts"])
    before = counters(drafting)
    drafted = decode(drafting, case["prompts"], case["num_new"])
    after = counters(drafting)
    values = {
        "plain": greedy,
        "drafted": drafted,
        "checked": after["num_draft_tokens"] - before["num_draft_tokens"],
        "accepted": after["num_accepted_tokens"] - before["num_accepted_tokens"],
    }
    (folder / "theirs.json").write_text(json.dumps(values))
    safetensors.torch.save_file(logits, folder / "theirs.safetensors")


def transformers_logits(model: str, case: dict) -> dict[str, torch.Tensor]:
    """Both heads' logits of every prompt, through the remote code that travels with the export."""
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        model, trust_remote_code=True, dtype=torch.float32
    )
    found = {}
    for number, (prompt, new) in enumerate(zip(case["prompts"], case["tokens"], strict=True)):
        tokens = torch.tensor([[*prompt, new[0]]])
        with torch.no_grad():
            found[f"transformers.main.{number}"] = loaded(tokens).logits[0, :-1].contiguous()
            for layer in range(case["mtp_layers"]):
                logits = loaded.draft_logits(tokens, layer)[0, : -1 - layer]
                found[f"transformers.draft{layer or ''}.{number}"] = logits.contiguous()
    return found


def open_model(model: str, more: dict) -> LLM:
    """vLLM on a model folder, in fp32; every prompt is read in one piece."""
    return LLM(
        model=model, skip_tokenizer_init=True, trust_remote_code=True, dtype="float32", enforce_eager=True,
        max_model_len=MAX_LENGTH, max_num_seqs=16, max_num_batched_tokens=4096, enable_prefix_caching=False,
        disable_log_stats=False, **more,
    )  # fmt: skip


def decode(llm: LLM, prompts: list[list[int]], num_new: int) -> list[list[int]]:
    """Greedy continuations."""
    asked = SamplingParams(temperature=0.0, max_tokens=num_new, ignore_eos=True, detokenize=False)
    inputs = [{"prompt_token_ids": prompt} for prompt in prompts]
    return [list(out.outputs[0].token_ids) for out in llm.generate(inputs, asked, use_tqdm=False)]


def vllm_logits(llm: LLM, prompts: list[list[int]]) -> dict[str, torch.Tensor]:
    """Both heads' logits of every prompt, taken where vLLM reads the prompt."""
    runner = llm.llm_engine.model_executor.driver_worker.worker.model_runner
    found = {}
    for number, prompt in enumerate(prompts):
        kept: dict[str, torch.Tensor] = {}

        def keep(name: str, kept: dict = kept):
            return lambda module, inputs, output: kept.setdefault(name, output.clone())

        models = {"main": runner.model, "draft": runner.drafter.model}
        hooks = [model.register_forward_hook(keep(name)) for name, model in models.items()]
        decode(llm, [prompt], 2)
        for hook in hooks:
            hook.remove()
        for name, model in models.items():
            logits = model.compute_logits(kept[name][: len(prompt)])
            found[f"vllm.{name}.{number}"] = logits.contiguous()
    return found


def counters(llm: LLM) -> dict[str, int]:
    """vLLM's own counts of drafts."""
    prefix = "vllm:spec_decode_"
    return {
        metric.name.removeprefix(prefix): metric.value
        for metric in llm.get_metrics()
        if metric.name.startswith(prefix) and hasattr(metric, "value")
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))

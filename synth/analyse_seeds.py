"""One shard of analyses: the endpoint teacher explains passages (data A of [2.1], arXiv 2505.07608)."""

from collections.abc import Sequence

from configs.tables import hash_json
from synth.endpoint.ask import Prompt, ask, read_prompt
from synth.rows import ANALYSIS_REASONING_DEPTH, Example, Reject, doc_id
from synth.select_seeds import Seed
from synth.solve_problems import Solved, Workshop

SOURCE = "synthetic-analysis"


def analyse_shard(seeds: Sequence[Seed], first_index: int, workshop: Workshop) -> Solved:
    """Ask for one analysis a seed; an unanswered one is a reject. Nothing can be checked: `unchecked`."""
    if workshop.endpoint is None or workshop.journal is None:
        raise ValueError("analyses need an endpoint teacher")
    prompts = [Prompt(prompt_text(seed)) for seed in seeds]
    solved = Solved([], [], {})
    for offset, (seed, prompt, text) in enumerate(
        zip(seeds, prompts, ask(prompts, workshop.endpoint, workshop.journal), strict=True)
    ):
        index = first_index + offset
        identity = doc_id(SOURCE, workshop.seed, index)
        if text is None:
            fault = Reject(
                identity, SOURCE, seed.passage, workshop.seed, index, "teacher_failed", "every request failed"
            )
            solved.rejects.append(fault)
            continue
        heading = f"# {seed.title}\n\n" if seed.title else ""
        solved.examples.append(
            Example(
                doc_id=identity,
                source=SOURCE,
                title=seed.title or "Analysis",
                text=f"{heading}{text.strip()}\n",
                engine=workshop.teacher,
                domain=seed.domain,
                reasoning_depth=ANALYSIS_REASONING_DEPTH,
                split="train",
                problem_id=seed.doc_id,
                teacher=workshop.teacher,
                seed=workshop.seed,
                index=index,
                prompt_hash=hash_json(prompt.text),
                verdict="unchecked",
                pass_rate=0.0,
                source_doc_id=seed.doc_id,
                licence=seed.licence,
            )
        )
    return solved


def prompt_text(seed: Seed) -> str:
    """The prompt with the passage between boundaries that it cannot contain: they hash it."""
    boundary = f"=== {hash_json(seed.passage)[:16]} ==="
    return read_prompt("analyse").replace("{boundary}", boundary).replace("{passage}", seed.passage)

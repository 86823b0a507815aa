"""One shard of problems: made, solved by the teacher, checked, and split into examples and rejects.

1. Make the problems of an index range; leave out repeated and contaminated ones.
2. Symbolic teacher: one solution each, some with a planted error. Endpoint: several samples of a model.
3. Check each solution as it is written: the boxed answer by math-verify, the Python block by its tests.
4. The first right one becomes a document; where none is, the first one becomes a reject with its fault.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configs.contract import ContractError
from configs.tables import hash_json
from filters.decontaminate import Index, contaminated_by
from synth.checks.sandbox import Author, Limits
from synth.checks.verify_code import verify_code
from synth.checks.verify_math import MathVerifier
from synth.config import EndpointConfig, ProblemConfig
from synth.endpoint.ask import Prompt, ask, read_prompt
from synth.endpoint.journal import Journal
from synth.families.problem import Problem, boxed_answer, fenced_code, problem_id
from synth.families.symbolic import make_problem, write_solution
from synth.rows import REASONING_DEPTH, Example, Reject, doc_id, split_of

_MATH_FAULTS = {
    "equal": None,
    "different": "wrong_answer",
    "unparsed": "unparsed_answer",
    "timeout": "verifier_timeout",
}
_CODE_FAULTS = {
    "passed": None,
    "failed": "failed_tests",
    "no_code": "unparsed_answer",
    "timeout": "verifier_timeout",
}
_HEADINGS = (
    ("Problem", "Solution"),
    ("Question", "Answer"),
    ("Exercise", "Worked solution"),
    ("Task", "Reasoning"),
)


@dataclass(frozen=True)
class Workshop:
    """What solving needs besides the config; `endpoint` and `journal` are None for the symbolic teacher."""

    seed: int
    verifier: MathVerifier
    isolated: bool
    benchmarks: Index
    endpoint: EndpointConfig | None = None
    journal: Journal | None = None

    @property
    def source(self) -> str:
        """The table's `source`: who wrote the text."""
        return "synthetic-symbolic" if self.endpoint is None else "synthetic-endpoint"

    @property
    def teacher(self) -> str:
        """`symbolic`, or the model's name."""
        return "symbolic" if self.endpoint is None else self.endpoint.model


@dataclass(frozen=True)
class Solved:
    """A shard's outcome."""

    examples: list[Example]
    rejects: list[Reject]
    first_seen: dict[str, str]
    """problem_id -> doc_id of the problems that this shard is the first to hold."""
    num_planted: int = 0


@dataclass(frozen=True)
class Check:
    """Verdict on one sample: its fault (a reject reason) or None."""

    fault: str | None
    verdict: str
    detail: str


def solve_shard(indices: range, config: ProblemConfig, workshop: Workshop, seen: Mapping[str, str]) -> Solved:
    """Solve the problems of `indices`. `seen`: problem_id -> doc_id of all earlier shards.

    Raises ContractError if a planted error passes the check: then the checks are worth nothing.
    """
    rejects: list[Reject] = []
    first_seen: dict[str, str] = {}
    open_problems: list[tuple[int, Problem]] = []
    for index in indices:
        problem = make_problem(workshop.seed, index, config.code_fraction)
        reject = _unusable(problem, index, workshop, seen, first_seen)
        if reject is None:
            first_seen[problem_id(problem.statement)] = doc_id(workshop.source, workshop.seed, index)
            open_problems.append((index, problem))
        else:
            rejects.append(reject)
    planted = {index for index, _ in open_problems if _is_planted(index, config, workshop)}
    samples = _solutions(open_problems, planted, workshop)
    checks = _check(open_problems, samples, config, workshop)
    examples: list[Example] = []
    for (index, problem), texts, results in zip(open_problems, samples, checks, strict=True):
        outcome = _settle(index, problem, texts, results, config, workshop)
        if isinstance(outcome, Example) and index in planted:
            raise ContractError(
                f"synthetic: the check accepted the planted error in problem {index} ({problem.family}); "
                "remedy: report it"
            )
        if isinstance(outcome, Example):
            examples.append(outcome)
        else:
            rejects.append(outcome)
    rejects.sort(key=lambda reject: reject.index)
    return Solved(examples, rejects, first_seen, len(planted))


def _is_planted(index: int, config: ProblemConfig, workshop: Workshop) -> bool:
    """The symbolic teacher spoils this one; a model makes its own mistakes."""
    draw = random.Random(f"planted:{workshop.seed}:{index}").random()
    return workshop.endpoint is None and draw < config.planted_error_fraction


def _unusable(
    problem: Problem, index: int, workshop: Workshop, seen: Mapping[str, str], first_seen: Mapping[str, str]
) -> Reject | None:
    """A reject if the problem was made before or is a benchmark's."""
    key = problem_id(problem.statement)
    base = (
        doc_id(workshop.source, workshop.seed, index),
        workshop.source,
        problem.statement,
        workshop.seed,
        index,
    )
    original = seen.get(key) or first_seen.get(key)
    if original is not None:
        return Reject(*base, "duplicate_problem", problem.family, duplicate_of=original)
    # The whole text is checked too (generate); this spares the teacher what would be rejected then.
    name = contaminated_by(problem.statement, workshop.benchmarks)
    return None if name is None else Reject(*base, "contaminated", name)


def _solutions(
    problems: Sequence[tuple[int, Problem]], planted: set[int], workshop: Workshop
) -> list[list[str | None]]:
    """Per problem its samples; None where the endpoint gave none."""
    if workshop.endpoint is None or workshop.journal is None:
        return [[write_solution(problem, workshop.seed, i, i in planted)] for i, problem in problems]
    count = workshop.endpoint.samples_per_problem
    prompts = [Prompt(_prompt_text(problem), sample) for _, problem in problems for sample in range(count)]
    answers = ask(prompts, workshop.endpoint, workshop.journal)
    return [answers[start : start + count] for start in range(0, len(answers), count)]


def _prompt_text(problem: Problem) -> str:
    return read_prompt("solve_code" if problem.is_code else "solve_math").replace(
        "{problem}", problem.statement
    )


def _check(
    problems: Sequence[tuple[int, Problem]],
    samples: Sequence[Sequence[str | None]],
    config: ProblemConfig,
    workshop: Workshop,
) -> list[list[Check]]:
    """Check every sample; all programs of the shard go to the sandbox together."""
    pairs = [(problem, text) for (_, problem), texts in zip(problems, samples, strict=True) for text in texts]
    mathematics = [
        (p.reference, boxed_answer(text)) for p, text in pairs if not p.is_code and text is not None
    ]
    programs = [(fenced_code(text), p.tests) for p, text in pairs if p.is_code and text is not None]
    author: Author = "families" if workshop.endpoint is None else "model"
    verdicts = iter(zip(mathematics, workshop.verifier.verify(mathematics), strict=True))
    code_checks = iter(verify_code(programs, Limits(config.test_timeout_s), author, workshop.isolated))
    checks = []
    for problem, text in pairs:
        if text is None:
            checks.append(Check("teacher_failed", "unanswered", "every request failed"))
        elif problem.is_code:
            code = next(code_checks)
            checks.append(Check(_CODE_FAULTS[code.verdict], code.verdict, code.detail))
        else:
            (reference, answer), verdict = next(verdicts)
            detail = f"expected {reference}, got {(answer or 'no boxed answer')[:200]}"
            checks.append(Check(_MATH_FAULTS[verdict], verdict, detail))
    results = iter(checks)
    return [[next(results) for _ in texts] for texts in samples]


def _settle(
    index: int, problem: Problem, texts: Sequence[str | None], checks: Sequence[Check], config: ProblemConfig,
    workshop: Workshop,
) -> Example | Reject:  # fmt: skip
    """The first right sample as an example, or the first sample as a reject."""
    right = [n for n, check in enumerate(checks) if check.fault is None]
    chosen = right[0] if right else 0
    check, pass_rate = checks[chosen], len(right) / len(checks)
    key, identity = problem_id(problem.statement), doc_id(workshop.source, workshop.seed, index)
    statement, solution = random.Random(f"layout:{workshop.seed}:{index}").choice(_HEADINGS)
    text = f"## {statement}\n\n{problem.statement}\n\n## {solution}\n\n{(texts[chosen] or '').strip()}\n"
    if check.fault is not None:
        return Reject(
            identity, workshop.source, text, workshop.seed, index, check.fault, check.detail, pass_rate
        )
    prompt = "" if workshop.endpoint is None else _prompt_text(problem)
    return Example(
        doc_id=identity,
        source=workshop.source,
        title=problem.family.split("/")[1].replace("_", " ").capitalize(),
        text=text,
        engine=workshop.teacher,
        domain="code" if problem.is_code else "mathematics",
        reasoning_depth=REASONING_DEPTH[problem.level],
        split=split_of(workshop.seed, problem.group, config.heldout_fraction),
        problem_id=key,
        teacher=workshop.teacher,
        seed=workshop.seed,
        index=index,
        prompt_hash=hash_json(prompt or problem.family),
        verdict=check.verdict,
        pass_rate=pass_rate,
    )

# ruff: noqa: E501 - a statement or a step is one sentence and stays on one line
"""Problem families of small algorithms in Python: merging intervals, binary search, matching brackets."""

import random

from synth.families.problem import Family, Problem
from synth.families.python import code_problem, integers


def intervals(rng: random.Random, level: int) -> Problem:
    """Ask for a function that merges intervals closer than a gap; at level 3 for the covered length."""
    gap = 0 if level == 1 else rng.randint(1, 4)
    name = (
        rng.choice(["merge", "unite", "join_intervals"])
        if level < 3
        else rng.choice(["covered", "total_length", "busy_time"])
    )
    test = f"start <= merged[-1][1] + {gap}" if gap else "start <= merged[-1][1]"
    last = "    return merged\n" if level < 3 else "    return sum(end - start for start, end in merged)\n"
    code = (f"def {name}(intervals):\n    merged = []\n    for start, end in sorted(intervals):\n        if merged and {test}:\n"
            f"            merged[-1] = (merged[-1][0], max(merged[-1][1], end))\n        else:\n            merged.append((start, end))\n{last}")  # fmt: skip
    rule = "overlap or touch" if not gap else f"overlap or are at most {gap} apart"
    goal = (
        "returns the merged pairs in ascending order"
        if level < 3
        else "returns the total length of the merged intervals"
    )
    statement = f"`intervals` is a list of pairs (start, end). Those that {rule} are merged into one. Write `{name}(intervals)` that {goal}."
    steps = ("Sorted by start, an interval can only be merged with the last one made so far.", f"It is if `{test}`; the end is then the larger of the two ends.",
             "Otherwise it opens a new one.", *(["The gaps inside a merged interval count as covered."] if level == 3 else []))  # fmt: skip

    def reference(pairs: list[tuple[int, int]]) -> object:
        points = {2 * x for s, e in pairs for x in range(s, e + 1)} | {
            2 * x + 1 for s, e in pairs for x in range(s, e)
        }
        for left in sorted({e for _, e in pairs}):  # fill every gap that is small enough
            for right in {s for s, _ in pairs if 0 < s - left <= gap}:
                points |= set(range(2 * left, 2 * right + 1))
        starts = sorted(x // 2 for x in points if x - 1 not in points)
        ends = sorted(x // 2 for x in points if x + 1 not in points)
        return list(zip(starts, ends, strict=True)) if level < 3 else sum(ends) - sum(starts)

    cases = [
        ([(s, s + rng.randint(1, 6)) for s in (rng.randint(0, 40) for _ in range(5 + level))],)
        for _ in range(5)
    ]
    nested: tuple[object, ...] = ([(1, 20), (3, 5), (21 + gap, 25 + gap)],)
    return code_problem(
        ("intervals", f"{gap}/{level}"),
        level,
        statement,
        steps,
        code,
        ("max(merged[-1][1], end)", "end"),
        [*cases, nested, ([],)],
        reference,
    )


def search(rng: random.Random, level: int) -> Problem:
    """Ask for a binary search for the first index that satisfies a comparison; at level 3 for a count."""
    relation, words = rng.choice([(">=", "at least"), (">", "greater than")])
    name = rng.choice(["first_index", "find_place", "lower_place", "locate"])
    code = (f"def {name}(values, target):\n    low, high = 0, len(values)\n    while low < high:\n        middle = (low + high) // 2\n"
            f"        if values[middle] {relation} target:\n            high = middle\n        else:\n            low = middle + 1\n    return low\n")  # fmt: skip
    if level == 3:
        code = code.replace("return low", "return len(values) - low")
    goal = "the number of values" if level == 3 else "the index of the first value"
    none = "" if level == 3 else " (the length of the list if there is none)"
    statement = f"`values` is sorted in ascending order. Write `{name}(values, target)` that returns {goal} that {'are' if level == 3 else 'is'} {words} `target`{none}, in logarithmic time."
    steps = (f"The wanted place lies in the half-open range from `low` to `high`; all before it are not {words} the target.",
             f"If the middle value is {words} the target, the place is there or before it; otherwise after it.",
             "Each step halves the range, and it is empty when both ends meet.",
             *(["From that place to the end of the list are `len(values) - low` values."] if level == 3 else []))  # fmt: skip

    def reference(values: list[int], target: int) -> int:
        hits = [i for i, v in enumerate(values) if (v >= target if relation == ">=" else v > target)]
        return len(hits) if level == 3 else (hits[0] if hits else len(values))

    cases = []
    for _ in range(5):
        values = sorted(integers(rng, 9, 0, 12))
        cases.append((values, rng.choice(values)))
    flawed = ">" if relation == ">=" else ">="
    return code_problem(("search", f"{relation}/{name}"), level, statement, steps, code, (f"] {relation} t", f"] {flawed} t"),
                        [*cases, ([], rng.randint(1, 9)), ([2, 4], 9)], reference)  # fmt: skip


def brackets(rng: random.Random, level: int) -> Problem:
    """Ask for a function that tells whether the brackets of a text are balanced."""
    pairs = rng.sample(["()", "[]", "{}", "<>"], level + 1 if level < 3 else 3)
    table = ", ".join(f"{p[1]!r}: {p[0]!r}" for p in pairs)
    name = rng.choice(["is_balanced", "brackets_match", "well_nested"])
    code = (f"def {name}(text):\n    opening = {{{table}}}\n    stack = []\n    for c in text:\n        if c in opening.values():\n"
            f"            stack.append(c)\n        elif c in opening:\n            if not stack or stack.pop() != opening[c]:\n"
            f"                return False\n    return not stack\n")  # fmt: skip
    statement = f"Write `{name}(text)` that says whether the brackets {' and '.join(f'`{p}`' for p in pairs)} of a text are balanced and properly nested; other characters do not matter."
    steps = ("An opening bracket is put on a stack.", "A closing one must match the last one still open, which is taken off.",
             "At the end no bracket may be left open, so the stack must be empty.")  # fmt: skip

    def reference(text: str) -> bool:
        rest = "".join(c for c in text if any(c in p for p in pairs))
        while any(p in rest for p in pairs):
            for p in pairs:
                rest = rest.replace(p, "")
        return not rest

    first, second = pairs[0], pairs[1]
    cases: list[tuple[object, ...]] = [
        ("".join(rng.choice("".join(pairs) + "abc") for _ in range(8)),),
        (f"a{first[0]}b{second}c{first[1]}",),
        (f"{first[0]}{second[0]}{first[1]}{second[1]}",),
        (first[0] * 2 + first[1],),
        ("",),
    ]
    cases += [("".join(rng.choice("".join(pairs) + "x") for _ in range(6)),) for _ in range(3)]
    return code_problem(
        ("brackets", "".join(pairs)),
        level,
        statement,
        steps,
        code,
        ("return not stack", "return True"),
        cases,
        reference,
    )


FAMILIES: tuple[Family, ...] = (intervals, search, brackets)

# ruff: noqa: E501 - a statement or a step is one sentence and stays on one line
"""Problem families of Python functions over lists: windows, runs, rotations, ranks, tables."""

import random
from collections import Counter
from itertools import groupby

from synth.families.problem import Family, Problem
from synth.families.python import code_problem, integers


def window_sum(rng: random.Random, level: int) -> Problem:
    """Ask for the largest or smallest sum of k neighbours, by a sliding window."""
    k, best = rng.randint(2, 5), rng.choice(["max", "min"])
    word = {"max": "largest", "min": "smallest"}[best]
    name = f"{word}_window"
    code = (f"def {name}(numbers):\n    window = sum(numbers[:{k}])\n    best = window\n    for i in range({k}, len(numbers)):\n"
            f"        window += numbers[i] - numbers[i - {k}]\n        best = {best}(best, window)\n    return best\n")  # fmt: skip
    thing = rng.choice(["measurements", "daily profits", "integers", "scores"])
    statement = (f"Given a list of at least {k} {thing}, find the {word} sum of {k} neighbouring ones. "
                 f"{rng.choice(['Write', 'Implement'])} `{name}(numbers)` without adding up every window anew.")  # fmt: skip
    steps = (f"The first window is the sum of the first {k} values.",
             f"Moving it by one place adds `numbers[i]` and drops `numbers[i - {k}]`: constant work.",
             f"`{best}` keeps the best sum so far, so the whole is linear in the length.")  # fmt: skip
    cases = [(integers(rng, k + 3 + 2 * level),) for _ in range(5)]
    return code_problem(("window_sum", f"{k}/{best}"), level, statement, steps, code,
                        (f"numbers[i - {k}]", f"numbers[i - {k} + 1]"), cases,
                        lambda xs: sorted(sum(xs[i : i + k]) for i in range(len(xs) - k + 1))[-1 if best == "max" else 0])  # fmt: skip


def run_lengths(rng: random.Random, level: int) -> Problem:
    """Ask for the runs of equal values as pairs; from level 2 only for runs of a minimum length."""
    least = 1 if level == 1 else rng.randint(2, 3)
    name = rng.choice(["runs", "run_lengths", "encode_runs", "find_runs"])
    code = (f"def {name}(values):\n    pairs = []\n    for value in values:\n        if pairs and pairs[-1][0] == value:\n"
            f"            pairs[-1] = (value, pairs[-1][1] + 1)\n        else:\n            pairs.append((value, 1))\n")  # fmt: skip
    code += (
        "    return pairs\n" if least == 1 else f"    return [pair for pair in pairs if pair[1] >= {least}]\n"
    )
    keep = "" if least == 1 else f", leaving out runs shorter than {least}"
    statement = f"Write `{name}(values)` that returns the runs of equal neighbours of a {rng.choice(['list', 'sequence'])} as pairs (value, length){keep}."
    steps = ("Go through the values and look only at the last pair.",
             "An equal value makes that pair longer by one; another value opens a new pair of length 1.",
             *([f"At the end, pairs with a length below {least} are left out: earlier it is not known whether a run goes on."] if least > 1 else []))  # fmt: skip
    alphabet: list[object] = rng.choice([[0, 1], [1, 2, 3], ["a", "b"], [7, 8]])
    cases = [([rng.choice(alphabet) for _ in range(12 + 3 * level)],) for _ in range(4)]
    return code_problem(("run_lengths", f"{least}/{alphabet}"), level, statement, steps, code, ("[1] + 1)", "[1] + 2)"), [*cases, ([],)],
                        lambda xs: [(v, n) for v, n in ((v, len(list(g))) for v, g in groupby(xs)) if n >= least])  # fmt: skip


def rotation(rng: random.Random, level: int) -> Problem:
    """Ask for a function that rotates a list by k places; at level 3 one that shifts letters."""
    k = rng.randint(2, 11)
    if level == 3:
        name = rng.choice(["shift_letters", "encipher", "caesar"])
        code = (f"def {name}(text):\n    result = ''\n    for c in text:\n        if 'a' <= c <= 'z':\n"
                f"            c = chr((ord(c) - ord('a') + {k}) % 26 + ord('a'))\n        result += c\n    return result\n")  # fmt: skip
        statement = f"Write `{name}(text)` that moves every small letter {k} places on in the alphabet, from z on to a, and leaves all else as it is."
        steps = ("A small letter has the number `ord(c) - ord('a')` from 0 to 25.", f"Add {k} and take the remainder modulo 26, so that it wraps around.",
                 "Every other character is copied.")  # fmt: skip
        alphabet = "abcdefghijklmnopqrstuvwxyz"
        table = str.maketrans(alphabet, alphabet[k:] + alphabet[:k])
        cases: list[tuple[object, ...]] = [
            ("".join(rng.choice(alphabet + " ,A") for _ in range(15)),) for _ in range(4)
        ]
        return code_problem(("rotation", f"letters/{k}"), level, statement, steps, code, (f"+ {k})", f"+ {k + 1})"), [*cases, ("xyz",)],
                            lambda text: text.translate(table))  # fmt: skip
    side = rng.choice(["left", "right"])
    name = f"rotate_{side}"
    cut = "k" if side == "left" else "len(values) - k"
    code = (f"def {name}(values):\n    if not values:\n        return []\n    k = {k} % len(values)\n    cut = {cut}\n"
            f"    return values[cut:] + values[:cut]\n")  # fmt: skip
    statement = f"{rng.choice(['Write', 'Implement'])} `{name}(values)` that returns the list turned {k} places to the {side}, whatever its length."
    steps = (f"Turning by the length changes nothing, so only {k} modulo the length counts.", f"Cut the list at `{cut}` and put the second piece in front.",
             "The empty list has no remainder and is returned at once.")  # fmt: skip

    def reference(values: list[int]) -> list[int]:
        turned = list(values)
        for _ in range(k if values else 0):
            turned = turned[1:] + turned[:1] if side == "left" else turned[-1:] + turned[:-1]
        return turned

    lists: list[tuple[object, ...]] = [(rng.sample(range(50), rng.randint(4, 9)),) for _ in range(4)]
    return code_problem(
        ("rotation", f"{side}/{k}"),
        level,
        statement,
        steps,
        code,
        (f"k = {k} %", f"k = {k + 1} %"),
        [*lists, ([],)],
        reference,
    )


def most_frequent(rng: random.Random, level: int) -> Problem:
    """Ask for the k most frequent values of a list; among equally frequent ones the smaller comes first."""
    k = rng.randint(2, 2 + level)
    name = rng.choice(["most_common", "top_values", "favourites"])
    code = (f"def {name}(values):\n    counts = {{}}\n    for value in values:\n        counts[value] = counts.get(value, 0) + 1\n"
            f"    order = sorted(counts, key=lambda value: (-counts[value], value))\n    return order[:{k}]\n")  # fmt: skip
    statement = f"Write `{name}(values)` that returns the {k} most frequent integers of a list, the most frequent first, the smaller first among equals."
    steps = ("Count every value in a dictionary.", "Sort by the pair (minus the count, value): high counts first, then small values.",
             f"The first {k} of that order are the answer; if there are fewer, all of them.")  # fmt: skip
    cases = [(integers(rng, 16 + 4 * level, 0, 7),) for _ in range(5)]

    def by_frequency(xs: list[int]) -> list[int]:
        return [
            value for value, _ in sorted(sorted(Counter(xs).items()), key=lambda item: item[1], reverse=True)
        ][:k]

    return code_problem(
        ("most_frequent", f"{k}"),
        level,
        statement,
        steps,
        code,
        (f"[:{k}]", f"[:{k - 1}]"),
        cases,
        by_frequency,
    )


def ranked(rng: random.Random, level: int) -> Problem:
    """Ask for the k-th largest or smallest distinct value of a list."""
    k = rng.randint(2, 4)
    word = rng.choice(["largest", "smallest"])
    name = f"{['second', 'third', 'fourth'][k - 2]}_{word}"
    reverse = ", reverse=True" if word == "largest" else ""
    code = f"def {name}(numbers):\n    distinct = sorted(set(numbers){reverse})\n    return distinct[{k - 1}] if len(distinct) >= {k} else None\n"
    statement = f"Write `{name}(numbers)`: the value that comes at place {k} when the different values of a list are sorted, {word} first; `None` if there are too few."
    steps = (
        "Equal values count once, which a set takes care of.",
        f"Sort it, {word} first.",
        f"Place {k} has index {k - 1}; a shorter list of values gives `None`.",
    )
    numbers = [(integers(rng, 6 + 4 * level, 0, 15),) for _ in range(4)]

    def reference(xs: list[int]) -> int | None:
        rest = list(xs)
        for _ in range(k - 1):
            if rest:
                extreme = max(rest) if word == "largest" else min(rest)
                rest = [x for x in rest if x != extreme]
        return (max(rest) if word == "largest" else min(rest)) if rest else None

    return code_problem(
        ("ranked", f"{word}/{k}"),
        level,
        statement,
        steps,
        code,
        (f"distinct[{k - 1}]", f"distinct[{k - 2}]"),
        [*numbers, ([4],)],
        reference,
    )


def grid(rng: random.Random, level: int) -> Problem:
    """Ask for a function of the rows or columns of a table of integers."""
    k = rng.randint(2, 6)
    name, goal, body, reference = rng.choice([
        ("column_sums", "the list of the sums of the columns", "[sum(row[j] for row in table) for j in range(len(table[0]))]",
         lambda t: [sum(c) for c in zip(*t, strict=True)]),
        ("transpose", "the table with rows and columns exchanged, as a list of lists", "[[row[j] for row in table] for j in range(len(table[0]))]",
         lambda t: [list(c) for c in zip(*t, strict=True)]),
        ("count_multiples", f"how many entries are divisible by {k}", f"sum(1 for row in table for j in range(len(table[0])) if row[j] % {k} == 0)",
         lambda t: len([x for row in t for x in row if x // k * k == x])),
        ("row_range", "the list of the differences between the largest and the smallest entry of each row",
         "[max(row[j] for j in range(len(table[0]))) - min(row) for row in table]", lambda t: [sorted(r)[-1] - sorted(r)[0] for r in t]),
    ])  # fmt: skip
    name += rng.choice(["", "_of", "_table"])
    code = f"def {name}(table):\n    return {body}\n"
    statement = f"`table` is a list of rows of equal length, each a list of integers, with at least one row. Write `{name}(table)` that returns {goal}."
    steps = (
        "The number of columns is the length of the first row.",
        f"Written as one expression over rows and column numbers this is `{body}`.",
    )
    cases = [([integers(rng, 3 + level, 0, 30) for _ in range(2 + level)],) for _ in range(6)]
    full = [[0] * (level + 2) + [60 * (i + 1)] for i in range(2)]  # the flaw skips the last column
    return code_problem(
        ("grid", f"{name}/{k}"),
        level,
        statement,
        steps,
        code,
        ("range(len(table[0]))", "range(len(table[0]) - 1)"),
        [*cases, (full,)],
        reference,
    )


FAMILIES: tuple[Family, ...] = (window_sum, run_lengths, rotation, most_frequent, ranked, grid)

# ruff: noqa: E501 - a statement or a step is one sentence and stays on one line
"""Problem families of combinatorics: choices, arrangements, inclusion-exclusion, paths, probability."""

import itertools
import math
import random
from collections import Counter
from fractions import Fraction

from synth.families.latex import listed, rational
from synth.families.problem import Family, Problem


def _binomial_steps(n: int, k: int) -> str:
    top = r" \cdot ".join(str(n - i) for i in range(k))
    bottom = r" \cdot ".join(str(i) for i in range(1, k + 1))
    if k == 1:
        return rf"\binom{{{n}}}{{1}} = {n}"
    return rf"\binom{{{n}}}{{{k}}} = \frac{{{top}}}{{{bottom}}} = {math.comb(n, k)}"


def committee(rng: random.Random, level: int) -> Problem:
    """Ask for the number of ways to choose people from one, two or three groups."""
    kinds = rng.sample(
        ["engineers", "nurses", "painters", "pilots", "cellists", "botanists", "bakers", "judges"], level
    )
    sizes = [rng.randint(4, 9) for _ in kinds]
    taken = [rng.randint(1, 3) for _ in kinds]
    parts = " and ".join(f"{size} {kind}" for size, kind in zip(sizes, kinds, strict=True))
    wanted = " and ".join(f"exactly {take} of the {kind}" for take, kind in zip(taken, kinds, strict=True))
    group = rng.choice(["committee", "team", "delegation", "panel"])
    ways = [math.comb(n, k) for n, k in zip(sizes, taken, strict=True)]
    steps = [
        f"Of the {kind}: ${_binomial_steps(n, k)}$ ways."
        for kind, n, k in zip(kinds, sizes, taken, strict=True)
    ]
    if level > 1:
        product = r" \cdot ".join(map(str, ways))
        steps.append(f"The choices are independent, so they multiply: ${product} = {math.prod(ways)}$.")
    statement = f"From {parts} a {group} with {wanted} is formed. In how many ways can this be done?"
    reference = math.prod(
        sum(1 for _ in itertools.combinations(range(n), k)) for n, k in zip(sizes, taken, strict=True)
    )
    return Problem("combinatorics/committee", f"committee/{sizes[0]}/{taken[0]}", level, statement, tuple(steps),
                   str(math.prod(ways)), str(reference))  # fmt: skip


def word_arrangements(rng: random.Random, level: int) -> Problem:
    """Ask for the number of arrangements of a word with repeated letters."""
    letters = rng.sample("ABCDEGKLMNOPRST", level + 2)
    word = letters + [rng.choice(letters) for _ in range(rng.randint(1, 2))]
    rng.shuffle(word)
    text = "".join(word)
    counts = Counter(text)
    repeated = {letter: count for letter, count in sorted(counts.items()) if count > 1}
    bottom = r" \cdot ".join(f"{count}!" for count in repeated.values())
    answer = math.factorial(len(text)) // math.prod(math.factorial(count) for count in repeated.values())
    steps = (f"There are ${len(text)}$ letters, so ${len(text)}! = {math.factorial(len(text))}$ orders if all were different.",
             f"Repeated letters: {', '.join(f'{letter} {count} times' for letter, count in repeated.items())}. "
             "Exchanging equal letters changes nothing.",
             rf"So divide: $\frac{{{len(text)}!}}{{{bottom}}} = {answer}$.")  # fmt: skip
    ask = rng.choice([f"How many different arrangements have the letters of {text}?",
                      f"In how many distinct orders can the letters {', '.join(text)} be written?",
                      f"Cards with the letters {', '.join(text)} are put in a row. How many different strings can appear?"])  # fmt: skip
    reference = 1  # choose the places of each letter in turn
    left = len(text)
    for count in counts.values():
        reference, left = reference * math.comb(left, count), left - count
    return Problem("combinatorics/word_arrangements", f"word_arrangements/{sorted(counts.values())}/{len(text)}/{text[0]}", level,
                   ask, steps, str(answer), str(reference))  # fmt: skip


def inclusion_exclusion(rng: random.Random, level: int) -> Problem:
    """Ask how many integers up to n are divisible by at least one of some numbers (level 2: by none)."""
    divisors = sorted(rng.sample((2, 3, 4, 5, 6, 7, 9, 10, 11, 13), 2 if level < 3 else 3))
    limit = rng.randint(50, 400 * level)
    total, steps = 0, []
    for size in range(1, len(divisors) + 1):
        pieces = []
        for chosen in itertools.combinations(divisors, size):
            common = math.lcm(*chosen)
            pieces.append(rf"\lfloor {limit}/{common} \rfloor = {limit // common}")
            total += (-1) ** (size + 1) * (limit // common)
        verb = ["Divisible by one of them", "Divisible by two (by their least common multiple), to subtract",
                "Divisible by all three, to add again"][size - 1]  # fmt: skip
        steps.append(f"{verb}: ${', '.join(pieces)}$.")
    steps.append(f"By inclusion and exclusion, ${total}$ are divisible by at least one.")
    if level == 2:
        steps.append(f"None divides the other ${limit} - {total} = {limit - total}$.")
        statement = f"How many integers from 1 to {limit} are divisible by none of {listed(divisors)}?"
        answer = limit - total
    else:
        statement = (
            f"How many integers from 1 to {limit} are divisible by at least one of {listed(divisors)}?"
        )
        answer = total
    hits = sum(any(n % d == 0 for d in divisors) for n in range(1, limit + 1))
    return Problem("combinatorics/inclusion_exclusion", f"inclusion_exclusion/{divisors}", level, statement, tuple(steps),
                   str(answer), str(limit - hits if level == 2 else hits))  # fmt: skip


def lattice_paths(rng: random.Random, level: int) -> Problem:
    """Ask for the number of shortest paths in a grid; at level 2 through a point, at level 3 avoiding it."""
    a, b = rng.randint(3, 4 + level), rng.randint(3, 4 + level)
    p, q = rng.randint(1, a - 1), rng.randint(1, b - 1)
    whole = math.comb(a + b, a)
    through = math.comb(p + q, p) * math.comb(a + b - p - q, a - p)
    city = rng.choice(["A courier drives", "A robot moves", "An ant walks", "A taxi goes"])
    statement = (
        f"{city} along grid lines from $(0, 0)$ to $({a}, {b})$, each step one unit to the right or up."
    )
    steps = [f"A path is an order of {a} steps right and {b} steps up: ${_binomial_steps(a + b, a)}$ in all."]
    answer = whole
    if level > 1:
        steps.append(
            f"Through $({p}, {q})$: $\\binom{{{p + q}}}{{{p}}} \\cdot \\binom{{{a + b - p - q}}}{{{a - p}}} = {through}$."
        )
        answer = through
    if level == 3:
        steps.append(f"The others avoid the point: ${whole} - {through} = {whole - through}$.")
        answer = whole - through
    statement += ["", f" It must pass $({p}, {q})$.", f" The crossing $({p}, {q})$ is closed."][level - 1]
    statement += rng.choice([" How many such paths are there?", " Count the possible paths."])
    avoiding = _count_paths(a, b, closed=(p, q))
    reference = [_count_paths(a, b), _count_paths(a, b) - avoiding, avoiding][level - 1]
    return Problem(
        "combinatorics/lattice_paths",
        f"lattice_paths/{a}/{b}",
        level,
        statement,
        tuple(steps),
        str(answer),
        str(reference),
    )


def _count_paths(a: int, b: int, closed: tuple[int, int] | None = None) -> int:
    """Count the paths by dynamic programming: each crossing is reached from the left or from below."""
    ways = {(0, 0): 1}
    for x, y in itertools.product(range(a + 1), range(b + 1)):
        if (x, y) == closed:
            ways[x, y] = 0
        elif (x, y) != (0, 0):
            ways[x, y] = ways.get((x - 1, y), 0) + ways.get((x, y - 1), 0)
    return ways[a, b]


def distributions(rng: random.Random, level: int) -> Problem:
    """Ask for the number of distributions of equal items (stars and bars); from level 2 with a minimum."""
    kinds, items = rng.randint(2, 2 + level), rng.randint(6, 8 + 4 * level)
    minimum = 0 if level == 1 else rng.randint(1, items // kinds)
    free = items - kinds * minimum
    answer = math.comb(free + kinds - 1, kinds - 1)
    thing, box = rng.choice(
        [("sweets", "children"), ("books", "shelves"), ("seeds", "pots"), ("votes", "candidates")]
    )
    steps = []
    if minimum:
        steps.append(
            rf"First give ${minimum}$ to each: ${items} - {kinds} \cdot {minimum} = {free}$ are left to distribute freely."
        )
    steps.append(f"Draw the ${free}$ as stars in a row and separate the {box} by ${kinds - 1}$ bars.")
    steps.append(
        f"The bars are chosen among ${free + kinds - 1}$ places: ${_binomial_steps(free + kinds - 1, kinds - 1)}$."
    )
    least = f" so that each has at least {minimum}" if minimum else ""
    statement = rng.choice([f"In how many ways can {items} equal {thing} be given to {kinds} {box}{least}?",
                            f"{items} identical {thing} are distributed over {kinds} different {box}{least}. How many outcomes are there?"])  # fmt: skip
    ways = [1] + [0] * items
    for _ in range(kinds):
        ways = [sum(ways[n - k] for k in range(minimum, n + 1)) for n in range(items + 1)]
    return Problem(
        "combinatorics/distributions",
        f"distributions/{items}/{kinds}",
        level,
        statement,
        tuple(steps),
        str(answer),
        str(ways[items]),
    )


def dice_probability(rng: random.Random, level: int) -> Problem:
    """Ask for the probability of a total of two dice with 4 to 12 faces."""
    first, second = rng.choice((4, 6, 8)), rng.choice((6, 8, 10, 12) if level > 1 else (4, 6))
    total = rng.randint(3, first + second - 1)
    at_least = level == 3
    rolls = [(x, total - x) for x in range(1, first + 1) if 1 <= total - x <= second]
    if at_least:
        count = sum(max(0, min(second, second - (total - x) + 1)) for x in range(1, first + 1))
        steps = [f"If the first die shows $x$, the second must show at least ${total} - x$.",
                 f"Over all $x$ from $1$ to ${first}$ this gives ${count}$ favourable rolls."]  # fmt: skip
    else:
        count = len(rolls)
        steps = [f"Favourable rolls: {', '.join(f'$({x}, {y})$' for x, y in rolls)}, that is ${count}$."]
    answer = Fraction(count, first * second)
    steps.append(rf"There are ${first} \cdot {second} = {first * second}$ equally likely rolls, so the probability is "
                 rf"$\frac{{{count}}}{{{first * second}}}$" + ("." if math.gcd(count, first * second) == 1 else f" $= {rational(answer)}$."))  # fmt: skip
    goal = f"at least {total}" if at_least else f"exactly {total}"
    ask = rng.choice([f"A fair die with {first} faces and one with {second} faces are rolled. What is the probability that the sum is {goal}?",
                      f"Two fair dice have {first} and {second} faces, numbered from 1. Find the probability of a total of {goal}."])  # fmt: skip
    hits = sum((x + y >= total) if at_least else (x + y == total)
               for x, y in itertools.product(range(1, first + 1), range(1, second + 1)))  # fmt: skip
    return Problem("combinatorics/dice_probability", f"dice_probability/{first}/{second}/{total}", level, ask, tuple(steps),
                   rational(answer), rf"\frac{{{hits}}}{{{first * second}}}")  # fmt: skip


def binomial_coefficient(rng: random.Random, level: int) -> Problem:
    """Ask for a coefficient of the expansion of (a x + b)^n."""
    n = rng.randint(3, 5 + level)
    k = rng.randint(1, n - 1)
    a, b = (1 if level == 1 else rng.randint(2, 2 + level)), rng.choice([-3, -2, -1, 1, 2, 3, 4])
    answer = math.comb(n, k) * a**k * b ** (n - k)
    inside = f"{'' if a == 1 else a}x {'-' if b < 0 else '+'} {abs(b)}"
    steps = (rf"The term with $x^{{{k}}}$ takes $x$ from ${k}$ of the ${n}$ factors: ${_binomial_steps(n, k)}$ choices.",
             rf"Each contributes ${a}^{{{k}}} \cdot ({b})^{{{n - k}}} = {a**k * b ** (n - k)}$.",
             rf"The coefficient is ${math.comb(n, k)} \cdot ({a**k * b ** (n - k)}) = {answer}$.")  # fmt: skip
    ask = rng.choice([f"Find the coefficient of $x^{{{k}}}$ in $({inside})^{{{n}}}$.",
                      f"What is the coefficient of $x^{{{k}}}$ when $({inside})^{{{n}}}$ is expanded?"])  # fmt: skip
    row = [1]
    for _ in range(n):
        row = [low * b + high * a for low, high in zip([*row, 0], [0, *row], strict=True)]
    return Problem(
        "combinatorics/binomial_coefficient",
        f"binomial_coefficient/{n}/{a}",
        level,
        ask,
        steps,
        str(answer),
        str(row[k]),
    )


def survey(rng: random.Random, level: int) -> Problem:
    """Ask for the size of a part of two overlapping groups; the level decides which part."""
    both, only_a, only_b, neither = (rng.randint(2, 20 * level) for _ in range(4))
    a, b, total = both + only_a, both + only_b, both + only_a + only_b + neither
    one, two = rng.sample(["chess", "football", "the violin", "swimming", "pottery", "Latin", "drawing"], 2)
    people = rng.choice(["pupils", "members", "workers", "students"])
    union = a + b - both
    if level == 1:
        statement = (
            f"Of {total} {people}, {a} do {one}, {b} do {two} and {both} do both. How many do neither?"
        )
        steps = [f"At least one: ${a} + {b} - {both} = {union}$, because those with both were counted twice.",
                 f"Neither: ${total} - {union} = {total - union}$."]  # fmt: skip
        answer, reference = total - union, neither
    else:
        statement = f"Of {total} {people}, {a} do {one}, {b} do {two} and {neither} do neither. "
        met = total - neither
        steps = [
            f"At least one: ${total} - {neither} = {met}$.",
            f"Counted together, ${a} + {b} = {a + b}$; the surplus ${a + b - met}$ do both.",
        ]
        answer, reference = a + b - met, both
        statement += "How many do both?" if level == 2 else f"How many do {one} but not {two}?"
        if level == 3:
            answer, reference = a - answer, only_a
            steps.append(f"Only {one}: ${a} - {a + b - met} = {answer}$.")
    return Problem(
        "combinatorics/survey", f"survey/{total}", level, statement, tuple(steps), str(answer), str(reference)
    )


FAMILIES: tuple[Family, ...] = (committee, word_arrangements, inclusion_exclusion, lattice_paths, distributions,
                                dice_probability, binomial_coefficient, survey)  # fmt: skip

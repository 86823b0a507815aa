# ruff: noqa: E501 - a statement or a step is one sentence and stays on one line
"""Problem families of small Python functions that select values, change them and combine them.

A problem states which function to write and has worked steps, code and tests. The expected results come from
a second implementation, not from the code in the solution. `flaw` is a pair of texts: replacing the first by
the second in the code plants a bug.
"""

import random
from collections.abc import Callable, Sequence

from synth.families.problem import CodeTest, Family, Problem


def code_problem(
    names: tuple[str, str], level: int, statement: str, steps: Sequence[str], code: str, flaw: tuple[str, str],
    cases: Sequence[tuple[object, ...]], reference: Callable[..., object],
) -> Problem:  # fmt: skip
    """Build a code problem. `names` are family and group; the function's name is taken from the code.

    Raises ValueError if the flaw's first text is not in the code.
    """
    if flaw[0] not in code:
        raise ValueError(f"{names[0]}: {flaw[0]!r} is not in the code")
    function = code.split("def ", 1)[1].split("(", 1)[0]
    tests = tuple(
        CodeTest(f"{function}({', '.join(map(repr, case))})", repr(reference(*case))) for case in cases
    )
    example = f" For example, `{tests[0].call}` is `{tests[0].expected}`."
    return Problem(f"python/{names[0]}", f"{names[0]}/{names[1]}", level, statement + example, tuple(steps), code=code,
                   flawed_code=code.replace(*flaw, 1), tests=tests)  # fmt: skip


def integers(rng: random.Random, length: int, low: int = -20, high: int = 40) -> list[int]:
    """Return a list of random integers."""
    return [rng.randint(low, high) for _ in range(length)]


def _selection(rng: random.Random) -> tuple[str, str, Callable[[int], bool]]:
    """Choose a condition on an integer n: in words, as code, and as a function written differently."""
    k, r = rng.randint(2, 6), rng.randint(-5, 15)
    return rng.choice([
        (f"are divisible by {k}", f"n % {k} == 0", lambda n: n // k * k == n),
        (f"leave remainder 1 on division by {k}", f"n % {k} == 1", lambda n: (n - 1) // k * k == n - 1),
        (f"are greater than {r}", f"n > {r}", lambda n: not n <= r),
        (f"are at most {r}", f"n <= {r}", lambda n: not n > r),
        ("are odd", "n % 2 == 1", lambda n: n & 1 == 1),
        ("are negative", "n < 0", lambda n: str(n).startswith("-")),
        (f"have an absolute value of at least {abs(r) + 1}", f"abs(n) >= {abs(r) + 1}", lambda n: max(n, -n) > abs(r)),
        (f"differ from {r}", f"n != {r}", lambda n: n < r or n > r),
    ])  # fmt: skip


def _change(rng: random.Random) -> tuple[str, str, Callable[[int], int]]:
    """Choose a change of an integer n: in words, as code, and as a function written differently."""
    k, r = rng.randint(2, 9), rng.randint(1, 12)
    return rng.choice([
        ("squared", "n * n", lambda n: n**2),
        (f"multiplied by {k}", f"{k} * n", lambda n: sum([n] * k)),
        (f"increased by {r}", f"n + {r}", lambda n: r - (-n)),
        (f"reduced modulo {k}", f"n % {k}", lambda n: n - n // k * k),
        ("negated", "-n", lambda n: 0 - n),
        (f"replaced by their distance from {r}", f"abs(n - {r})", lambda n: max(n - r, r - n)),
        (f"multiplied by {k} and then lowered by {r}", f"{k} * n - {r}", lambda n: k * (n - 1) + k - r),
    ])  # fmt: skip


def select_and_gather(rng: random.Random, level: int) -> Problem:
    """Ask for a function that selects numbers of a list, changes them (level 3) and combines them."""
    telling: list[int] = []
    while not telling:  # avoids pairs that always give 0, such as "divisible by 2", then "modulo 2"
        words, condition, keeps = _selection(rng)
        changed_words, changed, change = _change(rng)
        telling = [n for n in range(-30, 60) if keeps(n) and n and change(n)]
    name = rng.choice(["gather", "evaluate", "condense", "summarise", "tally", "collect"]) + rng.choice(
        ["_values", "_numbers", "_list", ""]
    )
    if level == 1:
        gatherings: list[tuple[str, str, Callable[[list[int]], object]]] = [
            ("how many there are", "len(chosen)", lambda chosen: sum(1 for _ in chosen))
        ]
    else:
        gatherings = [
            ("their sum", "sum(chosen)", lambda chosen: sum(reversed(chosen))),
            ("their largest, or 0 if there are none", "max(chosen, default=0)", lambda chosen: sorted(chosen)[-1] if chosen else 0),
            ("their smallest, or 0 if there are none", "min(chosen, default=0)", lambda chosen: sorted(chosen)[0] if chosen else 0),
            ("them in ascending order", "sorted(chosen)", lambda chosen: [x for i in range(len(chosen)) for x in [sorted(chosen)[i]]]),
            ("them in reverse order", "chosen[::-1]", lambda chosen: list(reversed(chosen))),
            ("the number of different ones", "len(set(chosen))", lambda chosen: len(dict.fromkeys(chosen))),
        ]  # fmt: skip
    goal, gathered, gather = rng.choice(gatherings)
    value = "n" if level < 3 else changed
    after = "" if level < 3 else f", {changed_words},"
    if rng.random() < 0.5:
        code = f"def {name}(numbers):\n    chosen = [{value} for n in numbers if {condition}]\n    return {gathered}\n"
    else:
        code = (f"def {name}(numbers):\n    chosen = []\n    for n in numbers:\n        if {condition}:\n"
                f"            chosen.append({value})\n    return {gathered}\n")  # fmt: skip
    open_words = rng.choice(
        ["Write a function", "Implement", "Define a Python function", "Complete the function"]
    )
    statement = f"{open_words} `{name}(numbers)` that takes the integers of a list that {words} and returns, for these{after} {goal}."
    steps = [f"One pass is enough: a number stays if `{condition}`.",
             *([f"Each one that stays is {changed_words}, that is `{changed}`."] if level == 3 else []),
             f"`{gathered}` then gives {goal}; the empty list needs no special case."]  # fmt: skip

    def reference(numbers: list[int]) -> object:
        chosen = [n for n in numbers if keeps(n)]
        return gather([change(n) for n in chosen] if level == 3 else chosen)

    cases: list[tuple[object, ...]] = [(integers(rng, rng.randint(8, 14)),) for _ in range(5)]
    return code_problem(("select_and_gather", f"{condition}/{gathered}"), level, statement, steps, code,
                        (f"if {condition}", f"if not ({condition})"), [*cases, ([rng.choice(telling)],), ([],)], reference)  # fmt: skip


_WORDS = ("river", "stone", "Anna", "level", "Quartz", "mill", "reason", "Oak", "north", "apple", "Ion", "umbrella", "kayak",
          "grain", "a", "Echo", "brass", "noon", "Idea", "tulip", "ox", "Wheel", "ember", "pulp")  # fmt: skip


def words_of_text(rng: random.Random, level: int) -> Problem:
    """Ask for a function that splits a text, keeps some words, changes them and joins them."""
    k, letter = rng.randint(2, 5), rng.choice("aeionr")
    conditions: list[tuple[str, str, Callable[[str], bool]]] = [
        (f"have more than {k} letters", f"len(word) > {k}", lambda w: sum(1 for _ in w) > k),
        (f"have at most {k} letters", f"len(word) <= {k}", lambda w: not w[k:]),
        (f"contain the letter `{letter}` (in either case)", f"'{letter}' in word.lower()", lambda w: letter in w or letter.upper() in w),
        ("begin with a capital letter", "word[0].isupper()", lambda w: w[0] != w[0].lower()),
        ("end in a vowel", "word[-1].lower() in 'aeiou'", lambda w: w.endswith(tuple("aeiouAEIOU"))),
        ("read the same backwards, case ignored", "word.lower() == word.lower()[::-1]",
         lambda w: all(x == y for x, y in zip(w.lower(), reversed(w.lower()), strict=True))),
    ]  # fmt: skip
    changes: list[tuple[str, str, Callable[[str], str]]] = [
        ("in upper case", "word.upper()", lambda w: "".join(c.upper() for c in w)),
        ("reversed", "word[::-1]", lambda w: "".join(reversed(w))),
        (f"cut to their first {k} letters", f"word[:{k}]", lambda w: "".join(c for i, c in enumerate(w) if i < k)),
        ("without their vowels", "''.join(c for c in word if c not in 'aeiouAEIOU')",
         lambda w: w.translate(str.maketrans("", "", "aeiouAEIOU"))),
        ("doubled", "word + word", lambda w: w * 2),
    ]  # fmt: skip
    words, condition, keeps = rng.choice(conditions)
    changed_words, changed, change = rng.choice(changes)
    mark = rng.choice(["-", " ", ", ", "/", "+"])
    value = "word" if level == 1 else changed
    source = "text.split()" if level < 3 else "sorted(text.split(), key=str.lower)"
    name = rng.choice(["pick_words", "join_words", "filter_text", "rewrite", "choose_words", "shorten_text"])
    code = f"def {name}(text):\n    kept = [{value} for word in {source} if {condition}]\n    return {mark!r}.join(kept)\n"
    statement = (f"{rng.choice(['Write', 'Implement', 'Define'])} `{name}(text)`: split `text` at white space, keep the words that {words}, "
                 f"and join them{'' if level == 1 else ', ' + changed_words + ','} with `{mark!r}` in "
                 f"{'their order' if level < 3 else 'alphabetical order of the whole words, case ignored'}.")  # fmt: skip
    steps = [f"`text.split()` gives the words; a word is kept if `{condition}`.",
             *([f"The words {changed_words}: `{changed}`."] if level > 1 else []),
             *(["Sort before changing the words, with `str.lower` as the key, since the order is that of the whole words."] if level == 3 else []),
             "No word kept means an empty list, which joins to the empty string."]  # fmt: skip

    def reference(text: str) -> str:
        chosen = [w for w in text.split() if keeps(w)]
        if level == 3:
            chosen = [w for _, _, w in sorted((w.lower(), i, w) for i, w in enumerate(chosen))]
        return mark.join(chosen if level == 1 else [change(w) for w in chosen])

    cases: list[tuple[object, ...]] = [(" ".join(rng.sample(_WORDS, rng.randint(7, 12))),) for _ in range(4)]
    return code_problem(("words_of_text", f"{condition}/{changed}"), level, statement, steps, code,
                        (f"if {condition}", f"if not ({condition})"), [*cases, ("",)], reference)  # fmt: skip


def digits(rng: random.Random, level: int) -> Problem:
    """Ask for a function that combines the digits of an integer in a base."""
    base = 10 if level == 1 else rng.randint(2, 9)
    gatherings: list[tuple[str, str, str, Callable[[list[int]], int]]] = [
        ("the sum of the digits", "0", "result + digit", lambda ds: sum(ds)),
        ("the sum of the squares of the digits", "0", "result + digit * digit", lambda ds: sum(d**2 for d in ds)),
        ("the largest digit", "0", "max(result, digit)", lambda ds: sorted(ds)[-1]),
        ("the number of digits that are not zero", "0", "result + (digit != 0)", lambda ds: sum(1 for d in ds if d)),
        ("the number that the reversed digits make in base 10", "0", "result * 10 + digit",
         lambda ds: int("".join(str(d) for d in ds))),
    ]  # fmt: skip
    goal, start, update, gather = rng.choice(gatherings)
    modulus = rng.randint(11, 97)
    last = f"result % {modulus}" if level == 3 else "result"
    name = rng.choice(["digit_value", "digits_of", "measure_digits", "scan_digits"])
    code = (f"def {name}(n):\n    result = {start}\n    while n > 0:\n        n, digit = divmod(n, {base})\n"
            f"        result = {update}\n    return {last}\n")  # fmt: skip
    rest = f", modulo {modulus}" if level == 3 else ""
    statement = (f"{rng.choice(['Write', 'Give', 'Implement'])} a function `{name}(n)` for a positive integer `n` that returns {goal} of `n` written in "
                 f"base {base}{rest}.")  # fmt: skip
    steps = [f"`divmod(n, {base})` splits off the last digit and leaves the rest.",
             f"Each digit updates the result: `{update}`, starting from {start}.", "The loop ends when nothing is left."]  # fmt: skip
    steps += [f"At the end the result is reduced modulo {modulus}."] * (level == 3)

    def reference(n: int) -> int:
        found = []  # from the last digit
        power = 1
        while power <= n:
            found.append(n // power % base)
            power *= base
        result = gather(found)
        return result % modulus if level == 3 else result

    cases = [(rng.randint(100, 10**6),) for _ in range(6)]
    return code_problem(("digits", f"{base}/{update}"), level, statement, steps, code, ("n > 0", f"n > {base}"),
                        [*cases, (1,), (base,)], reference)  # fmt: skip


def recurrence(rng: random.Random, level: int) -> Problem:
    """Ask for a linear recurrence of order two; from level 2 modulo m, at level 3 with a constant term."""
    a, b, p, q = rng.randint(0, 5), rng.randint(1, 6), rng.randint(1, 4), rng.choice([-3, -2, -1, 1, 2, 3])
    modulus = rng.randint(50, 997) if level > 1 else 0
    constant = rng.randint(1, 9) if level == 3 else 0
    right = f"{p} * {{0}} {'-' if q < 0 else '+'} {abs(q)} * {{1}}" + (f" + {constant}" if constant else "")
    rule = f"({right.format('b', 'a')}) % {modulus}" if modulus else right.format("b", "a")
    letter = rng.choice("fghust")
    name = f"term_{letter}"
    code = f"def {name}(n):\n    a, b = {a}, {b}\n    for _ in range(n):\n        a, b = b, {rule}\n    return a\n"
    statement = (f"A sequence begins with ${letter}_0 = {a}$, ${letter}_1 = {b}$, and for $n \\ge 2$ we have "
                 f"${letter}_n = {p} {letter}_{{n-1}} {'-' if q < 0 else '+'} {abs(q)} {letter}_{{n-2}}{f' + {constant}' if constant else ''}$"
                 f"{f', reduced modulo {modulus}' if modulus else ''}. "
                 f"{rng.choice(['Write', 'Implement'])} `{name}(n)` that returns the term with index `n` in linear time.")  # fmt: skip
    steps = ["Only two neighbouring terms are needed: keep them in `a` and `b`.",
             f"A step moves on by one index: `a` becomes `b`, and `b` becomes `{rule}`, both at once.",
             "After `n` steps `a` is the wanted term; for `n = 0` the loop does not run."]  # fmt: skip

    def reference(n: int) -> int:
        terms = [a, b]
        while len(terms) <= n:
            following = p * terms[-1] + q * terms[-2] + constant
            terms.append(following % modulus if modulus else following)
        return terms[n]

    cases = [(n,) for n in (0, 1, 2, 3, rng.randint(4, 9), rng.randint(10, 25))]
    return code_problem(
        ("recurrence", f"{p}/{q}"),
        level,
        statement,
        steps,
        code,
        (f"a, b = {a},", f"a, b = {a + 1},"),
        cases,
        reference,
    )


FAMILIES: tuple[Family, ...] = (select_and_gather, words_of_text, digits, recurrence)

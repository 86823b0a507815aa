# ruff: noqa: E501 - a statement or a step is one sentence and stays on one line
"""Problem families of algebra: linear and quadratic equations, systems, polynomials, series, inequalities."""

import random
from fractions import Fraction

from synth.families.latex import bracketed, linear, polynomial, rational, signed
from synth.families.problem import Family, Problem


def _nonzero(rng: random.Random, low: int, high: int) -> int:
    return rng.choice([n for n in range(low, high + 1) if n != 0])


def linear_equation(rng: random.Random, level: int) -> Problem:
    """Ask for the solution of a x + b = c x + d; level 3 has brackets and a fractional solution."""
    x = rng.choice("xyztnkw")
    a, b = _nonzero(rng, -9, 12), _nonzero(rng, -30, 30)
    c = 0 if level == 1 else rng.choice([n for n in range(-9, 10) if n not in (0, a)])
    solution = Fraction(rng.randint(-12, 12)) if level < 3 else Fraction(rng.randint(-20, 20), a - c)
    d = (a - c) * solution + b
    left, right = polynomial([a, b], x), polynomial([c, d], x)
    opening = []
    if level == 3:
        m = rng.randint(2, 6)
        left, c, d = rf"{m}({polynomial([a, b], x)})", m * c, m * d
        right = polynomial([c, d], x)
        opening = [f"Multiply out the bracket: ${polynomial([m * a, m * b], x)} = {right}$."]
        a, b = m * a, m * b
    steps = [*opening]
    if c:
        steps.append(f"{'Subtract' if c > 0 else 'Add'} ${polynomial([abs(c), 0], x)}$ on both sides: "
                     f"${polynomial([a - c, b], x)} = {rational(d)}$.")  # fmt: skip
    steps.append(
        f"{'Subtract' if b > 0 else 'Add'} ${abs(b)}$ on both sides: ${polynomial([a - c, 0], x)} = {rational(d - b)}$."
    )
    answer = Fraction(d - b, a - c)
    steps.append(f"Divide by ${a - c}$: ${x} = {rational(answer)}$.")
    ask = rng.choice(["Solve ${l} = {r}$ for ${x}$.", "Find ${x}$ if ${l} = {r}$.", "Which ${x}$ satisfies ${l} = {r}$?",
                      "For which value of ${x}$ does ${l} = {r}$ hold?"])  # fmt: skip
    statement = ask.replace("{l}", left).replace("{r}", right).replace("{x}", x)
    return Problem("algebra/linear_equation", f"linear_equation/{a - c}/{b}", level, statement, tuple(steps),
                   rational(answer), rational(solution))  # fmt: skip


def quadratic_equation(rng: random.Random, level: int) -> Problem:
    """Ask for both roots of a quadratic equation; at level 3 for one irrational root p ± sqrt(q)."""
    x = rng.choice("xyzt")
    if level == 3:
        p, q = rng.randint(-9, 9), rng.choice([n for n in range(2, 40) if int(n**0.5) ** 2 != n])
        b, c = -2 * p, p * p - q
        wanted, sign = rng.choice([("larger", "+"), ("smaller", "-")])
        steps = (rf"Complete the square: ${polynomial([1, b, c], x)} = ({polynomial([1, -p], x)})^2 - {q}$.",
                 rf"So $({polynomial([1, -p], x)})^2 = {q}$ and ${x} = {p} \pm \sqrt{{{q}}}$.",
                 rf"The {wanted} root takes the sign ${sign}$.")  # fmt: skip
        statement = f"Find the {wanted} root of ${polynomial([1, b, c], x)} = 0$ exactly."
        reference = rf"\frac{{{-b} {sign} \sqrt{{{b * b - 4 * c}}}}}{{2}}"
        return Problem("algebra/quadratic_equation", f"quadratic_equation/surd/{q}", level, statement, steps,
                       rf"{p} {sign} \sqrt{{{q}}}", reference)  # fmt: skip
    a = 1 if level == 1 else rng.choice((2, 3, 4, 5))
    r, s = rng.sample(range(-12, 13), 2)
    b, c = -a * (r + s), a * r * s
    discriminant = b * b - 4 * a * c
    root = int(discriminant**0.5)
    low, high = Fraction(-b - root, 2 * a), Fraction(-b + root, 2 * a)
    steps = (f"Here $a = {a}$, $b = {b}$, $c = {c}$.",
             rf"The discriminant is $b^2 - 4ac = {b * b} {signed(-4 * a * c)} = {discriminant} = {root}^2$.",
             rf"So ${x} = \frac{{{-b} \pm {root}}}{{{2 * a}}}$, that is ${x} = {rational(low)}$ or ${x} = {rational(high)}$.")  # fmt: skip
    equation = f"{polynomial([a, b, c], x)} = 0"
    ask = rng.choice([f"Solve ${equation}$.", f"Find both roots of the equation ${equation}$.",
                      f"Determine the set of all real ${x}$ with ${equation}$."])  # fmt: skip
    roots = sorted((r, s))
    return Problem("algebra/quadratic_equation", f"quadratic_equation/{a}/{min(r, s)}", level, ask, steps,
                   rf"\{{{rational(low)}, {rational(high)}\}}", rf"\{{{roots[0]}, {roots[1]}\}}")  # fmt: skip


def linear_system(rng: random.Random, level: int) -> Problem:
    """Ask for the solution of two linear equations, by elimination; at level 3 for a combination of it."""
    x, y = rng.choice([("x", "y"), ("a", "b"), ("p", "q"), ("u", "v"), ("m", "n")])
    size = 3 + 3 * level
    u, v = rng.randint(-size, size), rng.randint(-size, size)
    while True:
        a, b, c, d = (_nonzero(rng, -size, size) for _ in range(4))
        if a * d != b * c:
            break
    e, f = a * u + b * v, c * u + d * v
    determinant = a * d - b * c
    first, second = linear([(a, x), (b, y)]), linear([(c, x), (d, y)])
    x_value = Fraction(e * d - b * f, determinant)
    y_value = Fraction(e - a * x_value, b)
    steps = [f"Multiply the first equation by ${d}$ and the second by ${b}$, so that ${y}$ has the same coefficient.",
             f"Subtract: ${polynomial([determinant, 0], x)} = {e * d} {signed(-b * f)} = {e * d - b * f}$, so ${x} = {rational(x_value)}$.",
             rf"Put this into the first equation: ${polynomial([b, 0], y)} = {e} {signed(-a * x_value)} = {rational(e - a * x_value)}$, "
             f"so ${y} = {rational(y_value)}$."]  # fmt: skip
    system = f"${first} = {e}$ and ${second} = {f}$"
    group = f"linear_system/{a}/{b}"
    if level == 3:
        k = rng.randint(2, 5)
        answer = k * x_value + y_value
        steps.append(rf"Therefore ${linear([(k, x), (1, y)])} = {rational(answer)}$.")
        statement = (
            f"{rng.choice(['Given that', 'Suppose that'])} {system}, find ${linear([(k, x), (1, y)])}$."
        )
        return Problem("algebra/linear_system", group, level, statement, tuple(steps), rational(answer),
                       rf"{k} \cdot {bracketed(u)} + {bracketed(v)}")  # fmt: skip
    ask = rng.choice([f"Solve the system {system}. Give $({x}, {y})$.", f"Find the pair $({x}, {y})$ with {system}.",
                      f"Two lines have the equations {system}. At which point $({x}, {y})$ do they cross?"])  # fmt: skip
    return Problem("algebra/linear_system", group, level, ask, tuple(steps),
                   f"({rational(x_value)}, {rational(y_value)})", f"({u}, {v})")  # fmt: skip


def polynomial_value(rng: random.Random, level: int) -> Problem:
    """Ask for the value of a polynomial; the steps are Horner's scheme."""
    x, name = rng.choice("xtz"), rng.choice("fgpqh")
    coefficients = [_nonzero(rng, -6, 6), *(rng.randint(-9, 9) for _ in range(level + 1))]
    at = _nonzero(rng, -6, 7)
    value, steps = coefficients[0], [f"Use Horner's scheme, starting with ${coefficients[0]}$."]
    for coefficient in coefficients[1:]:
        steps.append(rf"${value} \cdot {bracketed(at)} {signed(coefficient)} = {value * at + coefficient}$.")
        value = value * at + coefficient
    ask = rng.choice([f"Let ${name}({x}) = POLY$. Find ${name}({at})$.", f"Evaluate $POLY$ at ${x} = {at}$.",
                      f"What is ${name}({at})$ if ${name}({x}) = POLY$?"])  # fmt: skip
    degree = len(coefficients) - 1
    reference = " + ".join(rf"({c}) \cdot ({at})^{{{degree - i}}}" for i, c in enumerate(coefficients))
    return Problem("algebra/polynomial_value", f"polynomial_value/{coefficients[0]}/{at}", level,
                   ask.replace("POLY", polynomial(coefficients, x)), tuple(steps), str(value), reference)  # fmt: skip


def expansion(rng: random.Random, level: int) -> Problem:
    """Ask for the expansion of a product of two or three linear factors."""
    x = rng.choice("xyz")
    factors = [(_nonzero(rng, 1, 1 + 2 * level), _nonzero(rng, -9, 9)) for _ in range(2 if level < 3 else 3)]
    product = [1]
    steps = []
    for index, (a, b) in enumerate(factors):
        previous = product
        product = [0] * (len(previous) + 1)
        for i, coefficient in enumerate(previous):
            product[i] += coefficient * a
            product[i + 1] += coefficient * b
        if index:
            steps.append(f"$({polynomial(previous, x)})({polynomial([a, b], x)})$: multiply each term by ${polynomial([a, 0], x)}$ "
                         f"and by ${b}$, and collect equal powers: ${polynomial(product, x)}$.")  # fmt: skip
    written = "".join(f"({polynomial(factor, x)})" for factor in factors)
    ask = rng.choice(["Expand", "Multiply out", "Write as a polynomial:", "Remove the brackets in"])
    return Problem("algebra/expansion", f"expansion/{factors[0]}", level, f"{ask} ${written}$.", tuple(steps),
                   polynomial(product, x), written)  # fmt: skip


def series_sum(rng: random.Random, level: int) -> Problem:
    """Ask for the sum of an arithmetic (levels 1 and 2) or geometric (level 3) progression."""
    first, count = _nonzero(rng, -9, 20), rng.randint(5, 12 * level)
    steps: tuple[str, ...]
    if level < 3:
        step = _nonzero(rng, -5, 9)
        last = first + (count - 1) * step
        total = Fraction(count * (first + last), 2)
        shown = ", ".join(str(first + i * step) for i in range(3))
        steps = (rf"The last term is ${first} {signed((count - 1) * step)} = {last}$.",
                 "First and last, second and last but one, and so on, all have the same sum.",
                 rf"So the total is $\frac{{{count} \cdot ({first} {signed(last)})}}{{2}} = {rational(total)}$.")  # fmt: skip
        kind, reference = "arithmetic", str(sum(first + i * step for i in range(count)))
    else:
        step, count = rng.choice((-3, -2, 2, 3, 4)), rng.randint(4, 9)
        total = Fraction(first * (step**count - 1), step - 1)
        shown = ", ".join(str(first * step**i) for i in range(3))
        steps = (rf"Each term is ${step}$ times the one before, so with the sum $S$: ${step} S - S = {first} \cdot ({bracketed(step)}^{{{count}}} - 1)$.",
                 rf"Here ${bracketed(step)}^{{{count}}} - 1 = {step**count - 1}$, and dividing by ${step - 1}$ gives $S = {rational(total)}$.")  # fmt: skip
        kind, reference = "geometric", str(sum(first * step**i for i in range(count)))
    statement = rng.choice([f"Find the sum of the first {count} terms of the {kind} sequence ${shown}, \\dots$",
                            f"An {kind} progression begins ${shown}$." if kind == "arithmetic" else
                            f"A {kind} progression begins ${shown}$."])  # fmt: skip
    if statement.endswith("."):
        statement += f" What do its first {count} terms add up to?"
    return Problem(
        "algebra/series_sum",
        f"series_sum/{kind}/{first}",
        level,
        statement,
        steps,
        rational(total),
        reference,
    )


def linear_inequality(rng: random.Random, level: int) -> Problem:
    """Ask for the smallest or largest integer that satisfies a linear inequality."""
    x = rng.choice("xnkm")
    a = _nonzero(rng, -9 if level > 1 else 2, 9)
    b, c = rng.randint(-30, 30), rng.randint(-60, 60)
    bound = Fraction(c - b, a)
    at_most = a > 0
    answer = bound.numerator // bound.denominator if at_most else -(-bound.numerator // bound.denominator)
    turn = "" if at_most else " The divisor is negative, so the sign turns."
    relation = r"\le" if at_most else r"\ge"
    steps = (rf"{'Subtract' if b >= 0 else 'Add'} ${abs(b)}$: ${polynomial([a, 0], x)} \le {c - b}$.",
             rf"Divide by ${a}$.{turn} So ${x} {relation} {rational(bound)}$.",
             f"The {'largest' if at_most else 'smallest'} such integer is ${answer}$.")  # fmt: skip
    statement = (f"{rng.choice(['Find', 'Determine', 'Name'])} the {'largest' if at_most else 'smallest'} integer ${x}$ with "
                 rf"${polynomial([a, b], x)} \le {c}$.")  # fmt: skip
    allowed = [n for n in range(-200, 201) if a * n + b <= c]
    reference = str(max(allowed) if at_most else min(allowed))
    return Problem(
        "algebra/linear_inequality",
        f"linear_inequality/{a}/{b}",
        level,
        statement,
        steps,
        str(answer),
        reference,
    )


def ages(rng: random.Random, level: int) -> Problem:
    """Ask for a person's age, in a word problem that leads to one linear equation."""
    name, other = rng.sample(
        ["Ana", "Boris", "Clara", "Dmitri", "Elif", "Felix", "Greta", "Hugo", "Ines", "Jonas"], 2
    )
    factor, years = rng.randint(2, 2 + level), rng.randint(2, 6 * level)
    young = rng.randint(3, 10 * level)
    old = factor * (young + years) - years
    difference = old - young
    answer = Fraction(difference - (factor - 1) * years, factor - 1)
    steps = (f"Let {other} be $x$ years old; then {name} is $x + {difference}$.",
             f"In {years} years: $x + {difference} + {years} = {factor}(x + {years})$.",
             f"This is $x + {difference + years} = {factor}x + {factor * years}$, hence ${polynomial([factor - 1, 0])} = {difference + years - factor * years}$.",
             f"Therefore $x = {rational(answer)}$.")  # fmt: skip
    times = {2: "twice", 3: "three times", 4: "four times", 5: "five times"}[factor]
    statement = (f"{name} is {difference} years older than {other}. In {years} years {name} will be {times} as old as {other}. "
                 f"{rng.choice([f'How old is {other} now?', f'Find the present age of {other}.'])}")  # fmt: skip
    return Problem(
        "algebra/ages", f"ages/{factor}/{years}", level, statement, steps, rational(answer), str(young)
    )


FAMILIES: tuple[Family, ...] = (linear_equation, quadratic_equation, linear_system, polynomial_value, expansion,
                                series_sum, linear_inequality, ages)  # fmt: skip

# ruff: noqa: E501 - a statement or a step is one sentence and stays on one line
"""Problem families of arithmetic: operations, fractions, percentages, ratios, rates, means, bases."""

import math
import random
from fractions import Fraction

from synth.families.latex import bracketed, listed, rational, signed
from synth.families.problem import Family, Problem

_NAMES = ("Aisha", "Bruno", "Chen", "Dalia", "Emil", "Farah", "Goran", "Hana", "Ivo", "Jun", "Kira", "Luis", "Mona",
          "Nils", "Oksana", "Priya", "Quentin", "Rosa", "Samir", "Tova")  # fmt: skip


def order_of_operations(rng: random.Random, level: int) -> Problem:
    """Ask for the value of an expression of integers with brackets, products and powers."""
    a, b, c = rng.randint(2, 12), rng.randint(3, 25), rng.randint(2, 25)
    d, e = rng.randint(2, 9), rng.randint(2, 40)
    inner = b - c
    product = a * inner
    expression = rf"{a} \cdot ({b} - {c})"
    steps = [
        f"Brackets first: ${b} - {c} = {inner}$.",
        rf"Then the product: ${a} \cdot {bracketed(inner)} = {product}$.",
    ]
    value = product
    if level >= 2:
        value = product + d * e
        expression += rf" + {d} \cdot {e}"
        steps.append(rf"The other product is ${d} \cdot {e} = {d * e}$, and ${product} + {d * e} = {value}$.")
    if level == 3:
        base, power = rng.randint(2, 6), rng.randint(2, 4)
        expression += rf" - {base}^{{{power}}}"
        steps.append(f"The power is ${base}^{{{power}}} = {base**power}$, which is subtracted last: ")
        steps[-1] += f"${value} - {base**power} = {value - base**power}$."
        value -= base**power
    ask = rng.choice(["Evaluate", "Compute the value of", "Work out", "Simplify to a single number:", "Find"])
    return Problem("arithmetic/order_of_operations", f"order_of_operations/{a}", level,
                   f"{ask} ${expression}$.", tuple(steps), str(value), expression)  # fmt: skip


def fraction_sum(rng: random.Random, level: int) -> Problem:
    """Ask for the sum of two to four fractions, by their least common denominator."""
    count = level + 1
    parts = [
        Fraction(rng.randint(1, 11), rng.choice((2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15))) for _ in range(count)
    ]
    signs = [1, *(rng.choice((1, -1)) for _ in parts[1:])]
    terms = [sign * part for sign, part in zip(signs, parts, strict=True)]
    expression = rational(terms[0]) + "".join(f" {signed(term)}" for term in terms[1:])
    common = math.lcm(*(term.denominator for term in terms))
    tops = [term.numerator * (common // term.denominator) for term in terms]
    total = sum(tops)
    shifted = rf"\frac{{{tops[0]}}}{{{common}}}" + "".join(
        rf" {'-' if top < 0 else '+'} \frac{{{abs(top)}}}{{{common}}}" for top in tops[1:]
    )
    answer = Fraction(total, common)
    steps = [f"The least common multiple of the denominators {listed(t.denominator for t in terms)} is ${common}$.",
             f"Written over it, the sum is ${shifted}$.",
             f"The numerators give ${total}$, so the sum is ${rational(Fraction(total, 1))}/{common}$"
             + (f", and cancelling ${math.gcd(total, common)}$ leaves ${rational(answer)}$."
                if math.gcd(total, common) > 1 else ", already in lowest terms.")]  # fmt: skip
    ask = rng.choice(
        ["Calculate", "Add up", "Write as a single reduced fraction:", "What is the exact value of"]
    )
    end = "?" if ask.startswith("What") else "."
    return Problem("arithmetic/fraction_sum", f"fraction_sum/{common}", level,
                   f"{ask} ${expression}${end}", tuple(steps), rational(answer), expression)  # fmt: skip


def percent_change(rng: random.Random, level: int) -> Problem:
    """Ask for a quantity after changes by percentages; at level 3 for the quantity before them."""
    thing, unit = rng.choice([("The price of a bicycle", "euros"), ("The population of a village", "people"),
                              ("The mass of a stockpile", "tonnes"), ("The number of visitors of a museum", "visitors"),
                              ("The output of a mill", "sacks a day"), ("A reservoir's content", "megalitres")])  # fmt: skip
    start = 100 * rng.randint(2, 90)
    changes = [
        rng.choice((-50, -40, -25, -20, -10, 10, 20, 25, 30, 40, 50, 60)) for _ in range(min(level, 2))
    ]
    value = Fraction(start)
    steps, spoken = [], []
    for change in changes:
        factor = 1 + Fraction(change, 100)
        spoken.append(f"{'rises' if change > 0 else 'falls'} by {abs(change)}%")
        steps.append(f"To change by ${change}\\%$ is to multiply by ${rational(factor)}$: "
                     rf"${rational(value)} \cdot {rational(factor)} = {rational(value * factor)}$.")  # fmt: skip
        value *= factor
    factors = [1 + Fraction(change, 100) for change in changes]
    group = f"percent_change/{changes[0]}"
    if level < 3:
        statement = f"{thing} is {start} {unit}. It {' and then '.join(spoken)}. What is it now?"
        reference = rational(start) + "".join(rf" \cdot {rational(factor)}" for factor in factors)
        return Problem(
            "arithmetic/percent_change", group, level, statement, tuple(steps), rational(value), reference
        )
    back = Fraction(value)
    undo = [
        f"Let the first value be $v$. The changes multiply it by {' and then '.join(f'${rational(f)}$' for f in factors)}."
    ]
    for factor in reversed(factors):
        undo.append(
            rf"Undo a factor: ${rational(back)} \div {rational(factor)} = {rational(back / factor)}$."
        )
        back /= factor
    statement = (f"{thing} {' and then '.join(spoken)}, and is now ${rational(value)}$ {unit}. "
                 f"{rng.choice(['What was it at first?', 'Find the value before the two changes.'])}")  # fmt: skip
    return Problem(
        "arithmetic/percent_change", group, level, statement, tuple(undo), rational(back), str(start)
    )


def ratio_split(rng: random.Random, level: int) -> Problem:
    """Ask for a share of a total that is divided in a given ratio; at level 3 for a difference of shares."""
    names = rng.sample(_NAMES, 2 if level == 1 else 3)
    shares = [rng.randint(1, 4 + 3 * level) for _ in names]
    unit = rng.randint(3, 15 * level)
    total = unit * sum(shares)
    goods = rng.choice(["stamps", "marbles", "tokens", "hectares of land", "kilograms of rice", "coins"])
    who = rng.randrange(len(names))
    ratio = " : ".join(str(share) for share in shares)
    people = f"{', '.join(names[:-1])} and {names[-1]}"
    steps = [f"The ratio has ${' + '.join(map(str, shares))} = {sum(shares)}$ parts.",
             rf"One part is ${total} \div {sum(shares)} = {unit}$."]  # fmt: skip
    if level == 3:
        other = rng.choice([i for i in range(len(names)) if i != who])
        answer = abs(shares[who] - shares[other]) * unit
        question = f"By how many do the shares of {names[who]} and {names[other]} differ?"
        steps.append(
            f"The difference in parts is ${abs(shares[who] - shares[other])}$, so the shares differ by ${answer}$."
        )
        reference = rf"\frac{{{total} \cdot {abs(shares[who] - shares[other])}}}{{{sum(shares)}}}"
    else:
        answer = shares[who] * unit
        question = f"How many does {names[who]} get?"
        steps.append(
            rf"The share of {names[who]} counts ${shares[who]}$ times that: ${shares[who]} \cdot {unit} = {answer}$."
        )
        reference = rf"\frac{{{total} \cdot {shares[who]}}}{{{sum(shares)}}}"
    statement = f"{people} divide {total} {goods} among themselves in the ratio ${ratio}$. {question}"
    return Problem("arithmetic/ratio_split", f"ratio_split/{sum(shares)}", level, statement, tuple(steps),
                   str(answer), reference)  # fmt: skip


def closing_speed(rng: random.Random, level: int) -> Problem:
    """Ask when two movers meet; at level 3 when one catches the other."""
    u, v = rng.randint(10, 60), rng.randint(61, 120)
    hours = Fraction(rng.randint(1, 12), rng.choice((1, 1, 2, 4)) if level > 1 else 1)
    chase = level == 3
    speed = v - u if chase else u + v
    distance = speed * hours
    mover = rng.choice(["train", "lorry", "ship", "cyclist on a fast road", "bus", "drone"])
    if chase:
        statement = (f"A {mover} moving at {u} km/h has a lead of ${rational(distance)}$ km over another that follows it at "
                     f"{v} km/h. After how many hours is it caught?")  # fmt: skip
    else:
        statement = (f"Two towns are ${rational(distance)}$ km apart. From one a {mover} leaves at {u} km/h, from the other, at "
                     f"the same moment and towards it, another at {v} km/h. After how many hours do they meet?")  # fmt: skip
    operator = "-" if chase else "+"
    first, second = (v, u) if chase else (u, v)
    steps = (f"The gap {'shrinks' if chase else 'closes'} at ${first} {operator} {second} = {speed}$ km/h.",
             rf"The time is distance over speed: ${rational(distance)} \div {speed} = {rational(hours)}$ hours.")  # fmt: skip
    reference = rf"\frac{{{rational(distance)}}}{{{first} {operator} {second}}}"
    return Problem(
        "arithmetic/closing_speed", f"closing_speed/{u}", level, statement, steps, rational(hours), reference
    )


def joint_work(rng: random.Random, level: int) -> Problem:
    """Ask how long two or three workers need together; their rates of work add up."""
    times = rng.sample(range(2, 8 + 8 * level), 2 if level < 3 else 3)
    job = rng.choice(
        ["fill a cistern", "paint a hall", "print an edition", "plough a field", "sort the archive"]
    )
    workers = rng.choice(["pumps", "crews", "machines", "teams"])
    rates = [Fraction(1, time) for time in times]
    total = sum(rates, Fraction(0))
    alone = f"{', '.join(str(t) for t in times[:-1])} and {times[-1]}"
    number = {2: "Two", 3: "Three"}[len(times)]
    statement = (f"{number} {workers} need {alone} hours respectively to {job}, each working alone. "
                 f"{rng.choice(['How long do they need together?', 'How many hours does it take if all work at once?'])}")  # fmt: skip
    steps = (f"In one hour they do {listed(rational(rate) for rate in rates)} of the work.",
             f"Together this is ${' + '.join(rational(rate) for rate in rates)} = {rational(total)}$ an hour.",
             f"So the time is the reciprocal, ${rational(1 / total)}$ hours.")  # fmt: skip
    reference = rf"\frac{{1}}{{{' + '.join(rational(rate) for rate in rates)}}}"
    return Problem(
        "arithmetic/joint_work",
        f"joint_work/{min(times)}",
        level,
        statement,
        steps,
        rational(1 / total),
        reference,
    )


def missing_value(rng: random.Random, level: int) -> Problem:
    """Ask for the missing value, given the mean and all other values."""
    known = [rng.randint(5, 40 * level) for _ in range(level + 2)]
    mean = rng.randint(10, 40 * level)
    count = len(known) + 1
    missing = mean * count - sum(known)
    things = rng.choice(
        ["test scores", "daily temperatures", "measured lengths", "monthly sales", "integers"]
    )
    statement = (f"The mean of {count} {things} is ${mean}$. All but one are known: {listed(known)}. "
                 f"{rng.choice(['What is the missing one?', 'Find the last one.', 'Determine the unknown value.'])}")  # fmt: skip
    steps = (rf"A mean of ${mean}$ over ${count}$ values means a total of ${count} \cdot {mean} = {count * mean}$.",
             f"The known ones add up to ${' + '.join(map(str, known))} = {sum(known)}$.",
             f"The missing value is ${count * mean} - {sum(known)} = {missing}$.")  # fmt: skip
    reference = rf"{count} \cdot {mean} - ({' + '.join(map(str, known))})"
    return Problem(
        "arithmetic/missing_value", f"missing_value/{mean}", level, statement, steps, str(missing), reference
    )


def base_conversion(rng: random.Random, level: int) -> Problem:
    """Ask for a number in another base; the steps are repeated divisions."""
    base = rng.choice((2, 3, 5) if level == 1 else (3, 4, 5, 6, 7, 8, 9))
    number = rng.randint(10, 10 ** (level + 1))
    steps, digits, rest = [], "", number
    while rest:
        quotient, digit = divmod(rest, base)
        steps.append(
            rf"${rest} = {base} \cdot {quotient} + {digit}$, so the next digit from the right is ${digit}$."
        )
        digits, rest = str(digit) + digits, quotient
    steps.append(f"Read from the last division to the first, the digits are ${digits}$.")
    powers = " + ".join(rf"{d} \cdot {base}^{{{len(digits) - 1 - i}}}" for i, d in enumerate(digits))
    steps.append(f"Check: ${powers} = {number}$.")
    ask = rng.choice(["Write {n} in base {b}.", "What is the base-{b} representation of {n}?",
                      "Convert {n} from decimal to base {b}."])  # fmt: skip
    statement = ask.format(n=number, b=base) + " Give the digits only."
    power = max(k for k in range(32) if base**k <= number)
    greedy = []
    for k in range(power, -1, -1):  # unlike the steps, from the largest power down
        greedy.append(str(number // base**k))
        number %= base**k
    return Problem("arithmetic/base_conversion", f"base_conversion/{base}/{len(digits)}", level, statement,
                   tuple(steps), digits, "".join(greedy))  # fmt: skip


FAMILIES: tuple[Family, ...] = (order_of_operations, fraction_sum, percent_change, ratio_split, closing_speed,
                                joint_work, missing_value, base_conversion)  # fmt: skip

# ruff: noqa: E501 - a statement or a step is one sentence and stays on one line
"""Problem families of number theory: divisors, primes, congruences, modular powers."""

import math
import random

from synth.families.latex import factorised, listed
from synth.families.problem import Family, Problem

_SMALL_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


def _factorise(number: int) -> tuple[list[tuple[int, int]], list[str]]:
    """Return the prime powers of a number, and the trial divisions that find them as steps."""
    powers, steps, rest, prime = [], [], number, 2
    while prime * prime <= rest:
        exponent = 0
        while rest % prime == 0:
            rest //= prime
            exponent += 1
        if exponent:
            powers.append((prime, exponent))
            steps.append(
                f"Divide by ${prime}$ as often as it goes, {exponent} time{'s' * (exponent > 1)}; ${rest}$ is left."
            )
        prime += 1
    if rest > 1:
        powers.append((rest, 1))
        steps.append(f"What is left, ${rest}$, is prime: no prime up to its root divides it.")
    return powers, steps


def _composite(rng: random.Random, level: int) -> int:
    number = 1
    for _ in range(level + 2):
        number *= rng.choice(_SMALL_PRIMES[: 3 + 2 * level])
    return number


def greatest_common_divisor(rng: random.Random, level: int) -> Problem:
    """Ask for the greatest common divisor of two numbers; the steps are Euclid's algorithm."""
    common = rng.randint(2, 30 * level)
    a, b = (common * rng.randint(5, 40 * level) for _ in range(2))
    big, small, steps = max(a, b), min(a, b), []
    while small:
        quotient, rest = divmod(big, small)
        steps.append(rf"${big} = {quotient} \cdot {small} + {rest}$.")
        big, small = small, rest
    steps.append(f"The last divisor with no remainder is ${big}$.")
    ask = rng.choice([f"Find the greatest common divisor of {a} and {b}.", rf"Compute $\gcd({a}, {b})$ with Euclid's algorithm.",
                      f"What is the largest integer that divides both {a} and {b}?",
                      f"A floor of {a} cm by {b} cm is laid with equal square tiles, none cut. What is the largest side of a tile, in cm?"])  # fmt: skip
    reference = next(d for d in range(min(a, b), 0, -1) if a % d == 0 and b % d == 0)
    return Problem("number_theory/gcd", f"gcd/{common}", level, ask, tuple(steps), str(big), str(reference))


def least_common_multiple(rng: random.Random, level: int) -> Problem:
    """Ask for the least common multiple of two or three numbers, by their prime powers."""
    numbers = sorted(rng.sample(range(4, 20 + 20 * level), min(level + 1, 3)))
    best: dict[int, int] = {}
    steps = []
    for number in numbers:
        powers, _ = _factorise(number)
        steps.append(f"${number} = {factorised(powers)}$.")
        for prime, exponent in powers:
            best[prime] = max(best.get(prime, 0), exponent)
    answer = math.prod(prime**exponent for prime, exponent in best.items())
    steps.append(f"Take the highest power of every prime: ${factorised(sorted(best.items()))} = {answer}$.")
    ask = rng.choice([f"Find the least common multiple of {listed(numbers)}.",
                      f"Lamps blink every {', '.join(map(str, numbers[:-1]))} and {numbers[-1]} seconds. They blink together now. "
                      "After how many seconds do they next do so?",
                      f"What is the smallest positive integer divisible by {listed(numbers)}?"])  # fmt: skip
    reference = next(
        m for m in range(numbers[-1], answer + 1, numbers[-1]) if all(m % n == 0 for n in numbers)
    )
    return Problem(
        "number_theory/lcm", f"lcm/{numbers[0]}", level, ask, tuple(steps), str(answer), str(reference)
    )


def modular_power(rng: random.Random, level: int) -> Problem:
    """Ask for a power modulo a number; the steps are repeated squarings."""
    base, modulus = rng.randint(2, 9 + 6 * level), rng.randint(5, 40 * level)
    exponent = rng.randint(5, 12 * 4**level)
    bits = bin(exponent)[2:]
    value = 1
    steps = [
        f"In binary the exponent is ${bits}_2$. Start with $1$; for each bit square, and for a $1$ also multiply by ${base}$."
    ]
    for bit in bits:
        squared = value * value % modulus
        text = rf"Bit ${bit}$: ${value}^2 \equiv {squared}$"
        value = squared * base % modulus if bit == "1" else squared
        steps.append(text + (rf", times ${base}$ gives ${value}$." if bit == "1" else "."))
    ask = rng.choice([rf"Find the remainder of ${base}^{{{exponent}}}$ on division by {modulus}.",
                      rf"Compute ${base}^{{{exponent}}} \bmod {modulus}$.",
                      rf"What remainder does ${base}^{{{exponent}}}$ leave when divided by {modulus}?"])  # fmt: skip
    reference = 1
    for _ in range(exponent):
        reference = reference * base % modulus
    return Problem(
        "number_theory/modular_power",
        f"modular_power/{modulus}",
        level,
        ask,
        tuple(steps),
        str(value),
        str(reference),
    )


def prime_factorisation(rng: random.Random, level: int) -> Problem:
    """Ask for the largest prime factor of a number, by trial division."""
    number = _composite(rng, level)
    powers, steps = _factorise(number)
    answer = powers[-1][0]
    steps.append(f"So ${number} = {factorised(powers)}$, and the largest prime factor is ${answer}$.")
    ask = rng.choice([f"What is the largest prime factor of {number}?", f"Factorise {number} and name its greatest prime divisor.",
                      f"Find the largest prime that divides {number}."])  # fmt: skip
    reference = max(p for p in range(2, 100) if number % p == 0 and all(p % q for q in range(2, p)))
    return Problem("number_theory/prime_factorisation", f"prime_factorisation/{powers}", level, ask, tuple(steps),
                   str(answer), str(reference))  # fmt: skip


def divisor_count(rng: random.Random, level: int) -> Problem:
    """Ask for the number (levels 1 and 2) or the sum (level 3) of a number's divisors."""
    number = _composite(rng, min(level, 2)) * rng.choice((1, 2, 3))
    powers, steps = _factorise(number)
    steps.append(f"So ${number} = {factorised(powers)}$.")
    divisors = [d for d in range(1, number + 1) if number % d == 0] if number < 200_000 else []
    if level == 3:
        answer = math.prod((p ** (e + 1) - 1) // (p - 1) for p, e in powers)
        product = r" \cdot ".join("(" + " + ".join(str(p**k) for k in range(e + 1)) + ")" for p, e in powers)
        steps.append(f"Every divisor takes one power of each prime, so their sum is ${product} = {answer}$.")
        ask = f"Find the sum of all positive divisors of {number}."
        reference = sum(divisors)
    else:
        answer = math.prod(e + 1 for _, e in powers)
        product = r" \cdot ".join(f"({e} + 1)" for _, e in powers)
        steps.append(
            f"A divisor chooses an exponent for each prime, from $0$ up, which gives ${product} = {answer}$ choices."
        )
        ask = rng.choice([f"How many positive divisors does {number} have?", f"Count the divisors of {number}.",
                          f"In how many ways can {number} unit squares be laid as one full rectangle, a turned one counted apart?"])  # fmt: skip
        reference = len(divisors)
    return Problem(
        "number_theory/divisors", f"divisors/{powers}", level, ask, tuple(steps), str(answer), str(reference)
    )


def linear_congruence(rng: random.Random, level: int) -> Problem:
    """Ask for the solution of a x = b (mod m) with invertible a; the steps are extended Euclid."""
    modulus = rng.randint(7, 40 * level)
    a = rng.choice([n for n in range(2, modulus) if math.gcd(n, modulus) == 1])
    b = rng.randint(1, modulus - 1)
    steps, rows = [], [(modulus, 0), (a, 1)]
    while rows[-1][0] != 1:
        (r0, s0), (r1, s1) = rows[-2:]
        quotient = r0 // r1
        rows.append((r0 - quotient * r1, s0 - quotient * s1))
        steps.append(
            rf"${r0} - {quotient} \cdot {r1} = {rows[-1][0]}$, which is ${rows[-1][1]} \cdot {a}$ modulo ${modulus}$."
        )
    inverse = rows[-1][1] % modulus
    steps.append(
        rf"So the inverse of ${a}$ is ${inverse}$: ${a} \cdot {inverse} = {a * inverse} \equiv 1 \pmod{{{modulus}}}$."
    )
    answer = inverse * b % modulus
    steps.append(
        rf"Multiply both sides by it: $x \equiv {inverse} \cdot {b} = {inverse * b} \equiv {answer} \pmod{{{modulus}}}$."
    )
    ask = rng.choice([rf"Find the least non-negative $x$ with ${a}x \equiv {b} \pmod{{{modulus}}}$.",
                      rf"Solve ${a}x \equiv {b} \pmod{{{modulus}}}$ for $0 \le x < {modulus}$.",
                      f"A wheel has {modulus} teeth and moves {a} teeth at each click. After how many clicks (fewer than {modulus}) "
                      f"is it, for the first time, {b} teeth past its start?"])  # fmt: skip
    reference = next(x for x in range(modulus) if (a * x - b) % modulus == 0)
    return Problem(
        "number_theory/linear_congruence",
        f"linear_congruence/{modulus}",
        level,
        ask,
        tuple(steps),
        str(answer),
        str(reference),
    )


def chinese_remainder(rng: random.Random, level: int) -> Problem:
    """Ask for the least number that satisfies two or three congruences, by listing candidates."""
    moduli = rng.sample([3, 4, 5, 7, 11, 13, 17, 19][: 4 + level], 2 if level < 3 else 3)
    remainders = [rng.randrange(m) for m in moduli]
    value, step, steps = remainders[0], moduli[0], []
    for m, r in zip(moduli[1:], remainders[1:], strict=True):
        start, tries = value, 0
        while value % m != r:
            value += step
            tries += 1
        steps.append(f"The numbers so far are ${start} + {step}k$. They leave remainder ${r}$ on division by ${m}$ first at "
                     f"$k = {tries}$: ${value}$.")  # fmt: skip
        step *= m
    steps.append(f"All solutions repeat every ${step}$, so the least one is ${value}$.")
    facts = " and ".join(f"remainder {r} on division by {m}" for m, r in zip(moduli, remainders, strict=True))
    rows = " and ".join(
        f"when seated in rows of {m}, {r} are left over" for m, r in zip(moduli, remainders, strict=True)
    )
    ask = rng.choice([f"Find the least non-negative integer that leaves {facts}.",
                      f"Guests are counted: {rows}. What is the least possible number of guests, zero allowed?"])  # fmt: skip
    reference = next(
        n
        for n in range(math.prod(moduli))
        if all(n % m == r for m, r in zip(moduli, remainders, strict=True))
    )
    return Problem("number_theory/chinese_remainder", f"chinese_remainder/{sorted(moduli)}", level, ask, tuple(steps),
                   str(value), str(reference))  # fmt: skip


def totient(rng: random.Random, level: int) -> Problem:
    """Ask for Euler's function of a number, by its prime powers."""
    number = rng.randint(12, 200 * level)
    powers, steps = _factorise(number)
    answer = math.prod(p ** (e - 1) * (p - 1) for p, e in powers)
    product = r" \cdot ".join(rf"\left(1 - \frac{{1}}{{{p}}}\right)" for p, _ in powers)
    steps.append(
        rf"So ${number} = {factorised(powers)}$ and $\varphi({number}) = {number} \cdot {product} = {answer}$."
    )
    ask = rng.choice([f"How many integers from 1 to {number} have no common factor with {number} except 1?",
                      rf"Compute Euler's function $\varphi({number})$.",
                      rf"How many of the fractions $\frac{{1}}{{{number}}}, \frac{{2}}{{{number}}}, \dots, \frac{{{number}}}{{{number}}}$ "
                      "are in lowest terms?"])  # fmt: skip
    reference = sum(math.gcd(n, number) == 1 for n in range(1, number + 1))
    return Problem(
        "number_theory/totient", f"totient/{powers}", level, ask, tuple(steps), str(answer), str(reference)
    )


def smallest_divisor(rng: random.Random, level: int) -> Problem:
    """Ask for the smallest divisor of a number without small factors, by trial division."""
    primes = [p for p in range(7, 20 + 25 * level) if all(p % q for q in range(2, p))]
    p, q = sorted((rng.choice(primes), rng.choice(primes)))
    number = p * q
    tried = [r for r in range(2, p) if all(r % s for s in range(2, r))]
    steps = [
        f"${number} = {r} \\cdot {number // r} + {number % r}$, so ${r}$ does not divide it." for r in tried
    ]
    steps.append(rf"${number} = {p} \cdot {q}$, so ${p}$ does, and it is the smallest divisor above $1$.")
    ask = rng.choice([f"Show that {number} is not prime by finding its smallest divisor greater than 1.",
                      f"What is the smallest prime factor of {number}?", f"Find the least divisor of {number} other than 1."])  # fmt: skip
    reference = next(d for d in range(2, number + 1) if number % d == 0)
    return Problem(
        "number_theory/smallest_divisor",
        f"smallest_divisor/{p}",
        level,
        ask,
        tuple(steps),
        str(p),
        str(reference),
    )


FAMILIES: tuple[Family, ...] = (greatest_common_divisor, least_common_multiple, modular_power, prime_factorisation,
                                divisor_count, linear_congruence, chinese_remainder, totient, smallest_divisor)  # fmt: skip

"""The child process of verify_math.py: reads one JSON pair per line and prints one verdict per line.

Only LaTeX is parsed, never plain expressions, because sympy's parser for those executes them as Python.
"""

import json
import logging
import os
import resource
import sys


def main() -> None:
    """Compare pairs until the input ends.

    Arguments: memory limit in bytes, seconds per parse or comparison.
    """
    max_memory_bytes, timeout_s = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not mix with the verdicts
    from math_verify.errors import TimeoutException  # slow: about a second, paid once per child

    logging.disable(logging.CRITICAL)  # math-verify logs whole inputs
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        pair = json.loads(line)
        try:
            verdict = compare(pair["reference"], pair["answer"], timeout_s)
        except (TimeoutException, MemoryError):
            verdict = "timeout"
        except (
            Exception
        ) as error:  # sympy raises many kinds of errors on odd input; each means "cannot be compared"
            verdict = "timeout" if "Timeout" in type(error).__name__ else "unparsed"
        print(verdict, file=answers, flush=True)


# Our choice: no problem asks for a rounded answer, so the tolerance only covers rounding in the comparison.
# With math-verify's default of 6 decimals, 0.0000001 equals 0.0000002, and 3.14159265 equals pi.
FLOAT_DECIMALS = 12


def compare(reference: str, answer: str, timeout_s: int) -> str:
    """Return `equal`, `different` or `unparsed`. Errors of parsing and comparing are not caught."""
    if ("%" in reference) != ("%" in answer):
        return "unparsed"  # math-verify treats 5\\% as equal to both 5 and 0.05
    from math_verify import LatexExtractionConfig, parse, verify

    targets = [LatexExtractionConfig(boxed_match_priority=0)]
    expressions = [
        parse(
            rf"\boxed{{{text}}}",
            targets,
            fallback_mode="no_fallback",
            parsing_timeout=timeout_s,
            raise_on_error=True,
        )
        for text in (reference, answer)
    ]
    if not all(expressions):
        return "unparsed"
    is_equal = verify(
        *expressions, float_rounding=FLOAT_DECIMALS, timeout_seconds=timeout_s, raise_on_error=True
    )
    return "equal" if is_equal else "different"


if __name__ == "__main__":
    main()

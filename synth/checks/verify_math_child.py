"""The child process of verify_math: reads one JSON pair a line, answers one JSON verdict a line.

Only LaTeX is parsed, never plain expressions, because sympy's parser of those executes them.
"""

import json
import logging
import os
import resource
import sys


def main() -> None:
    """Serve until the input ends. Arguments: memory limit in bytes, seconds for one comparison."""
    max_memory_bytes, timeout_s = int(sys.argv[1]), int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
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
        ) as error:  # sympy raises dozens of kinds on odd input; each means "cannot be compared"
            verdict = "timeout" if "Timeout" in type(error).__name__ else "unparsed"
        print(verdict, file=answers, flush=True)


# Ours: no problem asks for a rounded answer, so little more than the rounding of the comparison is forgiven;
# math-verify's own 6 decimals take 0.0000001 for 0.0000002 and 3.14159265 for pi.
FLOAT_DECIMALS = 12


def compare(reference: str, answer: str, timeout_s: int) -> str:
    """equal, different or unparsed. Raises whatever parsing and comparing raise."""
    if ("%" in reference) != ("%" in answer):
        return "unparsed"  # math-verify takes 5\\% for 5 and for 0.05
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

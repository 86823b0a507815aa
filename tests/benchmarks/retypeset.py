r"""The same problem as another site would typeset it: `\frac{1}{2}` as 1/2, (1)/(2), ½ or MathML, etc."""

import random
import re

_PLAIN = (
    (r"\\left|\\right|\\displaystyle|\\,|\\!|\\;|\\quad", ""),
    (r"\\(?:text|mathrm|textbf|mbox)\{([^{}]*)\}", r"\1"),
    (r"\{,\}", ","),
    (r"\\cdot", "·"),
    (r"\\times", "×"),
    (r"\\leq?\b", "≤"),
    (r"\\geq?\b", "≥"),
    (r"\\pi\b", "π"),
    (r"\\theta\b", "θ"),
    (r"\\alpha\b", "α"),
    (r"\\infty\b", "∞"),
    (r"\\pm\b", "±"),
    (r"\\ldots|\\cdots|\\dots", "..."),
    (r"\\circ\b", "°"),
)
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}|\\[dt]?frac(\d)(\d)")
_ROOT = re.compile(r"\\sqrt\{([^{}]*)\}")


def retypeset(text: str, rng: random.Random) -> str:
    """One of three styles (plain with symbols, MathML, other delimiters), with other line breaks."""
    style = rng.choice(("plain", "mathml", "delimiters"))
    if style != "delimiters":
        for pattern, replacement in _PLAIN:
            text = re.sub(pattern, replacement, text)
        for _ in range(3):  # nested ones from the inside out
            text = _FRACTION.sub(_mathml_fraction if style == "mathml" else _plain_fraction, text)
            text = _ROOT.sub(r"<msqrt>\1</msqrt>" if style == "mathml" else r"√(\1)", text)
        text = re.sub(r"\^\{?2\}?(?!\d)", "²", text)
        text = (
            re.sub(r"\^\{([^{}]*)\}", r"^(\1)", text).replace("$", "").replace("\\[", "").replace("\\]", "")
        )
    else:
        text = text.replace("\\frac", "\\dfrac").replace("\\ ", " ")
        text = re.sub(r"\$([^$]+)\$", r"\\(\1\\)", text)
    return re.sub(r"\s+", lambda _: rng.choice((" ", " ", "\n", "  ")), text)


def _plain_fraction(match: re.Match[str]) -> str:
    top, bottom = match.group(1) or match.group(3), match.group(2) or match.group(4)
    return f"{top}/{bottom}" if len(top) == len(bottom) == 1 else f"({top})/({bottom})"


def _mathml_fraction(match: re.Match[str]) -> str:
    top, bottom = match.group(1) or match.group(3), match.group(2) or match.group(4)
    return f"<mfrac><mn>{top}</mn><mn>{bottom}</mn></mfrac>"

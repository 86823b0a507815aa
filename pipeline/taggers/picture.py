"""Draw card.svg from card.json: reliability of the three scores, and confusion of domains, document split.

The SVG is written as text, so that the same card gives the same bytes and no plotting library is needed.
"""

from html import escape
from typing import Any

from filters import taggers

SIZE = 260
"""Side of a reliability plot in pixels."""
GAP = 60
CELL = 26


def card_picture(card: dict[str, Any]) -> str:
    """Return the SVG text: three reliability plots above the confusion matrix."""
    measured = card["agreement"]["document"]
    width = 3 * (SIZE + GAP) + GAP
    height = SIZE + 3 * GAP + CELL * len(card["domains"]) + 2 * GAP
    parts = [_reliability(name, measured[name], number) for number, name in enumerate(taggers.DIMENSIONS)]
    parts.append(_confusion(card["domains"], measured["domain"]))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _reliability(name: str, figures: dict[str, Any], number: int) -> str:
    left, top = GAP + number * (SIZE + GAP), GAP

    def at(score: float, label: float) -> str:
        return f"{left + score * SIZE:.1f},{top + (1 - label) * SIZE:.1f}"

    points = [at(score, label) for score, label, _ in figures["reliability"]]
    title = f"{name}: kappa {figures['kappa']:.2f}"
    lines = [
        f'<text x="{left}" y="{top - 10}">{escape(title)}</text>',
        f'<rect x="{left}" y="{top}" width="{SIZE}" height="{SIZE}" fill="none" stroke="grey"/>',
        f'<polyline points="{at(0, 0)} {at(1, 1)}" fill="none" stroke="grey" stroke-dasharray="4"/>',
        f'<polyline points="{" ".join(points)}" fill="none" stroke="#06c" stroke-width="2"/>',
        f'<text x="{left}" y="{top + SIZE + 14}">across: mean score, up: mean label / 5</text>',
    ]
    marks = (point.split(",") for point in points)
    return "\n".join(lines + [f'<circle cx="{x}" cy="{y}" r="3" fill="#06c"/>' for x, y in marks])


def _confusion(domains: list[str], figures: dict[str, Any]) -> str:
    left, top = 2 * GAP, SIZE + 3 * GAP
    lines = [
        f'<text x="{left}" y="{top - GAP}">domain, kappa {figures["kappa"]:.2f}: '
        "given (rows), predicted (columns); colour: share of the row</text>"
    ]
    for row, (given, counts) in enumerate(zip(domains, figures["confusion"], strict=True)):
        y = top + row * CELL
        lines.append(f'<text x="{left - 4}" y="{y + 17}" text-anchor="end">{escape(given)}</text>')
        x = left + row * CELL
        lines.append(f'<text transform="translate({x + 17},{top - 4}) rotate(-45)">{escape(given)}</text>')
        for column, count in enumerate(counts):
            share = count / max(1, sum(counts))
            x = left + column * CELL
            lines.append(
                f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="#06c" '
                f'fill-opacity="{share:.2f}" stroke="#ddd"/>'
            )
            if count:
                lines.append(f'<text x="{x + CELL / 2}" y="{y + 17}" text-anchor="middle">{count}</text>')
    return "\n".join(lines)

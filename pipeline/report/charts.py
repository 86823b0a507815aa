"""Draw charts as inline SVG strings, without scripts or external files; the page's style sheet colours them.

Every chart takes plain numbers and draws a bounded number of marks, so its size does not grow with the run.
<title> elements hold the values, which browsers show as tooltips and screen readers read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.report.render_document import escape

MAX_POINTS = 400  # Our choice: about one point per two pixels of the chart's width


@dataclass(frozen=True)
class Segment:
    """One part of a bar; `style` is a class of the style sheet."""

    label: str
    value: float
    style: str


def bar(segments: Sequence[Segment], total: float, height: int = 18) -> str:
    """Draw a horizontal stacked bar, whose full width represents `total`."""
    marks = []
    left = 0.0
    for segment in segments:
        width = 100.0 * segment.value / total if total else 0.0
        title = f"{segment.label}: {number(segment.value)} ({percent(segment.value, total)})"
        marks.append(
            f'<rect class="{segment.style}" x="{left:.3f}%" y="0" width="{width:.3f}%" height="{height}">'
            f"<title>{escape(title)}</title></rect>"
        )
        # Our choice: a letter inside a bar is 6.5 pixels wide, and the narrowest bar about 300 pixels.
        if height >= 14 and width >= 2.2 * len(segment.label) + 1:
            marks.append(
                f'<text class="inside" x="{left + 0.7:.3f}%" y="{height - 5}">{escape(segment.label)}</text>'
            )
        left += width
    return f'<svg class="bar" width="100%" height="{height}" role="img">{"".join(marks)}</svg>'


def histogram(bins: np.ndarray, mean: float, label: str, style: str) -> str:
    """Draw counts in equal bins of [0, 1] as columns, scaled to the largest, with a line at the mean."""
    width, height = 200, 44
    step = width / len(bins)
    tallest = max(int(bins.max()), 1)
    marks = []
    for index, count in enumerate(bins):
        size = (height - 4) * int(count) / tallest
        if count:
            title = f"{label} {index / len(bins):.2f} to {(index + 1) / len(bins):.2f}: {int(count):,}"
            marks.append(
                f'<rect class="{style}" x="{index * step + 0.5:.2f}" y="{height - size:.2f}" '
                f'width="{step - 1:.2f}" height="{max(size, 0.8):.2f}"><title>{escape(title)}</title></rect>'
            )
    at = width * min(max(mean, 0.0), 1.0)
    marks.append(f'<line class="axis" x1="0" x2="{width}" y1="{height}" y2="{height}"/>')
    marks.append(f'<line class="mean" x1="{at:.2f}" x2="{at:.2f}" y1="0" y2="{height}"/>')
    box = f"0 0 {width} {height + 1}"
    return (
        f'<svg class="histogram" viewBox="{box}" preserveAspectRatio="none" role="img">{"".join(marks)}</svg>'
    )


@dataclass(frozen=True)
class Curve:
    """The values of one line, per number of tokens seen; NaN where nothing was logged."""

    label: str
    values: np.ndarray
    style: str


_WIDTH, _LEFT, _RIGHT, _TOP, _BOTTOM = 900, 62, 26, 22, 26


def lines(
    tokens: np.ndarray,
    curves: Sequence[Curve],
    boundaries: Mapping[str, float],
    unit: str,
    height: int = 300,
    from_zero: bool = False,
) -> str:
    """Draw curves over `tokens`; `boundaries` maps each stage's name to the token at which it starts."""
    values = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves] or [np.zeros(1)])
    if not len(values):
        values = np.zeros(1)
    low = 0.0 if from_zero else float(values.min())
    y_ticks = ticks(low, float(values.max()), 5)
    x_ticks = ticks(0.0, float(tokens.max()) if len(tokens) else 1.0, 6)
    right = max(float(tokens.max()) if len(tokens) else 1.0, 1.0)
    top, bottom = max(y_ticks[-1], float(values.max())), min(y_ticks[0], low)

    def x_of(value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * value / right

    def y_of(value: float) -> float:
        return _TOP + (height - _TOP - _BOTTOM) * (1 - (value - bottom) / ((top - bottom) or 1.0))

    marks = []
    for value in y_ticks:
        y = y_of(value)
        marks.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        marks.append(f'<text class="tick end" x="{_LEFT - 7}" y="{y + 4:.1f}">{value:.6g}</text>')
    for value in (value for value in x_ticks if value <= right):
        marks.append(
            f'<text class="tick middle" x="{x_of(value):.1f}" y="{height - 8}">{number(value)}</text>'
        )
    for name, start in boundaries.items():
        x = x_of(start)
        marks.append(
            f'<line class="boundary" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{height - _BOTTOM}"/>'
            f'<text class="tick" x="{x + 5:.1f}" y="{_TOP - 9}">{escape(name)}</text>'
        )
    for curve in curves:
        marks += _path(tokens, curve, x_of, y_of)
    marks.append(f'<text class="tick end" x="{_LEFT - 7}" y="{_TOP - 9}">{escape(unit)}</text>')
    return f'<svg class="lines" viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(marks)}</svg>'


def _path(tokens: np.ndarray, curve: Curve, x_of: object, y_of: object) -> list[str]:
    kept = np.isfinite(curve.values)
    x, y = thin(tokens[kept], curve.values[kept])
    if not len(x):
        return []
    points = " ".join(f"{x_of(a):.1f},{y_of(b):.1f}" for a, b in zip(x, y, strict=True))  # type: ignore[operator]
    title = f"{curve.label}: first {curve.values[kept][0]:.4g}, last {curve.values[kept][-1]:.4g}"
    return [f'<polyline class="{curve.style}" points="{points}"><title>{escape(title)}</title></polyline>']


def thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reduce a curve to at most MAX_POINTS points: the first, the last, and means of groups of neighbours."""
    if len(x) <= MAX_POINTS:
        return x, y
    runs_x, runs_y = (np.array_split(values[1:-1], MAX_POINTS - 2) for values in (x, y))
    middle_x, middle_y = ([float(run.mean()) for run in runs] for runs in (runs_x, runs_y))
    return np.array([x[0], *middle_x, x[-1]]), np.array([y[0], *middle_y, y[-1]])


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten) whose range covers [low, high]."""
    spread = (high - low) or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(spread / wanted))
    step = next(step * power for step in (1, 2, 5, 10) if spread / (step * power) <= wanted)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def number(value: float) -> str:
    """Format a count for readers: 950, 12.3k, 4.56M, 7.89B, 1.23T."""
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2f}"


def percent(value: float, total: float) -> str:
    """Format a share of `total` in percent; `0.0 %` and `100.0 %` mean exactly none and exactly all."""
    share = 100.0 * value / total if total else 0.0
    if 0 < share < 0.1:
        return "<0.1 %"
    if 99.9 < share < 100:
        return ">99.9 %"
    return f"{share:.1f} %"

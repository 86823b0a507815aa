"""The report's sections about the model: loss curves, learning rate, stages and held-out scores."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.inspection.summary import LOSSES, Training, read_training
from pipeline.report.charts import Curve, Segment, bar, lines
from pipeline.report.render_document import escape

_RATE = "train/learning_rate"
_SHOWN = (("train/mtp_loss_weight", "MTP loss weight"), ("train/batch_tokens", "tokens per step"))

_METRICS = {
    "bits_per_byte": "loss of the main head on the text; lower is better",
    "main_accuracy": "fraction of positions where the main head's most probable token is the next token",
    "mtp_accuracy": "fraction of positions where the draft is the token after the next",
    "agreement": "fraction of positions where the draft equals the main head's most probable token",
    "sampling_overlap": "expected acceptance of a sampled draft on the text: mean sum of min(p, q)",
    "greedy_acceptance": "as agreement, on the model's own greedy continuations",
    "sampled_acceptance": "fraction of drafts accepted when tokens are sampled at temperature 1",
}


def curves(root: str, summary: Mapping) -> str:
    """Show main and MTP loss over tokens, the learning rate below, and the start of each stage."""
    training = read_training(root)
    if training is None:
        return ""
    starts = training.stage_starts()
    drawn = [
        Curve(label, training.series[key], style)
        for key, label, style in zip(LOSSES, ("main loss", "MTP loss"), ("main", "mtp"), strict=True)
        if key in training.series
    ]
    keys = "".join(
        f'<span class="key"><i class="{curve.style}"></i>{escape(curve.label)}</span>' for curve in drawn
    )
    parts = [f"<p>{keys}</p>", lines(training.tokens_seen, drawn, starts, "nats")]
    if _RATE in training.series:
        rate = Curve("learning rate", training.series[_RATE], "rate")
        parts.append('<p><span class="key"><i class="rate"></i>learning rate</span></p>')
        parts.append(lines(training.tokens_seen, [rate], starts, "", height=150, from_zero=True))
    parts.append("<p class='quiet'>Horizontal axis: tokens seen since the start of training.</p>")
    parts.append(_stage_table(training))
    return "".join(parts)


def _stage_table(training: Training) -> str:
    extra = [(key, label) for key, label in _SHOWN if key in training.series]
    head = "<tr><th>stage</th><th class='num'>steps</th><th class='num'>tokens seen at the end</th>"
    head += "<th class='num'>main loss, first → last</th><th class='num'>MTP loss, first → last</th>"
    head += "".join(f"<th class='num'>{escape(label)}, last</th>" for _, label in extra) + "</tr>"
    rows = []
    for stage in np.unique(training.stage):
        of_stage = training.stage == stage
        cells = [f"{int(of_stage.sum()):,}", f"{int(training.tokens_seen[of_stage][-1]):,}"]
        for key in LOSSES:
            values = training.series.get(key, np.array([np.nan] * len(of_stage)))[of_stage]
            values = values[np.isfinite(values)]
            cells.append(f"{values[0]:.4f} → {values[-1]:.4f}" if len(values) else "")
        cells += [f"{training.series[key][of_stage][-1]:,.6g}" for key, _ in extra]
        rows.append(
            f"<tr><td>{stage}</td>" + "".join(f"<td class='num'>{cell}</td>" for cell in cells) + "</tr>"
        )
    return f"<table>{head}{''.join(rows)}</table>"


def evaluation(root: str, summary: Mapping) -> str:
    """Show the held-out scores, one column per stage, and then the speed-up by drafts."""
    stages = summary["evaluation"]
    found = {(metric, group) for groups in stages.values() for group in groups for metric in groups[group]}
    if not found:
        return ""
    groups = list(dict.fromkeys(group for of_stage in stages.values() for group in of_stage))
    head = "".join(f"<th class='num'>{escape(stage)}</th>" for stage in stages)
    rows = []
    for metric, meaning in _METRICS.items():
        for group in (group for group in groups if (metric, group) in found):
            values = {stage: of_stage.get(group, {}).get(metric) for stage, of_stage in stages.items()}
            cells = "".join(
                f"<td class='num'>{'' if value is None else f'{value:.3f}'}</td>" for value in values.values()
            )
            name = f"<td title='{escape(meaning)}'>{escape(metric.replace('_', ' '))}, {escape(group)}</td>"
            rows.append(f"<tr>{name}{cells}<td class='third'>{_steps(values)}</td></tr>")
    keys = "; ".join(
        f"<b>{escape(name.replace('_', ' '))}</b>: {escape(text)}" for name, text in _METRICS.items()
    )
    return (
        f"<p class='quiet'>{keys}.</p>"
        f"<table><tr><th>held-out text</th>{head}<th>stages compared</th></tr>{''.join(rows)}</table>"
        f"{_served_table(summary['served'])}"
    )


def _served_table(served: Mapping[str, Mapping[str, Sequence[Mapping]]]) -> str:
    """Show acceptance and speed-up by drafts: one row per model, held-out group and decoding setting."""
    rows = [
        f"<tr><td>{escape(who)}</td><td>{escape(group)}</td>{_served_cells(one)}</tr>"
        for who, groups in served.items()
        for group, ways in groups.items()
        for one in ways
    ]
    names = ("drafts per pass", "acceptance per position", "tokens per pass", "cost of a draft, in passes")
    names += ("modelled speed-up", "measured speed-up", "tokens per second", "repeated 4-grams")
    head = "<th>MTP layers</th><th>held-out prompts</th><th>decoding</th>"
    head += "".join(f"<th class='num'>{name}</th>" for name in names)
    note = (
        "One text is decoded at a time, on the machine of the evaluation. Speed-ups compare with decoding "
        "without drafts: modelled from tokens per pass and the cost of a draft, or measured in tokens per "
        "second."
    )
    return f"<p class='quiet'>{note}</p><table><tr>{head}</tr>{''.join(rows)}</table>" if rows else ""


def _served_cells(one: Mapping) -> str:
    rates = " ".join("-" if value is None else f"{value:.3f}" for value in one["acceptance"])
    names = ("acceptance_length", "draft_cost", "modelled_speedup", "measured_speedup")
    cells = [str(one["num_drafts"]), rates, *(f"{one[name]:.2f}" for name in names)]
    cells += [f"{one['tokens_per_second']:,.0f}", f"{one['repeat_fraction']:.2f}"]
    decoding = "sampled" if one["temperature"] else "greedy"
    return f"<td>{decoding}</td>" + "".join(f"<td class='num'>{cell}</td>" for cell in cells)


def _steps(values: Mapping[str, float | None]) -> str:
    """Draw one thin bar per stage, scaled to the largest value."""
    largest = max((value for value in values.values() if value is not None), default=0.0)
    return "".join(
        f"<div class='step'>{bar([Segment(stage, value, 'main')], largest, 6)}</div>"
        for stage, value in values.items()
        if value is not None and largest > 0
    )

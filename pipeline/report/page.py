"""The report's page: head, navigation, the most important figures, then the sections.

The page contains no script, and its Content-Security-Policy forbids scripts and all loading of files. Even if
the text of a document reached the page unescaped, a browser would not execute it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.report import data_sections, samples, training_sections
from pipeline.report.charts import number, percent
from pipeline.report.render_document import escape
from pipeline.report.style import STYLE, classes

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Section:
    """One section of the page."""

    anchor: str
    heading: str
    write: Callable[[str, Mapping], str]
    """Returns the section's HTML for (root, summary); '' if the run has no data for it."""
    remedy: str
    """The command that produces the data of an empty section."""


_SECTIONS = (
    Section("flow", "Documents and tokens, stage by stage", data_sections.flow, "make ingest"),
    Section("scores", "Scores by domain", data_sections.scores, "make score"),
    Section("mixture", "Mixture of each training stage", data_sections.mixture, "make plan"),
    Section("training", "Training", training_sections.curves, "make stage1 stage2 stage3"),
    Section("evaluation", "Evaluation", training_sections.evaluation, "make evaluate"),
    Section("kept", "Samples of kept documents", samples.kept, "make score"),
    Section("rejected", "Samples of rejected documents", samples.rejected, "make ingest"),
)


def page(root: str, summary: Mapping) -> str:
    """Return the complete HTML document for the run at `root`, whose numbers are in `summary`."""
    name = escape(root.rstrip("/").rpartition("/")[2] or root)
    links = "".join(f'<a href="#{part.anchor}">{escape(part.anchor)}</a>' for part in _SECTIONS)
    body = "".join(_section(part, root, summary) for part in _SECTIONS)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Reasonmill: {name}</title>\n<style>{STYLE}{classes()}</style></head>\n<body>\n"
        f'<header><h1>Run {name}</h1><span class="quiet">{escape(root)}</span>{_tiles(summary)}'
        f"{_missing(summary['missing'])}</header>\n<nav><div>{links}</div></nav>\n<main>{body}</main>\n"
        "</body></html>\n"
    )


def _section(part: Section, root: str, summary: Mapping) -> str:
    body = part.write(root, summary)
    if not body:
        body = f'<p class="missing">Nothing yet: run <code>{escape(part.remedy)}</code>.</p>'
    return f'<section id="{part.anchor}"><h2>{escape(part.heading)}</h2>{body}</section>\n'


def _tiles(summary: Mapping) -> str:
    """Return the run's most important figures, at most six."""
    tiles = []
    tables = summary["tables"]
    if tables:
        first, last = next(iter(tables.values())), tables.get("scored") or list(tables.values())[-1]
        tiles.append((number(first["in"]), "records read"))
        tiles.append((number(last["out"]), f"documents kept ({percent(last['out'], first['in'])})"))
    if summary["tokens"]["train"]:
        tiles.append((number(summary["tokens"]["train"]), "training tokens (each counted once)"))
    training = summary["training"]
    if training:
        tiles.append((number(training["tokens_seen"]), f"tokens trained in {training['steps']:,} steps"))
    for key, label in (("train/loss_nats", "main loss, nats"), ("train/mtp_loss_nats", "MTP loss, nats")):
        if key in training:
            tiles.append((f"{training[key]['first']:.2f} → {training[key]['last']:.2f}", label))
    shown = "".join(f'<div class="tile"><b>{escape(a)}</b><span>{escape(b)}</span></div>' for a, b in tiles)
    return f'<div class="tiles">{shown}</div>' if tiles else ""


def _missing(missing: Mapping[str, str]) -> str:
    if not missing:
        return ""
    parts = ", ".join(f"{escape(what)} (<code>{escape(target)}</code>)" for what, target in missing.items())
    return f'<p class="missing">This run is not finished. Not there yet: {parts}.</p>'

"""The report's sections with sample documents: kept documents per domain, rejected ones per reason."""

from collections.abc import Mapping

from configs import tables
from configs.contract import DOMAINS, SCORES
from pipeline.inspection.run_tables import TABLES, sample_by
from pipeline.report.render_document import escape, render_document

# Our choice: samples that a person can read in full, and a page below 2 MB for a run of any size.
_PER_DOMAIN, _PER_REASON, _MAX_CHARS, _MAX_PARTS = 2, 2, 1_200, 16


def kept(root: str, summary: Mapping) -> str:
    """Show documents of each domain from `scored` and `synthetic`, with their scores."""
    parts = []
    for table in ("scored", "synthetic"):
        if table not in summary["tables"]:
            continue
        samples = sample_by(root, table, "domain", _PER_DOMAIN, max_parts=_MAX_PARTS)
        for domain in (domain for domain in DOMAINS if domain in samples):  # mathematics and code first
            shown = "".join(_document(row, str(row["text"])) for row in samples[domain])
            parts.append(
                f"<details{_open(parts)}><summary><b>{escape(domain)}</b>, {table}</summary>{shown}</details>"
            )
    return "".join(parts)


def rejected(root: str, summary: Mapping) -> str:
    """Show documents of each table and reject reason, with their measurements."""
    parts = []
    for table in TABLES:
        if table not in summary["tables"] or tables.read_manifest(root, f"{table}_rejects") is None:
            continue
        samples = sample_by(root, f"{table}_rejects", "reject_reason", _PER_REASON, max_parts=_MAX_PARTS)
        for reason, rows in samples.items():
            shown = "".join(_document(row, str(row["excerpt"] or "")) for row in rows)
            parts.append(
                f"<details{_open(parts)}><summary><b>{escape(reason)}</b>, {table}</summary>{shown}</details>"
            )
    return "".join(parts)


def _open(before: list[str]) -> str:
    return " open" if len(before) < 2 else ""


def _document(row: Mapping[str, object], text: str) -> str:
    names = ("url", "title", "kind", "source", "engine", "language", "licence", "token_count", *SCORES)
    names += ("detail", "duplicate_of", "teacher", "verdict", "measurements")
    facts = [f"<b>{escape(str(row['doc_id']))}</b>"]
    for name in names:
        value = row.get(name)
        if value is not None and value != "":
            shown = f"{value:.2f}" if isinstance(value, float) else str(value)[:300]
            facts.append(f"{escape(name.replace('_', ' '))} {escape(shown)}")
    body = render_document(text, _MAX_CHARS)
    body = f'<div class="text">{body}</div>' if text else "<span class='quiet'>no text was extracted</span>"
    return f'<div class="sample"><div class="facts">{" · ".join(facts)}</div>{body}</div>'

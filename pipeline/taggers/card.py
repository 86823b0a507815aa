"""CARD.md from card.json: what a student is and how far it agrees with the labels."""

from typing import Any

Card = dict[str, Any]
"""card.json as train_taggers or train_encoder writes it."""

_SPLITS = {
    "source": "no source on both sides (web pages: no page): kinds of text never seen",
    "document": "no document on both sides: kinds of text that were seen",
}
_STUDENTS = {
    "fasttext": (
        "Four fastText models over words, with marks for code and math: the domain, and three",
        "dimensions of 0 to 5.",
    ),
    "encoder": (
        "A fine-tuned BERT encoder over windows of the document, with the TextStats measurements:",
        "the domain, and three dimensions of 0 to 5.",
    ),
}


def card_markdown(card: Card) -> str:
    """The card for readers; every figure is one of card.json."""
    models = card["models"].values()
    lines = [
        "# Taggers",
        "",
        *_STUDENTS[card["student"]],
        "A score is the expected label over 5, on a scale where rounding 5 x score gives every label as",
        "often as the annotators did.",
        "",
        f"- labels: {card['labels']['num_documents']:,} documents, blake2b `{card['labels']['hash']}`;"
        " texts of at most 6,000 characters, mostly English",
        f"- pseudo-labels: {_pseudo_labels(card)}",
        f"- size: {sum(model['bytes'] for model in models):,} bytes",
        "- use: weights of a mixture over many documents. Not for judging a single one, nor other languages",
        "- contents: single words and signs, each of several documents; no text",
    ]
    for split, measured in card["agreement"].items():
        lines += ["", f"## {card['num_folds']}-fold cross-validation, {_SPLITS[split]}", ""]
        lines += [
            "| model | kappa | 95 % | of the plain expectation | AUC at label >= 1, 2, 3, 4, 5 (95 %) |"
        ]
        lines += ["|---|---|---|---|---|"]
        lines += [_row(name, figures) for name, figures in measured.items()]
    lines += [
        "",
        "Kappa is Cohen's for the domain, quadratic of round(5 x score) for the others, each fold scaled",
        "by cuts fitted to the other folds. Intervals resample whole sources or documents.",
        "",
        "![Reliability and confusion in the document split](card.svg)",
        "",
        *_reliability(card),
        *_confusion(card),
    ]
    return "\n".join(lines)


def _pseudo_labels(card: Card) -> str:
    number = card.get("num_pseudo_labels", 0)
    return (
        f"{number:,} by the encoder; every fold used those of a teacher that did not see it"
        if number
        else "none"
    )


def _row(name: str, figures: Card) -> str:
    cuts = ", ".join(f"{cut['auc']:.2f} {_interval(cut)}" for cut in figures.get("cuts", {}).values())
    plain = figures.get("unscaled")
    graded = f"{plain['kappa']:.3f} {_interval(plain)}" if plain else "-"
    return f"| {name} | {figures['kappa']:.3f} | {_interval(figures)} | {graded} | {cuts or '-'} |"


def _interval(figures: Card) -> str:
    bounds = figures["interval"]
    return f"({bounds[0]:.2f}-{bounds[1]:.2f})" if bounds else "(too few)"


def _reliability(card: Card) -> list[str]:
    lines = ["## Reliability, document split: mean score -> mean label / 5, bins of equal size", ""]
    for name, figures in card["agreement"]["document"].items():
        if "reliability" in figures:
            points = ", ".join(f"{score:.2f} -> {label:.2f}" for score, label, _ in figures["reliability"])
            lines.append(f"- {name}: {points}")
    return [*lines, ""]


def _confusion(card: Card) -> list[str]:
    domains = card["domains"]
    rows = card["agreement"]["document"]["domain"]["confusion"]
    lines = ["## Domains, document split: given (rows) by predicted (columns)", ""]
    lines += ["| | " + " | ".join(domains) + " |", "|---" * (len(domains) + 1) + "|"]
    for domain, counts in zip(domains, rows, strict=True):
        lines.append(f"| {domain} | " + " | ".join(map(str, counts)) + " |")
    return [*lines, ""]

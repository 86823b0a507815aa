"""CARD.md from card.json: what the shipped taggers are and how far they agree with the labels."""

from typing import Any

Card = dict[str, Any]
"""card.json as train_taggers writes it."""

_SPLITS = {
    "source": "no source on both sides (web pages: no page)",
    "group": "no collection within a source on both sides (newsgroup, file, page)",
}


def card_markdown(card: Card) -> str:
    """The card for readers; every figure is one of card.json."""
    models = card["models"].values()
    lines = [
        "# Taggers",
        "",
        "Four fastText classifiers over words, with marks for code and math: the domain, and three",
        "dimensions of 0 to 5 whose expected label over 5 is the score.",
        "Written by `pipeline.train_taggers`; do not edit.",
        "",
        f"- labels: {card['labels']['num_documents']:,} documents, blake2b `{card['labels']['hash']}`;"
        " texts of at most 6,000 characters, mostly English",
        f"- size: {sum(model['bytes'] for model in models):,} bytes, quantised",
        "- use: weights of a mixture over many documents. Not for judging a single one, nor other languages",
        "- contents: single words of the labelled texts, each seen several times; no text",
    ]
    for split, measured in card["agreement"].items():
        lines += ["", f"## {card['num_folds']}-fold cross-validation, {_SPLITS[split]}", ""]
        lines += ["| model | kappa | 95 % | AUC at label >= 1, 2, 3, 4, 5 (95 %) |", "|---|---|---|---|"]
        lines += [_row(name, figures) for name, figures in measured.items()]
    lines += [
        "",
        "Kappa is Cohen's for the domain, quadratic of round(5 x score) for the others; intervals by",
        "resampling whole sources or collections.",
        "",
    ]
    return "\n".join(lines)


def _row(name: str, figures: Card) -> str:
    cuts = ", ".join(f"{cut['auc']:.2f} {_interval(cut)}" for cut in figures.get("cuts", {}).values())
    return f"| {name} | {figures['kappa']:.3f} | {_interval(figures)} | {cuts or '-'} |"


def _interval(figures: Card) -> str:
    bounds = figures["interval"]
    return f"({bounds[0]:.2f}-{bounds[1]:.2f})" if bounds else "(too few)"

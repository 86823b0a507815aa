"""Inspect a run from the command line, without a JVM. Each sub-command prints the result of one function.

    python -m pipeline.inspection counts ROOT
    python -m pipeline.inspection sample ROOT TABLE [-n 5] [--seed 0] [--reason R] [--domain D] [--source S]
    python -m pipeline.inspection explain ROOT DOC_ID
    python -m pipeline.inspection diff ROOT_A ROOT_B
    python -m pipeline.inspection clusters ROOT [-n 10] [--cluster-id C]
    python -m pipeline.inspection forget ROOT --urls FILE

Documents may be malicious, and terminals execute some control characters, so these are printed as `?`.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from configs.command import configure_logging
from configs.contract import SCORES, ContractError
from configs.loader import ConfigError
from pipeline.inspection import clusters as duplicate_clusters
from pipeline.inspection import compare, run_tables
from pipeline.inspection import explain as explanation
from pipeline.inspection import forget as forgetting

_EXCERPT_LINES = 12  # Our choice: five documents fit on two terminal pages


def main() -> int:
    """Run the sub-command. Returns exit code 2 for a user's mistake; `diff` exits with 1 if runs differ."""
    configure_logging()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    for command in (counts, sample, explain, diff, clusters, forget):
        app.command()(command)
    try:
        app()
    except (ConfigError, ContractError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


Root = Annotated[str, typer.Argument(help="run folder or URI, e.g. runs/tiny")]


def counts(root: Root) -> None:
    """Print, per table, the documents in, the documents out and the rejected documents by reason."""
    found = run_tables.counts(root)
    if not found:
        raise ContractError(f"{root}: no table there; remedy: name a run folder, e.g. runs/tiny")
    for count in found:
        print(f"{count.table:<12} {count.rows_in:>14,} in {count.rows_out:>14,} out {count.seconds:>9.1f} s")
        for reason, number in count.rejected.items():
            print(f"{'':<12} {number:>14,} {reason}")


def sample(
    root: Root,
    table: Annotated[str, typer.Argument(help="e.g. scored, or filtered_rejects")],
    n: Annotated[int, typer.Option("-n", help="number of documents")] = 5,
    seed: Annotated[int, typer.Option(help="seed of the choice of documents")] = 0,
    reason: Annotated[str | None, typer.Option(help="only this reject reason")] = None,
    domain: Annotated[str | None, typer.Option(help="only this domain (scored, synthetic)")] = None,
    source: Annotated[str | None, typer.Option(help="only this source")] = None,
) -> None:
    """Print some documents of a table, chosen by the seed."""
    if table not in run_tables.SCHEMAS:
        raise ContractError(f"{table}: no such table; remedy: choose one of {', '.join(run_tables.SCHEMAS)}")
    asked = {"reject_reason": reason, "domain": domain, "source": source}
    where = {column: value for column, value in asked.items() if value is not None}
    for row in run_tables.sample(root, table, n, seed, where):
        text = str(row.pop("text", None) or row.pop("excerpt", None) or "")
        shown = ("url", "kind", "source", "reject_reason", "detail", "duplicate_of", *SCORES)
        facts = {name: row[name] for name in ("domain", *shown) if row.get(name) is not None}
        print(
            printable(f"== {row['doc_id']} " + " ".join(f"{name}={value}" for name, value in facts.items()))
        )
        _print_excerpt(text)


def explain(root: Root, doc_id: Annotated[str, typer.Argument(help="id of the document")]) -> None:
    """Print one document's row in every table, with its measurements and the rules that rejected it."""
    for step in explanation.explain(root, doc_id):
        print(f"== {step.table}")
        for name, value in step.values.items():
            print(printable(f"   {name}: {_as_text(value)}"))
        for rule in step.broken:
            print(f"   broken rule: {rule}")


def diff(
    root_a: Annotated[str, typer.Argument(help="run folder or URI")],
    root_b: Annotated[str, typer.Argument(help="another run folder or URI")],
) -> None:
    """Compare the content of two runs, table by table. The exit code is 1 if they differ."""
    found = compare.diff(root_a, root_b)
    for difference in found:
        verdict = difference.fault or (
            f"{difference.only_in_a:,} only in a, {difference.only_in_b:,} only in b, "
            f"{difference.changed:,} changed"
        )
        print(f"{difference.table:<24} {'equal' if difference.is_equal else verdict}")
        for example in difference.examples:
            print(printable(f"   {example}"))
    if not all(difference.is_equal for difference in found):
        raise typer.Exit(1)


def clusters(
    root: Root,
    n: Annotated[int, typer.Option("-n", help="number of clusters")] = 10,
    cluster_id: Annotated[str | None, typer.Option(help="only this cluster")] = None,
) -> None:
    """Print the largest clusters of duplicates: kept documents, and removed ones with the kept neighbour."""
    found = duplicate_clusters.clusters(root, n, cluster_id)
    if not found:
        print("no cluster of two or more documents")
    for cluster in found:
        print(f"== {cluster.cluster_id}: {cluster.size} documents")
        for member in cluster.members:
            fate = "kept" if member.reason is None else f"{member.reason} of {member.duplicate_of}"
            print(printable(f"   {member.doc_id} {fate} {member.url or ''}"))
            _print_excerpt(member.excerpt, 3)


def forget(
    root: Root,
    urls: Annotated[str, typer.Option(help="file of domains and URLs, one per line")],
) -> None:
    """Print the rows, clusters and token spans that come from the listed URLs. Nothing is changed."""
    found = forgetting.forget(root, forgetting.read_urls(urls))
    for affected in found:
        print(printable(f"{affected.table:<24} {affected.doc_id} {affected.url or ''} {affected.detail}"))
    num_documents = len({affected.doc_id for affected in found})
    print(f"{num_documents:,} documents in {len({affected.table for affected in found})} tables")
    if found:
        print(f'to remove them: set opt_outs = ["{urls}"] in filter.toml, then run filter and all later jobs')


def printable(text: str) -> str:
    """Return `text` for one line of a terminal: control and format characters become `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _print_excerpt(text: str, max_lines: int = _EXCERPT_LINES) -> None:
    lines: Iterable[str] = text.splitlines()[:max_lines]
    for line in lines:
        print(f"   | {printable(line[:200])}")


def _as_text(value: object) -> str:
    if isinstance(value, Mapping):
        return json.dumps(value, default=str)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())

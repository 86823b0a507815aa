"""The report's sections about data: documents kept and rejected per table, scores and mixtures."""

from collections.abc import Mapping

from configs import tables
from configs.contract import DOMAINS, SCORES
from pipeline.inspection.run_tables import score_histograms
from pipeline.inspection.volume import Volume, tokens_per_word, volumes
from pipeline.report.charts import Segment, bar, histogram, number, percent
from pipeline.report.render_document import escape

MAX_PARTS = 64  # Our choice: reading one column of 64 parts takes minutes; the page states what was read


def flow(root: str, summary: Mapping) -> str:
    """Show documents and tokens in and out of every table, the reject reasons, and the token buckets."""
    if not summary["tables"]:
        return ""
    words = volumes(root, MAX_PARTS)
    ratio = tokens_per_word(root, MAX_PARTS)
    note = "Each bar shows the table's input: documents kept, then documents rejected, by reason. "
    if ratio is not None:
        exact = all(volume.is_exact for volume in words.values())
        note += (
            f"Tokens are estimated as words times {ratio:.3f}, the ratio measured in <i>scored</i>"
            f"{'' if exact else f', from at most {MAX_PARTS} parts of each table, scaled up'}; "
            "tables before <i>filtered</i> have no word count. "
        )
    rows = [
        "<tr><th>table</th><th class='wide'>kept and rejected</th><th class='num'>in</th>"
        "<th class='num'>out</th>"
        "<th class='num'>tokens in</th><th class='num'>tokens out</th><th class='num'>time</th>"
        "<th class='num'>memory</th></tr>"
    ]
    rows += [_flow_row(name, values, words.get(name), ratio) for name, values in summary["tables"].items()]
    reasons = "".join(
        _reasons(name, values, words.get(name), ratio)
        for name, values in summary["tables"].items()
        if values["rejected"]
    )
    return f"<p class='quiet'>{note}</p><table>{''.join(rows)}</table>{reasons}{_streams(summary)}"


def _flow_row(name: str, values: Mapping, volume: Volume | None, ratio: float | None) -> str:
    segments = [Segment("kept", values["out"], "kept")]
    segments += [
        Segment(reason, count, f"r{index % 6}")
        for index, (reason, count) in enumerate(values["rejected"].items())
    ]
    tokens_in = tokens_out = ""
    if volume is not None and ratio is not None:
        tokens_in = "" if volume.words_in is None else number(ratio * volume.words_in)
        tokens_out = number(ratio * volume.words_out)
    return (
        f"<tr><td><b>{escape(name)}</b></td><td>{bar(segments, values['in'])}</td>"
        f"<td class='num'>{number(values['in'])}</td><td class='num'>{number(values['out'])}</td>"
        f"<td class='num'>{tokens_in}</td><td class='num'>{tokens_out}</td>"
        f"<td class='num'>{values['seconds']:,.1f} s</td>"
        f"<td class='num'>{values['peak_memory_bytes'] / 2**20:,.0f} MiB</td></tr>"
    )


def _reasons(name: str, values: Mapping, volume: Volume | None, ratio: float | None) -> str:
    rows = []
    for index, (reason, count) in enumerate(values["rejected"].items()):
        words = volume.words_rejected.get(reason) if volume is not None else None
        tokens = "" if words is None or ratio is None else number(words * ratio)
        rows.append(
            f"<tr><td>{escape(reason)}</td>"
            f"<td class='wide'>{bar([Segment('', count, f'r{index % 6}')], values['in'], 10)}</td>"
            f"<td class='num'>{count:,}</td><td class='num'>{percent(count, values['in'])}</td>"
            f"<td class='num'>{tokens}</td></tr>"
        )
    dropped = values["in"] - values["out"]
    head = (
        "<tr><th>reason</th><th></th><th class='num'>documents</th><th class='num'>of the input</th>"
        "<th class='num'>tokens</th></tr>"
    )
    table = f"<table class='reasons'>{head}{''.join(rows)}</table>"
    return (
        f"<details open><summary><b>{escape(name)}</b>: {dropped:,} rejected "
        f"({percent(dropped, values['in'])})</summary>{table}</details>"
    )


_MAX_BUCKETS = 200  # Our choice: eleven domains times a few bands and sources; more rows are hard to read


def _streams(summary: Mapping) -> str:
    """Show the documents and tokens of every token bucket, largest first."""
    buckets = summary["tokens"]["buckets"]
    if not buckets:
        return ""
    total = sum(values["tokens"] for values in buckets.values())
    listed = sorted(buckets.items(), key=lambda item: (-item[1]["tokens"], item[0]))
    rows = [
        f"<tr><td>{escape(name)}</td><td class='wide'>"
        f"{bar([Segment(name, values['tokens'], 'main')], listed[0][1]['tokens'], 10)}</td>"
        f"<td class='num'>{values['documents']:,}</td><td class='num'>{values['tokens']:,}</td>"
        f"<td class='num'>{percent(values['tokens'], total)}</td></tr>"
        for name, values in listed[:_MAX_BUCKETS]
    ]
    head = (
        "<tr><th>bucket</th><th></th><th class='num'>documents</th><th class='num'>tokens</th><th></th></tr>"
    )
    return (
        f"<details><summary><b>token buckets</b>: {len(buckets):,} with {total:,} tokens, "
        f"{summary['tokens']['heldout']:,} of them held out</summary>"
        f"<table class='reasons'>{head}{''.join(rows)}</table></details>"
    )


def scores(root: str, summary: Mapping) -> str:
    """Show one small histogram per domain and score."""
    if "scored" not in summary["tables"] or tables.read_manifest(root, "scored") is None:
        return ""
    found = score_histograms(root, max_parts=MAX_PARTS)
    if not found.rows_read:
        return ""
    styles = ("main", "mtp", "rate")
    head = "".join(f"<th class='third'>{escape(score.replace('_', ' '))}</th>" for score in SCORES)
    rows = []
    for domain, bins in found.bins.items():
        cells = "".join(
            f"<td>{histogram(bins[score], found.means[domain][score], f'{domain}, {score}', style)}"
            f"<span class='quiet'>mean {found.means[domain][score]:.2f}</span></td>"
            for score, style in zip(SCORES, styles, strict=True)
        )
        rows.append(
            f"<tr><td><b>{escape(domain)}</b><br><span class='quiet'>"
            f"{number(int(bins[SCORES[0]].sum()))}</span></td>{cells}</tr>"
        )
    read = (
        ""
        if found.rows_read == found.rows_total
        else f" From {found.rows_read:,} of {found.rows_total:,} documents."
    )
    return (
        "<p class='quiet'>Scores from 0 (left) to 1 in steps of 0.05. Each histogram is scaled to its "
        f"tallest column; the dashed line is the mean.{read}</p>"
        f"<table><tr><th>domain</th>{head}</tr>{''.join(rows)}</table>"
    )


def mixture(root: str, summary: Mapping) -> str:
    """Show the shares of every stage's tokens by domain (bars), and by domain, band and source (tables)."""
    plans = summary["mixtures"]
    if not plans:
        return ""
    bars = "".join(
        f"<tr><td><b>{escape(stage)}</b></td><td class='most'>"
        f"{bar(_domain_segments(plan['domain']), 1.0, 24)}"
        f"</td><td class='num'>{number(plan['tokens'])}</td>"
        f"<td class='num'>{percent(plan['math_and_code_fraction'], 1.0)}</td>"
        f"<td class='num'>{plan['buckets']:,}</td><td class='num'>{plan['max_epochs']:.2f}</td></tr>"
        for stage, plan in plans.items()
    )
    present = {domain for plan in plans.values() for domain in plan["domain"]}
    keys = "".join(
        f'<span class="key"><i class="d{index}"></i>{escape(domain)}</span>'
        for index, domain in enumerate(DOMAINS)
        if domain in present
    )
    shares = "".join(_share_table(plans, key) for key in ("domain", "band", "source"))
    return (
        "<table><tr><th>stage</th><th>share of tokens by domain</th><th class='num'>tokens</th>"
        "<th class='num'>math and code</th><th class='num'>buckets</th><th class='num'>max epochs</th></tr>"
        f"{bars}</table><p>{keys}</p>{shares}"
    )


def _domain_segments(shares: Mapping[str, float]) -> list[Segment]:
    """Return the domains' segments in the contract's order, so that the bars of stages can be compared."""
    return [
        Segment(domain, shares[domain], f"d{index}")
        for index, domain in enumerate(DOMAINS)
        if domain in shares
    ]


def _share_table(plans: Mapping[str, Mapping], key: str) -> str:
    names = sorted(
        {name for plan in plans.values() for name in plan[key]},
        key=lambda name: (-max(plan[key].get(name, 0.0) for plan in plans.values()), name),
    )
    head = "".join(f"<th class='num'>{escape(stage)}</th>" for stage in plans)
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td class='num'>{percent(plan[key].get(name, 0.0), 1.0)}</td>" for plan in plans.values())
        + "</tr>"
        for name in names
    )
    return (
        f"<details{' open' if key != 'domain' else ''}><summary>by {escape(key)}</summary>"
        f"<table><tr><th>{escape(key)}</th>{head}</tr>{rows}</table></details>"
    )

"""What a plan does to the corpus, as text: tokens and epochs by domain and by score band, before and after.

"Before" is the share in the train documents as they are, "after" the share of a stage's tokens.
"""

from collections.abc import Mapping, Sequence

from pipeline.mixture.weights import Bucket


def summarise(
    buckets: Sequence[Bucket],
    long: Mapping[str, int],
    plans: Sequence[Mapping[str, float]],
    stage_tokens: Sequence[int],
) -> str:
    """A table: one line per domain, per band and for long documents; per stage the share and the epochs.

    long: tokens of each bucket in long documents. plans: weight of each bucket in each stage.
    """
    head = f"{'':24}{'corpus tokens':>16}{'share':>8}"
    lines = [head + "".join(f"{f'stage {n + 1}':>10}{'epochs':>8}" for n in range(len(plans)))]
    for kind in ("domain", "band"):
        names = sorted({getattr(bucket, kind) for bucket in buckets})
        for name in names:
            chosen = {
                bucket.name: float(bucket.tokens) for bucket in buckets if getattr(bucket, kind) == name
            }
            lines.append(_line(f"{kind} {name}", chosen, buckets, plans, stage_tokens))
    lines.append(
        _line("long documents", {n: float(t) for n, t in long.items() if t}, buckets, plans, stage_tokens)
    )
    return "\n".join(lines)


def _line(
    title: str,
    chosen: Mapping[str, float],
    buckets: Sequence[Bucket],
    plans: Sequence[Mapping[str, float]],
    stage_tokens: Sequence[int],
) -> str:
    """`chosen`: tokens of each bucket that belong to the line; a stage draws evenly from a bucket."""
    sizes = {bucket.name: bucket.tokens for bucket in buckets}
    tokens = sum(chosen.values())
    line = f"{title:24}{tokens:>16,.0f}{tokens / max(1, sum(sizes.values())):>8.1%}"
    for plan, budget in zip(plans, stage_tokens, strict=True):
        share = sum(weight * chosen.get(bucket, 0.0) / sizes[bucket] for bucket, weight in plan.items())
        line += f"{share:>10.1%}{share * budget / tokens if tokens else 0.0:>8.2f}"
    return line

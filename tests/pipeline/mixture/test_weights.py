"""Budgets become draws: proportions, caps on repetition, refusal; weights sum to 1, ranges fit."""

from math import fsum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.contract import DOMAINS
from configs.loader import ConfigError
from configs.recipe import MixtureConfig, ScoreBand, StageMixture
from pipeline.mixture.weights import Bucket, fill, plan_draws, split_buckets, weights

STAGES = (
    StageMixture(synthetic_fraction=0.0),
    StageMixture(math_and_code_fraction=0.7, synthetic_fraction=0.0),
    StageMixture(math_and_code_fraction=0.7, synthetic_fraction=0.1),
)


def mixture(max_natural_epochs: float = 4.0, **domain_weights: float) -> MixtureConfig:
    return MixtureConfig(
        seed=1,
        domain_weights={name: domain_weights.get(name, 1.0) for name in DOMAINS},
        score_weights={"quality": 0.3, "knowledge_density": 0.3, "reasoning_depth": 0.4},
        bands=(
            ScoreBand(name="low", min_score=0.0, weight=0.5),
            ScoreBand(name="high", min_score=0.5, weight=2.0),
        ),
        max_natural_epochs=max_natural_epochs,
        stages=STAGES,
    )


def bucket(domain: str, band: str, tokens: int) -> Bucket:
    return Bucket(f"{domain}-{band}", domain, band, "web", tokens)


CORPUS = [
    bucket("mathematics", "high", 1_000),
    bucket("code", "low", 1_000),
    bucket("society", "high", 1_000),
    bucket("society", "low", 4_000),
    bucket("mathematics", "synthetic", 200),
]


def test_natural_text_is_drawn_by_size_and_weights() -> None:
    draws = plan_draws(CORPUS, (500, 1, 1), mixture())
    # 1000 x 2 : 1000 x .5 : 1000 x 2 : 4000 x .5 = 2000 : 500 : 2000 : 2000 of 6500
    expected = {"mathematics-high": 2_000, "code-low": 500, "society-high": 2_000, "society-low": 2_000}
    assert draws[0] == pytest.approx({name: 500 * part / 6_500 for name, part in expected.items()})


def test_stages_have_their_shares() -> None:
    draws = plan_draws(CORPUS, (500, 1_000, 1_000), mixture())
    dense = [stage.get("mathematics-high", 0) + stage.get("code-low", 0) for stage in draws]
    assert dense[1:] == pytest.approx([700, 630])
    assert [stage.get("mathematics-synthetic", 0) for stage in draws] == pytest.approx([0, 0, 100])
    assert [fsum(stage.values()) for stage in draws] == pytest.approx([500, 1_000, 1_000])


def test_a_bucket_full_of_epochs_leaves_the_rest_to_the_others() -> None:
    filled = fill(100.0, {"a": 3.0, "b": 1.0, "c": 1.0}, {"a": 20.0, "b": 1_000.0, "c": 1_000.0})
    assert filled == pytest.approx({"a": 20.0, "b": 40.0, "c": 40.0})


def test_fill_refuses_what_does_not_fit() -> None:
    assert fill(100.0, {"a": 1.0}, {"a": 99.0}) is None
    assert fill(100.0, {"a": 1.0, "b": 0.0}, {"a": 99.0, "b": 99.0}) is None


def test_stage_one_leaves_mathematics_to_the_stages_that_need_it() -> None:
    # Math and code hold 2,000 x 1 epoch; stages 2 and 3 need 700 + 630 of them, stage 1 would like 1,923.
    draws = plan_draws(CORPUS, (5_000, 1_000, 1_000), mixture(max_natural_epochs=1.0))
    dense = sum(stage.get("mathematics-high", 0) + stage.get("code-low", 0) for stage in draws)
    assert dense <= 2_000 + 1e-6
    assert draws[1]["mathematics-high"] + draws[1]["code-low"] == pytest.approx(700)


def test_a_budget_beyond_the_corpus_names_stage_amounts_and_remedy() -> None:
    with pytest.raises(ConfigError) as refusal:
        plan_draws(CORPUS, (500, 20_000, 1_000), mixture())
    message = str(refusal.value)
    assert "stage 2 wants 14,000 tokens of mathematics and code" in message
    assert "has 7,370 for it at 4 epochs" in message  # 2,000 x 4 less the 630 of stage 3
    assert "remedy: lower tokens in stage2.toml" in message


def test_a_stage_whose_share_holds_no_whole_document_is_refused() -> None:
    draws = plan_draws(CORPUS, (500, 500, 500), mixture())
    empty = [Bucket(one.name, one.domain, one.band, one.source, 0) for one in CORPUS]
    with pytest.raises(ConfigError, match="has 0 for it at 4 epochs, shared out in whole documents; remedy"):
        weights(0, empty, draws[0], 500, mixture())


def test_synthetic_text_may_repeat_but_must_exist() -> None:
    draws = plan_draws(CORPUS, (1, 1, 30_000), mixture(max_natural_epochs=100.0))
    assert draws[2]["mathematics-synthetic"] == pytest.approx(3_000)  # 15 epochs of 200
    with pytest.raises(ConfigError, match="stage 3 wants 100 tokens of synthetic text, the corpus has 0"):
        plan_draws(CORPUS[:-1], (1, 1, 1_000), mixture())


def test_ranges_are_the_draws_until_the_bucket_is_used_up() -> None:
    buckets = [bucket("society", "low", 1_000), bucket("code", "low", 100)]
    draws = ({"society-low": 300.0, "code-low": 100.0}, {"society-low": 200.0, "code-low": 300.0}, {})
    ranges = split_buckets(buckets, draws)
    assert ranges["society-low"] == pytest.approx((300, 200, 0))
    assert ranges["code-low"] == pytest.approx((25, 75, 0))


SIZES = st.integers(1, 10**9)
EXTRA = st.lists(
    st.tuples(st.sampled_from(DOMAINS[3:]), st.sampled_from(("low", "high", "synthetic")), SIZES),
    max_size=9,
    unique_by=lambda item: item[:2],
)


@settings(max_examples=200, deadline=None)
@given(st.tuples(SIZES, SIZES, SIZES), EXTRA, st.floats(1e-9, 1.0), st.integers(1, 100))
def test_every_plan_that_fits_keeps_the_laws(
    sizes: tuple[int, int, int], extra: list[tuple[str, str, int]], used: float, part: int
) -> None:
    kinds = (("mathematics", "high"), ("science", "low"), ("code", "synthetic"))
    buckets = [bucket(*kind, size) for kind, size in zip(kinds, sizes, strict=True)]
    buckets += [bucket(*values) for values in extra]
    # Whatever the shares, neither mathematics nor the rest is asked for more than 4 epochs of it.
    scarce = 4 * min(sizes[0], sizes[1] + sum(size for _, band, size in extra if band != "synthetic"))
    third = max(1, int(used * scarce / 3))
    budgets = (third, max(1, third * part // 100), third)
    config = mixture()
    draws = plan_draws(buckets, budgets, config)
    for stage, budget in enumerate(budgets):
        assert fsum(draws[stage].values()) == pytest.approx(budget, rel=1e-9)
        shares = weights(stage, buckets, draws[stage], budget, config)
        assert abs(fsum(shares.values()) - 1) <= 1e-9
    ranges = split_buckets(buckets, draws)
    for one in buckets:
        total_drawn = fsum(stage.get(one.name, 0.0) for stage in draws)
        assert fsum(ranges[one.name]) <= one.tokens * (1 + 1e-9)
        if not one.is_synthetic:
            assert total_drawn <= one.tokens * 4 * (1 + 1e-9)

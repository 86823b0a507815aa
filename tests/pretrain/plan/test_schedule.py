"""MiMo's schedule at 0, at every breakpoint ±1 token, and at the end."""

import math
from pathlib import Path

import pytest

from configs.loader import ConfigError
from configs.recipe import BatchWarmup, LearningRateSegment, Recipe, ScheduleConfig, load_recipe
from pretrain.plan import schedule as s

CONFIGS = Path(__file__).parents[3] / "configs"
B, T = 10**9, 10**12


@pytest.fixture(scope="module")
def mimo() -> Recipe:
    return load_recipe(CONFIGS / "mimo7b")


def cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (0, 0.0),
        (1, 1.07e-4 / (84 * B)),
        (42 * B, 5.35e-5),
        (84 * B - 1, 1.07e-4 * (84 * B - 1) / (84 * B)),
        (84 * B, 1.07e-4),
        (10_284 * B - 1, 1.07e-4),
        (10_284 * B, 1.07e-4),
        (14_034 * B, 6.85e-5),  # half of the cosine
        (17_784 * B - 1, cosine(1.07e-4, 3e-5, 1 - 1 / 7.5e12)),
        (17_784 * B, 3e-5),
        (21_784 * B - 1, 3e-5),
        (21_784 * B, 3e-5),
        (23_284 * B - 1, 3e-5),
        (23_284 * B, 3e-5),
        (23_534 * B, 2e-5),
        (23_784 * B - 1, cosine(3e-5, 1e-5, 1 - 1 / 5e11)),
        (23_784 * B, 1e-5),
    ],
)
def test_learning_rate(mimo: Recipe, tokens: int, expected: float) -> None:
    assert s.learning_rate(tokens, mimo.schedule) == pytest.approx(expected, rel=1e-12, abs=1e-20)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [(0, 0.3), (10_300 * B - 1, 0.3), (10_300 * B, 0.1), (10_300 * B + 1, 0.1), (23_784 * B, 0.1)],
)
def test_mtp_loss_weight(mimo: Recipe, tokens: int, expected: float) -> None:
    assert s.mtp_loss_weight(tokens, mimo.schedule) == expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (0, 1),
        (17_784 * B - 1, 1),
        (17_784 * B, 2),
        (21_784 * B - 1, 2),
        (21_784 * B, 3),
        (23_784 * B, 3),
    ],
)
def test_stage(mimo: Recipe, tokens: int, expected: int) -> None:
    assert s.stage_at(tokens, mimo.stages) == expected


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [(0, 320), (84 * B, 1280), (168 * B - 1, 2240), (168 * B, 2560), (168 * B + 1, 2560), (17_783 * B, 2560)],
)
def test_batch_ramp(mimo: Recipe, tokens: int, expected: int) -> None:
    assert s.global_batch_size(tokens, mimo.schedule, mimo.stages[0]) == expected


def test_the_published_pieces_sum_to_23_784_trillion(mimo: Recipe) -> None:
    assert s.total_tokens(mimo.stages) == 23_784 * B
    s.check(mimo.schedule, mimo.stages)


def test_tokens_outside_the_run_are_refused(mimo: Recipe) -> None:
    for call in (lambda: s.stage_at(-1, mimo.stages), lambda: s.stage_at(23_784 * B + 1, mimo.stages)):
        with pytest.raises(ValueError, match="outside"):
            call()
    with pytest.raises(ValueError, match="negative"):
        s.learning_rate(-1, mimo.schedule)
    with pytest.raises(ValueError, match="negative"):
        s.mtp_loss_weight(-1, mimo.schedule)


@pytest.mark.parametrize("preset", ["tiny", "h200", "mimo7b"])
def test_steps_cover_every_token_once_and_stages_begin_at_their_token(preset: str) -> None:
    recipe = load_recipe(CONFIGS / preset)
    s.check(recipe.schedule, recipe.stages)
    tokens, starts, count, last = 0, {}, 0, None
    of_stage = [0, 0, 0]
    for step in s.steps(recipe.schedule, recipe.stages):
        of_stage[step.stage - 1] += 1
        assert (step.tokens_seen, step.index) == (tokens, count)
        starts.setdefault(step.stage, tokens)
        tokens, count, last = tokens + step.tokens, count + 1, step
    assert tokens == s.total_tokens(recipe.stages)
    assert starts == {n: s.stage_start(recipe.stages, n) for n in (1, 2, 3)}
    assert last is not None
    assert last.sequence_length == recipe.stages[2].sequence_length
    assert s.count_steps(recipe.schedule, recipe.stages) == of_stage


def test_steps_are_counted_with_and_without_a_ramp(mimo: Recipe) -> None:
    """28 sequences: the ramp to a batch of 4 takes the first 10, the rest are steps of 4 and one of 2."""
    stage = mimo.stages[0].model_copy(update={"global_batch_size": 4, "tokens": 28 * 8192})
    ramp = BatchWarmup(tokens=8 * 8192, start=1, increment=1)
    with_ramp = change(mimo.schedule, batch_warmup=ramp)
    assert [step.num_sequences for step in s.steps(with_ramp, [stage])] == [1, 1, 1, 2, 2, 3, 4, 4, 4, 4, 2]
    assert s.count_steps(with_ramp, [stage]) == [11]
    without = change(mimo.schedule, batch_warmup=None)
    assert s.count_steps(without, [stage]) == [7]
    assert {step.num_sequences for step in s.steps(without, [stage])} == {4}


def test_the_last_step_of_a_stage_is_cut_to_its_boundary(mimo: Recipe) -> None:
    before = 17_784 * B - 20_971_520 // 2
    step = next(s.steps(mimo.schedule, mimo.stages, before))
    assert (step.stage, step.tokens, step.num_sequences) == (1, 10_485_760, 1280)
    step = next(s.steps(mimo.schedule, mimo.stages, 17_784 * B - 4096))  # half a sequence
    assert (step.tokens, step.num_sequences) == (4096, 1)
    step = next(s.steps(mimo.schedule, mimo.stages, 21_784 * B))
    assert (step.stage, step.rotary_base, step.sequence_length, step.num_sequences) == (
        3,
        640_000,
        32_768,
        640,
    )


def change(schedule: ScheduleConfig, **values: object) -> ScheduleConfig:
    return schedule.model_copy(update=values)


def test_contradictions_are_refused(mimo: Recipe) -> None:
    pieces = mimo.schedule.learning_rate
    jump = (pieces[0].model_copy(update={"end": 1e-4}), *pieces[1:])
    uneven = (LearningRateSegment(shape="constant", tokens=23_784 * B, start=1e-4, end=2e-4),)
    weights = mimo.schedule.mtp_loss_weight
    faults = {
        "cover": change(mimo.schedule, learning_rate=pieces[:-1]),
        "continuous": change(mimo.schedule, learning_rate=jump),
        "one value": change(mimo.schedule, learning_rate=uneven),
        "begin at 0": change(mimo.schedule, mtp_loss_weight=weights[1:]),
        "each be larger": change(mimo.schedule, mtp_loss_weight=(weights[0], weights[0])),
        "begin lower": change(mimo.schedule, batch_warmup=BatchWarmup(tokens=B, start=4096, increment=1)),
        "end inside": change(mimo.schedule, batch_warmup=BatchWarmup(tokens=18 * T, start=1, increment=1)),
    }
    for message, schedule in faults.items():
        with pytest.raises(ConfigError, match=message):
            s.check(schedule, mimo.stages)

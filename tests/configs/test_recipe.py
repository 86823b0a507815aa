"""mixture.toml is refused where its weights do not cover the closed lists."""

from pathlib import Path

import pytest

from configs.loader import ConfigError, load
from configs.recipe import MixtureConfig

MIXTURE = Path("configs/tiny/mixture.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("jobs = 0.2", "job = 0.2", r"every domain and no other; check \['job', 'jobs'\]"),
        ("fiction = 1.0\n", "", r"every domain and no other; check \['fiction'\]"),
        ("fiction = 1.0\n", "fiction = 1.0\nfiction = 1.0\n", "not valid TOML"),
        ("fiction = 1.0", "fiction = -1.0", r"domain_weights\.fiction: .*greater than or equal to 0"),
        ("reasoning_depth = 0.4", "depth = 0.4", "score_weights must be quality, knowledge_density"),
        ("reasoning_depth = 0.4", "reasoning_depth = 0.5", "score_weights must sum to 1"),
        ("min_score = 0.45", "min_score = 0.2", "bands must start at min_score 0 and rise"),
        ("[[stages]]\nsynthetic_fraction = 0.0 #", "# ", "stages must be 3, got 2"),
    ],
)
def test_a_mixture_that_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MIXTURE
    (tmp_path / "mixture.toml").write_text(MIXTURE.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, "mixture", MixtureConfig)

"""What the driver of all steps refuses before it does any work."""

from pathlib import Path

import pytest

from configs.command import place_of
from configs.loader import ConfigError
from pipeline.run_all import run


def test_a_run_whose_checkpoints_have_no_folder_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match=r"the training stages need a folder; remedy: .* --output DIR"):
        run(place_of(Path("configs/tiny"), None, "s3://bucket/root"))

"""The summary's shares and epochs against numbers by hand."""

from pipeline.mixture.summary import summarise
from pipeline.mixture.weights import Bucket


def test_shares_and_epochs_before_and_after() -> None:
    buckets = [Bucket("m", "mathematics", "high", "a", 100), Bucket("c", "commerce", "low", "a", 300)]
    plans = [{"m": 0.5, "c": 0.5}, {"m": 1.0}]
    lines = summarise(buckets, {"m": 50, "c": 0}, plans, (400, 200)).splitlines()
    cells = {line[:24].strip(): line[24:].split() for line in lines[1:]}
    # Stage 1 draws 200 of 100 tokens of mathematics: two epochs; stage 2 draws all its 200 from there.
    assert cells["domain mathematics"] == ["100", "25.0%", "50.0%", "2.00", "100.0%", "2.00"]
    assert cells["domain commerce"] == ["300", "75.0%", "50.0%", "0.67", "0.0%", "0.00"]
    assert cells["band high"] == cells["domain mathematics"]
    # Half of m is in long documents: a quarter of stage 1, half of stage 2.
    assert cells["long documents"] == ["50", "12.5%", "25.0%", "2.00", "50.0%", "2.00"]

from synth.endpoint.rate_limit import TokenBucket


def test_a_burst_leaves_at_once_and_the_rest_evenly() -> None:
    bucket = TokenBucket(30.0, 2, clock=lambda: 100.0)
    assert [bucket.take() for _ in range(5)] == [0.0, 0.0, 2.0, 4.0, 6.0]


def test_a_pause_saves_up_no_more_than_a_burst() -> None:
    now = [0.0]
    bucket = TokenBucket(60.0, 2, clock=lambda: now[0])
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 1.0]
    now[0] = 1.5
    assert bucket.take() == 0.5
    now[0] = 1000.0
    assert [bucket.take() for _ in range(3)] == [0.0, 0.0, 1.0]

"""The lease on an object store: one of several takers wins, the dead are replaced, a lost lease shows."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from configs.lease import LeaseHeldError, lease, require_held
from configs.loader import ConfigError
from configs.storage import object_lease
from configs.storage.object_lease import ObjectLease, Owner
from tests.object_store.fault_proxy import running_proxy

TAKER = """
import sys
from configs.lease import LeaseHeldError, lease

for line in sys.stdin:
    try:
        with lease(sys.argv[1], line.strip()):
            print("won", flush=True)
            sys.stdin.readline()
    except LeaseHeldError as error:
        print("held", error, flush=True)
        sys.stdin.readline()
    print("next", flush=True)
"""
OTHER = Owner("elsewhere", 1, "", "their token", "2026-01-02T03:04:05", "2026-01-02T03:04:05", 1, False)


def put(bucket: str, job: str, owner: Owner) -> None:
    body = json.dumps(vars(owner)).encode()
    boto3.client("s3").put_object(Bucket=bucket.removeprefix("s3://"), Key=f"r/_leases/{job}", Body=body)


def read(bucket: str, job: str) -> Owner:
    reply = boto3.client("s3").get_object(Bucket=bucket.removeprefix("s3://"), Key=f"r/_leases/{job}")
    return Owner(**json.loads(reply["Body"].read()))


def test_of_two_takers_one_wins_in_each_of_20_rounds(bucket: str) -> None:
    command = [sys.executable, "-c", TAKER, f"{bucket}/r"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    takers = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, bufsize=1
        )
        for _ in range(2)
    ]
    winners = set()
    gone = replace(OTHER, process=object_lease._process(os.getpid()) + "0")  # type: ignore[operator]
    for number in range(20):
        before = (None, replace(OTHER, released=True), gone)[number % 3]
        if before is not None:
            put(bucket, f"job{number}", before)
        for taker in takers:
            taker.stdin.write(f"job{number}\n")  # type: ignore[union-attr]
        answers = [taker.stdout.readline().split() for taker in takers]  # type: ignore[union-attr]
        assert sorted(answer[0] for answer in answers) == ["held", "won"]
        winner = answers.index(["won"])
        assert f"process {takers[winner].pid} on" in " ".join(answers[1 - winner])
        winners.add(winner)
        for taker in takers:
            taker.stdin.write("\n")  # type: ignore[union-attr]
            assert taker.stdout.readline() == "next\n"  # type: ignore[union-attr]
        assert read(bucket, f"job{number}").released
    for taker in takers:
        taker.communicate(timeout=60)
    assert winners == {0, 1}  # the two did race


def test_other_jobs_and_other_roots_are_free(bucket: str) -> None:
    with lease(f"{bucket}/r/", "filter"):
        with lease(f"{bucket}/r", "score"), lease(f"{bucket}/q", "filter"):
            require_held(f"{bucket}/r")
        with (
            pytest.raises(LeaseHeldError, match=f"filter is being run by process {os.getpid()} on"),
            lease(f"{bucket}/r", "filter"),
        ):
            pytest.fail("held twice")
    with lease(f"{bucket}/r", "filter"):
        pass


def test_a_living_owner_elsewhere_is_named_and_a_dead_one_taken_over(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "filter", OTHER)
    named = r"filter is being run by process 1 on elsewhere since 2026-01-02T03:04:05, renewed \d s ago"
    with pytest.raises(LeaseHeldError, match=named), lease(f"{bucket}/r", "filter"):
        pytest.fail("held twice")
    monkeypatch.setattr(object_lease, "DEAD_AFTER_S", -2.0)
    with lease(f"{bucket}/r", "filter"):
        assert read(bucket, "filter").pid == os.getpid()


def test_the_lease_is_renewed_while_it_is_held(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_lease, "RENEW_EVERY_S", 0.01)
    with lease(f"{bucket}/r", "filter"):
        wait_until(lambda: read(bucket, "filter").num_writes >= 3)
        require_held(f"{bucket}/r")
        found = read(bucket, "filter")
        assert found.renewed_at > found.taken_at
    last = read(bucket, "filter").num_writes
    time.sleep(0.1)
    assert read(bucket, "filter").num_writes == last


def wait_until(is_so: Callable[[], bool]) -> None:
    for _ in range(600):
        if is_so():
            return
        time.sleep(0.05)
    pytest.fail("it never came so far")


def test_who_was_taken_over_may_not_commit_and_leaves_the_new_owner_alone(bucket: str) -> None:
    with lease(f"{bucket}/r", "filter"):
        put(bucket, "filter", OTHER)
        with pytest.raises(
            LeaseHeldError, match=r"cannot commit.* held by process 1 on elsewhere since 2026"
        ):
            require_held(f"{bucket}/r")
    assert read(bucket, "filter") == OTHER
    require_held(f"{bucket}/r")  # this process has no lease there any more


def test_the_thread_that_renews_notes_the_loss(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_lease, "RENEW_EVERY_S", 0.01)
    held = ObjectLease(f"{bucket}/r", "filter", "_leases")
    put(bucket, "filter", OTHER)
    wait_until(lambda: held._lost is not None)
    with pytest.raises(LeaseHeldError, match="held by process 1 on elsewhere"):
        held.require_held()
    held.release()


class Client:
    """A client of boto3 whose put_object is another function."""

    def __init__(self, client: Any, put_object: Callable[..., Any]) -> None:
        self.get_object, self.put_object = client.get_object, put_object


def with_put_object(monkeypatch: pytest.MonkeyPatch, change: Callable[[Callable[..., Any]], Any]) -> None:
    connect = object_lease.s3_client

    def changed(*values: Any) -> tuple[Any, Any]:
        client, errors = connect(*values)
        return Client(client, change(client.put_object)), errors

    monkeypatch.setattr(object_lease, "s3_client", changed)


def test_an_answer_that_got_lost_is_no_lost_lease(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store does the write, the client hears nothing and asks again: the condition then fails."""

    def twice(put_object: Callable[..., Any]) -> Callable[..., Any]:
        def change(**values: Any) -> Any:
            put_object(**values)
            return put_object(**values)

        return change

    with_put_object(monkeypatch, twice)
    with lease(f"{bucket}/r", "filter"):
        require_held(f"{bucket}/r")
    assert read(bucket, "filter").released


def test_a_renewal_without_any_answer_is_made_good_by_the_next(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = [False]

    def dropping(put_object: Callable[..., Any]) -> Callable[..., Any]:
        def change(**values: Any) -> Any:
            reply = put_object(**values)
            if silent[0]:
                raise EndpointConnectionError(endpoint_url="http://test")
            return reply

        return change

    with_put_object(monkeypatch, dropping)
    with lease(f"{bucket}/r", "filter"):
        silent[0] = True
        with pytest.raises(LeaseHeldError, match="the store does not answer"):
            require_held(f"{bucket}/r")
        silent[0] = False
        require_held(f"{bucket}/r")


def test_two_takers_of_a_store_that_fails(
    bucket: str, moto_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever gets lost on the way, one holds the lease and the other one is refused."""
    with running_proxy(moto_address, rate=0.2, seed=5, max_delay_s=0.1) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        for number in range(10):
            with lease(f"{bucket}/r", f"job{number}"):
                require_held(f"{bucket}/r")
                with pytest.raises(LeaseHeldError, match="is being run by process"):
                    ObjectLease(f"{bucket}/r", f"job{number}", "_leases")
        assert proxy.counts["cut_answer"] > 0
        assert proxy.counts["lost_answer"] > 0


def test_a_refusal_that_broke_off_is_asked_for_again(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its body an answer does not say what is missing, the lease or the bucket."""
    connect, broken = object_lease.s3_client, [ClientError({"Error": {"Code": "404"}}, "GetObject")]

    def breaking(*values: Any) -> tuple[Any, Any]:
        client, errors = connect(*values)
        changed, get_object = Client(client, client.put_object), client.get_object

        def once(**values: Any) -> Any:
            if broken:
                raise broken.pop()
            return get_object(**values)

        changed.get_object = once
        return changed, errors

    monkeypatch.setattr(object_lease, "s3_client", breaking)
    with lease(f"{bucket}/r", "filter"):
        assert read(bucket, "filter").pid == os.getpid()
    assert not broken


def test_a_store_that_ignores_conditions_is_refused(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(put_object: Callable[..., Any]) -> Callable[..., Any]:
        return lambda **values: put_object(**{k: v for k, v in values.items() if not k.startswith("If")})

    with_put_object(monkeypatch, without)
    with pytest.raises(ConfigError, match=r"ignores If-None-Match.*remedy"), lease(f"{bucket}/r", "filter"):
        pytest.fail("taken")


def test_what_the_user_must_mend_is_one_line(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"NoSuchBucket.*remedy: check that the bucket exists"):
        ObjectLease("s3://no-such-bucket/r", "filter", "_leases")
    boto3.client("s3").put_object(
        Bucket=bucket.removeprefix("s3://"), Key="r/_leases/filter", Body=b'{"a": 1}'
    )
    with pytest.raises(ConfigError, match="r/_leases/filter is not a lease; remedy: delete that object"):
        ObjectLease(f"{bucket}/r", "filter", "_leases")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ConfigError, match=r"boto3 is not installed.*remedy: pip install boto3"):
        ObjectLease(f"{bucket}/r", "filter", "_leases")


def test_a_process_is_named_so_that_no_later_one_has_its_name() -> None:
    own = object_lease._process(os.getpid())
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc")
    assert own == object_lease._process(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = object_lease._process(child.pid)
        alive = replace(OTHER, pid=child.pid, process=name or "")
        assert name != own
        assert not object_lease._is_gone(alive)
        child.kill()
        wait_until(lambda: object_lease._process(child.pid) is None)  # a zombie until it is waited for
        assert object_lease._is_gone(alive)
    assert object_lease._is_gone(replace(alive, pid=os.getpid()))  # its number went to another process
    assert not object_lease._is_gone(replace(alive, process=f"another {name}"))  # of another machine

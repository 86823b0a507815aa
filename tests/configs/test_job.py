"""One mechanism: up to date, dry run, shards that survive a kill, code that is accepted, refusals."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from configs import tables
from configs.command import Place
from configs.contract import REJECTS, SCHEMAS, ContractError, Manifest, Part
from configs.job import Job, code_half, commit, find_table, mark, matches, run_job, work_half
from configs.shards import find_records, write_shard
from configs.storage.shard_log import Record, ShardLog, write_record

JOB = Job("score", "scored", "code1", {"a": 1}, {"deduped": "d1"})


@dataclass(frozen=True)
class OneShard:
    name: str
    digest: str = "x"
    rows: int = 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, str(tmp_path), str(tmp_path))


def rows(*doc_ids: str, reason: str | None = None) -> pa.Table:
    """Rows with every column of `scored` and of its rejects: empty values, then what the tests look at."""
    fields = {field.name: field for field in (*REJECTS, *SCHEMAS["scored"])}
    columns = {
        name: pa.array([""] * len(doc_ids), field.type)
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        else pa.nulls(len(doc_ids), field.type).fill_null(0)
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        else pa.array([False] * len(doc_ids), field.type)
        if pa.types.is_boolean(field.type)
        else pa.array([[]] * len(doc_ids), field.type)
        if pa.types.is_list(field.type)
        else pa.array([{}] * len(doc_ids), field.type)
        if pa.types.is_struct(field.type)
        else pa.nulls(len(doc_ids), field.type)
        for name, field in fields.items()
    }
    columns["doc_id"] = pa.array(doc_ids)
    columns["source"] = pa.array(["web"] * len(doc_ids))
    columns["reject_reason"] = pa.array([reason] * len(doc_ids), pa.string())
    return pa.table(columns)


def make(place: Place, job: Job = JOB, shards: tuple[OneShard, ...] = (OneShard("s1"),)) -> Manifest:
    """Write the shards that are not finished, one row each, and commit."""
    done = find_records(place, job, shards)
    records = {
        shard.name: done.get(shard.name) or write_shard(place.output, job, shard, [rows(shard.name)])
        for shard in shards
    }
    log = ShardLog.of(records)
    return commit(place.output, job, log, 0.0, shard_log=log)


def test_a_finished_table_is_not_made_again(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    calls = []

    def work() -> Manifest:
        calls.append(1)
        return make(place)

    find = partial(find_table, place, JOB)
    first = run_job(place, "score", "score", find, work)
    assert run_job(place, "score", "score", find, work) == first
    assert calls == [1]
    assert "score: up to date" in caplog.text
    run_job(replace(place, overwrite=True), "score", "score", find, work)
    assert calls == [1, 1]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = replace(place, dry_run=True)
    assert run_job(dry, "score", "score 3 rows", lambda: None, lambda: pytest.fail("worked")) is None
    assert capsys.readouterr().out == "score: would score 3 rows\n"


@pytest.mark.parametrize(
    "changed",
    [
        replace(JOB, name="other"),
        replace(JOB, code="code2"),
        replace(JOB, config={"a": 2}),
        replace(JOB, inputs={"deduped": "d2"}),
        replace(JOB, facts={"model": "m"}),
    ],
)
def test_a_table_counts_only_for_the_same_job_code_config_and_inputs(place: Place, changed: Job) -> None:
    made = make(place)
    assert find_table(place, JOB) == made
    assert find_table(place, changed) is None


def test_only_shards_of_the_same_input_are_kept(place: Place) -> None:
    make(place, shards=(OneShard("s1"), OneShard("s2")))
    shards = (OneShard("s1"), OneShard("s2", digest="y"), OneShard("s3"))
    assert list(find_records(place, JOB, shards)) == ["s1"]
    assert list(find_records(place, replace(JOB, inputs={"deduped": "d2"}), shards)) == ["s1"]
    assert find_records(replace(place, overwrite=True), JOB, shards) == {}
    assert find_records(place, replace(JOB, code="code2"), shards) == {}


def test_a_shard_config_leaves_out_what_shards_do_not_depend_on(place: Place) -> None:
    small = replace(JOB, config={"total": 1, "seed": 7}, shard_config={"seed": 7})
    make(place, small)
    larger = replace(small, config={"total": 2, "seed": 7})
    assert find_table(place, larger) is None
    assert list(find_records(place, larger, [OneShard("s1")])) == ["s1"]


def test_a_shard_whose_part_is_gone_or_cut_is_done_again(place: Place) -> None:
    manifest = make(place)
    [written] = tables.read_parts(place.output, manifest)
    part = Path(place.output, "scored", written.path)
    whole = part.read_bytes()
    part.write_bytes(whole[:-1])
    assert find_records(place, JOB, [OneShard("s1")]) == {}
    part.unlink()
    assert find_records(place, JOB, [OneShard("s1")]) == {}
    part.write_bytes(whole)
    assert list(find_records(place, JOB, [OneShard("s1")])) == ["s1"]


def test_accepted_code_keeps_a_table_for_good_and_records_both_hashes(place: Place) -> None:
    made = make(place)
    changed = replace(JOB, code="code2")
    kept = find_table(replace(place, accept_code=True), changed)
    assert kept is not None
    assert (kept.digest, kept.accepted_code, code_half(kept.fingerprint)) == (
        made.digest,
        ("code1",),
        "code2",
    )
    assert find_table(place, changed) == kept
    other_input = replace(changed, inputs={"deduped": "d2"})
    assert find_table(replace(place, accept_code=True), other_input) is None


def test_accepted_shards_stand_beside_new_ones(place: Place) -> None:
    make(place)
    accepting = replace(place, accept_code=True)
    manifest = make(accepting, replace(JOB, code="code2"), (OneShard("s1"), OneShard("s2")))
    assert (manifest.rows_out, manifest.accepted_code) == (2, ("code1",))


def test_a_dry_run_accepts_without_writing(place: Place) -> None:
    make(place)
    changed = replace(JOB, code="code2")
    assert find_table(replace(place, accept_code=True, dry_run=True), changed) is not None
    assert find_table(place, changed) is None


def test_rows_and_rejects_add_up_or_the_shard_is_refused(place: Place) -> None:
    batches = [rows("a", "b"), rows("c", reason="too_short")]
    with pytest.raises(ContractError, match="not in the contract"):
        write_shard(place.output, JOB, OneShard("s1"), batches)
    with pytest.raises(ContractError, match=r"shard s1: 3 rows in, 2 out"):
        write_shard(place.output, JOB, OneShard("s1", rows=3), [rows("a", "b")])


def test_a_refused_table_is_withdrawn_but_its_shards_and_rejects_stay(place: Place) -> None:
    make(place)
    record = find_records(place, JOB, [OneShard("s1")])["s1"]
    log = ShardLog.of({"s1": record})
    with pytest.raises(ContractError, match=r"scored: too bad; remedy: none \(rejected: none\)"):
        commit(place.output, JOB, log, 0.0, refusal=lambda manifest: "too bad; remedy: none")
    assert tables.read_manifest(place.output, "scored") is None
    assert tables.read_manifest(place.output, "scored_rejects") is not None
    assert list(find_records(place, JOB, [OneShard("s1")])) == ["s1"]


def test_a_fingerprint_has_two_halves() -> None:
    found = mark("code1", "job", 1)
    assert (work_half(found), code_half(found)) == (work_half(mark("code2", "job", 1)), "code1")
    assert matches(found, mark("code2", "job", 1), accept_code=True)
    assert not matches(found, mark("code2", "job", 1), accept_code=False)
    assert not matches(found, mark("code1", "job", 2), accept_code=True)


def test_fingerprints_of_many_shards_hash_the_code_once() -> None:
    """The code is a string in the job: a shard's fingerprint hashes a few short values and reads no file."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("configs.code_closure.closure", lambda *_: pytest.fail("parsed again"))
        marks = {JOB.shard_fingerprint(OneShard(str(n))) for n in range(1_000)}
    assert len(marks) == 1_000


def test_a_commit_gathers_the_records_of_its_shards(place: Place) -> None:
    """The log answers for the small files, which are gone; a record written later is the newer one."""
    shards = [OneShard("s1"), OneShard("s2")]
    make(place, shards=tuple(shards))
    folder = Path(place.output, "scored/_meta/records")
    assert list(folder.iterdir()) == []
    found = find_records(place, JOB, shards)
    assert list(found) == ["s1", "s2"]
    later = replace(found["s1"], counts={"tokens": 7})
    write_record(place.output, "scored", "s1", later)
    assert find_records(place, JOB, shards)["s1"] == later
    (folder / "s1.json").write_text('{"finger')  # a killed writer
    assert find_records(place, JOB, shards)["s1"] == found["s1"]


def test_parts_of_the_log_stay_on_disk_beside_the_table(place: Place) -> None:
    shard = OneShard("s1")
    written = write_shard(place.output, JOB, shard, [rows("a", "b")])
    rewritten = write_shard(place.output, JOB, OneShard("s2"), [rows("a"), rows("b", reason=None)])
    for _ in range(2):
        commit(place.output, JOB, ShardLog.of({"s1": rewritten}), 0.0, shard_log=ShardLog.of({"s1": written}))
    assert find_records(place, JOB, [shard]) == {"s1": written}
    [part] = tables.open_table(place.output, "scored").parts
    assert part == rewritten.parts[0] != written.parts[0]


def test_counts_of_records_are_carried_to_disk(place: Place) -> None:
    shard = OneShard("s1")
    written = write_shard(place.output, JOB, shard, [rows("a")], {"tokens": 5}, {"problem": "a"})
    [read] = find_records(place, JOB, [shard]).values()
    assert read == written
    assert isinstance(read, Record)


def test_a_log_gives_back_its_records_and_adds_them_up() -> None:
    part, reject = Part("data/a.parquet", 2, 10, "0a" * 16), Part("data/r.parquet", 1, 5, "0b" * 16)
    records = {
        "s1": Record(
            "w" * 32 + "-code1", (part, part), (reject,), 4, {"too_short": 1}, {"tokens": 9}, {"p": "a"}
        ),
        "s2": Record(
            "v" * 32 + "-code2", (), (reject,), 0, {"too_short": 2, "language": 1}, peak_memory_bytes=7
        ),
    }
    log = ShardLog.of(records)
    assert log.records() == records
    assert (len(log), log.rows_out(), log.peak_memory_bytes()) == (2, 4, 7)
    assert log.rejected() == {"language": 1, "too_short": 3}
    assert log.codes() == {"code1", "code2"}
    assert (list(log.parts()), list(log.parts("reject_parts"))) == ([part, part], [reject, reject])
    halves = (ShardLog.of({name: record}) for name, record in records.items())
    assert ShardLog.joined(halves).records() == records
    empty = ShardLog.of({})
    assert (empty.rows_out(), empty.rejected(), len(empty.parts()), empty.peak_memory_bytes()) == (
        0,
        {},
        0,
        0,
    )

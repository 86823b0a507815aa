"""Counts, samples, one document's way, clusters and the comparison of two runs, on a run written by hand."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from configs import tables
from configs.contract import ContractError
from pipeline.inspection import run_tables
from pipeline.inspection.__main__ import main, printable
from pipeline.inspection.clusters import clusters
from pipeline.inspection.compare import diff
from pipeline.inspection.explain import explain
from tests.pipeline import sample_run


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sample_run.write_run(str(tmp_path_factory.mktemp("run")))


def test_counts_are_the_manifests(root: str) -> None:
    found = {
        count.table: (count.rows_in, count.rows_out, count.rejected) for count in run_tables.counts(root)
    }
    assert found == {
        "raw": (10, 8, {"http_error_status": 1, "warc_truncated_record": 1}),
        "documents": (8, 7, {"empty_text": 1}),
        "filtered": (7, 6, {"too_few_words": 1}),
        "deduped": (6, 4, {"duplicate_exact": 1, "duplicate_near": 1}),
        "scored": (4, 4, {}),
        "synthetic": (3, 2, {"wrong_answer": 1}),
    }
    assert run_tables.counts(f"{root}/nowhere") == []


def test_sample_does_not_depend_on_parts(root: str, tmp_path: Path) -> None:
    sample_run.write_documents(str(tmp_path), num_parts=3)
    whole, cut = (run_tables.sample(at, "filtered", 4, seed=7) for at in (root, str(tmp_path)))
    assert [row["doc_id"] for row in whole] == [row["doc_id"] for row in cut]
    assert whole == cut
    assert len({row["doc_id"] for row in whole}) == 4
    orders = {
        tuple(row["doc_id"] for row in run_tables.sample(root, "filtered", 6, seed)) for seed in range(5)
    }
    assert len(orders) > 1


def test_sample_finds_rows_of_later_batches(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_tables.sample(root, "filtered", 6)
    monkeypatch.setattr(tables, "SHORT_BATCH_ROWS", 2)
    assert run_tables.sample(root, "filtered", 6) == whole


def test_sample_takes_what_is_asked_for(root: str) -> None:
    (row,) = run_tables.sample(root, "deduped_rejects", 9, where={"reject_reason": "duplicate_near"})
    assert (row["doc_id"], row["duplicate_of"]) == ("sorting-copy", "sorting")
    (row,) = run_tables.sample(root, "scored", 9, where={"domain": "code", "source": "web"})
    assert row["text"] == sample_run.TEXTS["sorting"]
    assert run_tables.sample(root, "scored", 9, where={"domain": "fiction"}) == []
    assert "content" not in run_tables.sample(root, "raw", 1)[0]
    with pytest.raises(ContractError, match="no column 'domain'"):
        run_tables.sample(root, "raw", 1, where={"domain": "code"})
    with pytest.raises(ContractError, match="no such table"):
        run_tables.sample(f"{root}/nowhere", "raw", 1)


def test_sample_by_is_a_sample_of_every_value(root: str) -> None:
    found = run_tables.sample_by(root, "scored", "domain", 3)
    ids = {domain: [row["doc_id"] for row in rows] for domain, rows in found.items()}
    assert ids == {
        "code": ["sorting"],
        "mathematics": ["calculus"],
        "news": ["council"],
        "technology": ["evil"],
    }
    everything = run_tables.sample_by(root, "filtered", "source", 1)
    assert [row["doc_id"] for row in everything["web"]] == [
        row["doc_id"] for row in run_tables.sample(root, "filtered", 1)
    ]


def test_score_histograms_count_every_document_once(root: str) -> None:
    found = run_tables.score_histograms(root, num_bins=10)
    assert (found.rows_read, found.rows_total) == (4, 4)
    assert found.bins["mathematics"]["quality"].tolist() == [0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found.bins["code"]["reasoning_depth"].tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert found.means["news"]["knowledge_density"] == pytest.approx(0.3)


def test_explain_tells_the_whole_way_of_a_kept_document(root: str) -> None:
    steps = explain(root, "calculus")
    assert [step.table for step in steps] == [
        "raw", "documents", "filtered", "deduped", "scored", "tokens/mathematics-high-web", "mixtures/stage2",
    ]  # fmt: skip
    values = {step.table: step.values for step in steps}
    assert values["raw"]["origin"] == {"file": "crawl.warc.gz", "offset": 100, "length": 100}
    assert values["raw"]["content_bytes"] == len(sample_run.TEXTS["calculus"])
    assert values["documents"]["math_seen"] == 4
    assert values["filtered"]["num_words"] == 30
    assert values["deduped"]["cluster_id"] == "calculus"
    assert (values["scored"]["quality"], values["scored"]["domain"]) == (0.9, "mathematics")
    assert "text" not in values["scored"], "what an earlier step said is not said again"
    # Second of its bucket, after the 20 tokens of the first; drawn by stage 2, whose range is document 1.
    assert values["tokens/mathematics-high-web"] == {"document_number": 1, "token_start": 20, "token_end": 81}
    assert values["mixtures/stage2"]["weight"] == 0.4


def test_explain_names_the_broken_rule(root: str) -> None:
    *_, last = explain(root, "stub")
    assert last.table == "filtered_rejects"
    assert last.values["reject_reason"] == "too_few_words"
    assert last.values["measurements"] == {"num_words": 3}
    assert last.broken == ("gopher: num_words = 3, minimum 50",)
    with pytest.raises(ContractError, match="no table holds doc_id 'nobody'"):
        explain(root, "nobody")


def test_clusters_follow_duplicates_to_the_kept_document(root: str) -> None:
    (cluster,) = clusters(root, 5)
    assert (cluster.cluster_id, cluster.size) == ("sorting", 3)
    assert [(member.doc_id, member.reason, member.duplicate_of) for member in cluster.members] == [
        ("sorting", None, None),
        ("sorting-copy", "duplicate_near", "sorting"),
        ("sorting-mirror", "duplicate_exact", "sorting-copy"),
    ]
    assert cluster.members[1].excerpt == "Merge sort halves the list, nearly."
    assert clusters(root, 5, "calculus") == []


def test_equal_content_in_other_parts_is_equal(root: str, tmp_path: Path) -> None:
    sample_run.write_documents(str(tmp_path), num_parts=3)
    found = {difference.table: difference for difference in diff(root, str(tmp_path))}
    assert all(found[table].is_equal for table in ("raw", "filtered", "scored", "deduped_rejects"))
    assert found["synthetic"].fault == "only in a"


def test_diff_names_rows_and_columns(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sample_run.SCORES, "calculus", (0.2, 0.8, 0.7))
    monkeypatch.delitem(sample_run.TEXTS, "council")
    monkeypatch.setitem(sample_run.TEXTS, "newcomer", "A text of its own.")
    sample_run.write_documents(str(tmp_path))
    found = {difference.table: difference for difference in diff(root, str(tmp_path))}
    scored, raw = found["scored"], found["raw"]
    assert (scored.only_in_a, scored.only_in_b, scored.changed) == (1, 0, 1)
    assert scored.examples == ("council: only in a", "calculus: quality")
    assert (raw.only_in_a, raw.only_in_b, raw.changed) == (1, 1, 0)
    with pytest.raises(ContractError, match="no table in either"):
        diff(f"{root}/nowhere", f"{root}/else")


def test_command_line(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["inspection", *arguments])
        try:
            code = main()
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    assert "1 too_few_words" in command("counts", root)[1]
    shown = command("sample", root, "scored", "-n", "9")[1]
    assert shown.count("== ") == 4
    assert "\x1b" not in shown
    assert json.dumps({"num_words": 3}) in command("explain", root, "stub")[1]
    assert "duplicate_exact of sorting-copy" in command("clusters", root)[1]
    assert command("diff", root, root)[0] == 0
    sample_run.write_synthetic(str(tmp_path))
    assert command("diff", root, str(tmp_path))[0] == 1
    code, _, refused = command("explain", root, "nobody")
    assert (code, refused.count("\n")) == (2, 1)
    assert refused.startswith("error: ")


def test_runs_as_a_module(root: str) -> None:
    command = [sys.executable, "-m", "pipeline.inspection", "counts", root]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "1 wrong_answer" in done.stdout


def test_a_terminal_sees_no_control_characters() -> None:
    assert printable("a\x1b[2J\u202eb\tc é 数") == "a?[2J?b?c é 数"


def test_no_java_and_no_spark_are_needed() -> None:
    code = "import sys, pipeline.inspection, pipeline.report; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

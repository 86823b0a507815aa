"""What a list of URLs touches in a run written by hand, counted on the fingers."""

import sys
from pathlib import Path

import pytest

from configs.contract import ContractError
from configs.loader import ConfigError
from filters.url_lists import build_url_list
from pipeline.inspection.__main__ import main
from pipeline.inspection.forget import Affected, forget, read_urls
from tests.pipeline import sample_run
from tests.run_tables import write_table


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sample_run.write_run(str(tmp_path_factory.mktemp("run")))


def found(root: str, *entries: str) -> list[tuple[str, str, str]]:
    affected = forget(root, build_url_list({"list": entries}))
    return [(row.table, row.doc_id, row.detail) for row in affected]


def test_a_kept_page_is_followed_from_raw_to_its_tokens(root: str) -> None:
    affected = forget(root, build_url_list({"list": ["http://www.example.org/calculus/"]}))
    url = "https://example.org/calculus"
    assert affected == [
        *(
            Affected(table, "calculus", url, "kept")
            for table in ("raw", "documents", "filtered", "deduped", "scored")
        ),
        Affected("tokens/mathematics-high-web", "calculus", None, "tokens 20 to 81"),
    ]


def test_a_removed_duplicate_names_its_cluster_and_what_stays(root: str) -> None:
    assert found(root, "example.org/sorting-copy") == [
        ("raw", "sorting-copy", "kept"),
        ("documents", "sorting-copy", "kept"),
        ("filtered", "sorting-copy", "kept"),
        ("deduped_rejects", "sorting-copy", "rejected: duplicate_near of sorting"),
        (
            "deduped",
            "sorting",
            "cluster sorting of 3 documents: the text stays at https://example.org/sorting",
        ),
    ]


def test_of_a_whole_domain_nothing_stays(root: str) -> None:
    rows = found(root, "example.org")
    clusters = [detail for _, _, detail in rows if detail.startswith("cluster")]
    assert clusters == ["cluster sorting of 3 documents: nothing stays"]
    # The page with a URL of no web is in no list; raw has two rejects, one reject in each of the next two.
    assert sum(table == "raw" for table, _, _ in rows) == 7
    assert sum(table.endswith("_rejects") for table, _, _ in rows) == 2 + 1 + 1 + 2 + 1


def test_synthetic_rows_follow_what_they_were_made_of(root: str, tmp_path: Path) -> None:
    sample_run.write_documents(str(tmp_path))
    made = sample_run.synthetic_row("made", "text", "equal") | {"source_doc_id": "calculus", "url": None}
    write_table(tmp_path, "synthetic", [made])
    assert found(str(tmp_path), "example.org/calculus")[-1] == ("synthetic", "made", "made from calculus")
    assert "synthetic" not in {table for table, _, _ in found(str(tmp_path), "example.org/council")}


def test_a_page_that_is_not_there_touches_nothing(root: str) -> None:
    assert found(root, "elsewhere.example") == []
    with pytest.raises(ContractError, match="no table there; remedy"):
        forget(f"{root}/nowhere", build_url_list({"list": ["example.org"]}))


def test_the_file_is_read_or_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "urls.txt"
    for content, fault in (
        (b"# nothing\n", "lists no domain"),
        (b"not a url\n", "is neither a domain"),
        (b"\xff\xff", "is neither a domain"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=rf"urls\.txt: .*{fault}.*remedy"):
            read_urls(str(path))
    with pytest.raises(ConfigError, match=r"absent\.txt: .*remedy"):
        read_urls(str(tmp_path / "absent.txt"))


def test_command_line(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "urls.txt").write_text("example.org/council\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["inspection", "forget", root, "--urls", "urls.txt"])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr().out.splitlines()
    assert end.value.code == 0
    assert printed[0].split() == ["raw", "council", "https://example.org/council", "kept"]
    assert printed[-2:] == [
        "1 documents in 5 tables",
        'to remove them: set opt_outs = ["urls.txt"] in filter.toml, then run filter and all later jobs',
    ]

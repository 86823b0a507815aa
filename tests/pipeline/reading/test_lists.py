"""Lists of URLs and words by path: which files count, what they are called, how faults are told."""

import gzip
from pathlib import Path

import pytest

from configs.loader import ConfigError
from filters.toxicity import toxicity
from filters.url_lists import listed_by
from pipeline.reading.lists import read_url_lists, read_words


def test_a_folder_of_ut1_is_read_as_it_is(tmp_path: Path) -> None:
    adult = tmp_path / "ut1/adult"
    adult.mkdir(parents=True)
    (adult / "domains").write_text("bad.example\n")
    (adult / "urls.gz").write_bytes(gzip.compress(b"site.example/bad\n"))
    (adult / "expressions").write_text("(sex|porn).*\n")
    (adult / "usage").write_text("black\n")
    urls, digest = read_url_lists("blocked_urls", [str(tmp_path / "ut1")])
    assert listed_by("http://bad.example/x", urls) == "adult/domains: bad.example"
    assert listed_by("http://site.example/bad", urls) == "adult/urls.gz: site.example/bad"
    assert len(urls.hashes) == 2
    (adult / "domains").write_text("bad.example\nworse.example\n")
    assert read_url_lists("blocked_urls", [str(tmp_path / "ut1")])[1] != digest


def test_single_files_and_globs(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a.example\r\n\r\n# note\n")
    (tmp_path / "b.txt").write_text("b.example")
    urls, _ = read_url_lists("opt_outs", [f"{tmp_path}/a.txt", f"{tmp_path}/b.*"])
    assert listed_by("http://a.example/", urls) == f"{tmp_path.name}/a.txt: a.example"
    assert listed_by("http://b.example/", urls) == f"{tmp_path.name}/b.txt: b.example"


def test_no_path_lists_nothing() -> None:
    assert len(read_url_lists("opt_outs", [])[0].hashes) == 0


def test_faults_name_key_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'opt_outs': no file matches .*absent; remedy"):
        read_url_lists("opt_outs", [f"{tmp_path}/absent"])
    (tmp_path / "bad.txt").write_text("fine.example\nnot a domain\n")
    with pytest.raises(
        ConfigError, match=r"opt_outs: .*bad\.txt: 'not a domain' is neither a domain.*remedy"
    ):
        read_url_lists("opt_outs", [f"{tmp_path}/bad.txt"])
    with pytest.raises(ConfigError, match=r"toxic_words: 'fine\.example' is not a single word; remedy"):
        read_words("toxic_words", [f"{tmp_path}/bad.txt"])


def test_words_of_a_file_replace_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("gosh\n\n")
    own, digest = read_words("toxic_words", [str(tmp_path)])
    shipped, shipped_digest = read_words("toxic_words", [])
    assert (toxicity("gosh", own), toxicity("gosh", shipped)) == (1.0, 0.0)
    assert (toxicity("asshole", own), toxicity("asshole", shipped)) == (0.0, 1.0)
    assert digest != shipped_digest

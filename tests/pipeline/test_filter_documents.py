"""Measured first, then judged: reasons, masks and measurements of single documents, and a run's counts."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from configs.command import Place
from configs.contract import DOCUMENTS, TEXT_STATS
from configs.loader import ConfigError
from configs.reject_reasons import REJECT_REASONS
from filters.decontaminate import build_index
from filters.language import Language
from filters.measure.stats import TextStats, measure
from filters.presets import REASONS
from filters.toxicity import SHIPPED_WORDS, build_word_list
from filters.url_lists import build_url_list
from pipeline import index_benchmarks
from pipeline.filter_documents import FilterConfig, Judge, decide, language_reason, run
from tests.run_tables import write_table

CONFIG = FilterConfig(
    rules="reasonmill",
    languages=("en", "zh"),
    min_language_score=0.65,
    blocked_urls=(),
    opt_outs=(),
)
PROSE = """The town library opened its new reading room on the first Monday of the month.

Visitors found long tables, good lamps and a quiet that had been missing from the old hall. The
librarian explained that the plans had been drawn by two students, who won a contest in the spring.

In the afternoon a group of children came with their teacher and heard a story about a fox. Several
of them asked whether they could borrow the book, and all of the copies were gone by the evening.
"""
GERMAN = """Die Bücherei der Stadt hat am ersten Montag des Monats ihren neuen Lesesaal eröffnet.

Die Besucher fanden lange Tische, gute Lampen und eine Ruhe, die im alten Saal gefehlt hatte. Die
Leiterin erklärte, dass zwei Studenten die Pläne gezeichnet und im Frühling den Preis gewonnen hatten.
"""
CHINESE = """镇上的图书馆在本月的第一个星期一开放了新的阅览室。

来的人看到的是长桌、明亮的灯，还有旧楼里一直没有的安静。馆长说，设计出自两名学生之手，他们在春天的比赛中得了奖。

下午，一群孩子和老师一起来听狐狸的故事。有几个孩子问能不能把书借回家，到了晚上，所有的书都借完了。
"""
PROBLEM = (
    "A farmer plants 37 rows of trees with 12 trees each, loses every ninth tree in a storm and replaces "
    "half of the lost ones in spring. How many trees stand in the orchard in summer?"
)


def document(text: str) -> dict[str, object]:
    counts = dict.fromkeys(("code_seen", "code_kept", "math_seen", "math_kept"), 0)
    origin = {"file": "f", "offset": 0, "length": 1}
    row = dict.fromkeys(DOCUMENTS.names) | counts | {"origin": origin, "source": "web", "engine": "x"}
    return row | {"doc_id": str(len(text)), "kind": "html", "text": text}


def judged(
    text: str, config: FilterConfig = CONFIG, problems: str = "", url: str | None = None
) -> dict[str, object]:
    index = build_index([("set/1", problems)] if problems else [])
    blocked = build_url_list({"ads/domains": ["blocked.example"]})
    opted_out = build_url_list({"opt-outs.txt": ["asked.example/diary"]})
    words = build_word_list(SHIPPED_WORDS)
    everything = Judge(config, index, words, blocked, opted_out)
    return decide(document(text) | {"url": url}, everything)


def test_the_contract_knows_every_reason_and_measurement() -> None:
    assert REJECT_REASONS["filtered"] == (
        *("opted_out", "blocked_url", "language", "unknown_language"),
        *REASONS,
        *("too_toxic", "contaminated"),
    )
    assert TEXT_STATS.names == [field.name for field in fields(TextStats)]


def test_good_prose_is_kept_with_its_measurements() -> None:
    row = judged(PROSE)
    assert row["reject_reason"] is None
    assert (row["language"], row["pii_masked"], row["text"]) == ("en", 0, PROSE)
    assert {name: row[name] for name in TEXT_STATS.names} == asdict(measure(PROSE))


def test_rules_decide_and_keep_what_they_decided_on() -> None:
    row = judged("Too short. Write to jane.roe@firm.de.")
    assert row["reject_reason"] == "too_few_words"
    measured = json.loads(row["measurements"])
    assert measured["num_words"] < 50
    assert measured.keys() == {"language", "language_score", "toxicity", *TEXT_STATS.names}
    assert row["excerpt"] == "Too short. Write to <EMAIL>."


def test_other_languages_are_rejected_unless_all_are_wanted() -> None:
    everything = CONFIG.model_copy(update={"languages": None})
    german = Language("de", 0.99)
    assert language_reason(german, measure(GERMAN), CONFIG) == "language"
    assert language_reason(german, measure(GERMAN), everything) is None


def test_unknown_language_is_for_code_and_math_only() -> None:
    unknown = Language("es", 0.3)
    assert language_reason(unknown, measure(PROSE), CONFIG) == "unknown_language"
    assert language_reason(unknown, measure("```python\n" + "x = 1\n" * 50 + "```\n"), CONFIG) is None
    assert language_reason(unknown, measure("$x^2 + y^2 = z^2 + 1$ " * 9), CONFIG) is None


def test_code_without_a_fence_has_no_language_to_be_rejected_for() -> None:
    catalan = Language("ca", 0.9)
    assert (
        language_reason(
            catalan, measure("def total(a, b):\n    # of the two\n    return a + b\n" * 9), CONFIG
        )
        is None
    )
    assert language_reason(catalan, measure("```\nx = 1\n```\n" + GERMAN), CONFIG) == "language"


def test_two_wanted_languages_on_one_page_are_sure_together() -> None:
    assert language_reason(Language("en", 0.5, "zh", 0.4), measure(PROSE), CONFIG) is None
    assert language_reason(Language("en", 0.5, "de", 0.4), measure(PROSE), CONFIG) == "unknown_language"


def test_the_language_comes_before_the_rules_and_is_named() -> None:
    row = judged(GERMAN + "\nEnde {")
    assert row["reject_reason"] == "language"
    assert row["detail"].startswith("de ")


def test_each_language_has_its_rules() -> None:
    assert judged(CHINESE)["reject_reason"] is None
    assert judged(CHINESE)["language"] == "zh"
    everything = CONFIG.model_copy(update={"languages": None})
    assert judged(GERMAN, everything)["reject_reason"] is None
    assert judged(GERMAN.replace(".", ""), everything)["reject_reason"] == "too_few_punctuated_lines"
    assert judged(CHINESE.replace("。", "，"))["reject_reason"] == "too_few_punctuated_lines"


def test_contaminated_documents_name_the_problem() -> None:
    row = judged(PROSE + "\n" + PROBLEM.replace("trees", "**trees**") + "\n", problems=PROBLEM)
    assert (row["reject_reason"], row["detail"]) == ("contaminated", "set/1")
    assert judged(PROSE, problems=PROBLEM)["reject_reason"] is None


def test_masking_is_recorded_and_the_measurements_are_of_the_masked_text() -> None:
    row = judged(PROSE + "\nQuestions go to jane.roe@firm.de or to john.doe@firm.de, who will answer them.\n")
    assert row["pii_masked"] == 2
    assert row["text"].count("<EMAIL>") == 2
    assert {name: row[name] for name in TEXT_STATS.names} == asdict(measure(row["text"]))


def test_of_an_opted_out_page_only_id_and_url_remain() -> None:
    row = judged(PROSE, url="https://asked.example/diary/monday")
    assert (row["reject_reason"], row["detail"]) == ("opted_out", "opt-outs.txt: asked.example/diary")
    assert row.get("excerpt") is None
    assert judged(PROSE, url="https://asked.example/shop")["reject_reason"] is None


def test_blocked_urls_name_list_and_entry() -> None:
    row = judged(PROSE + "\nWrite to jane.roe@firm.de.\n", url="http://www.blocked.example/page")
    assert (row["reject_reason"], row["detail"]) == ("blocked_url", "ads/domains: blocked.example")
    assert row["excerpt"].endswith("<EMAIL>.\n")


def test_toxicity_is_measured_and_dropped_only_where_the_preset_says() -> None:
    rude = PROSE + "\nThe bullshit ended when the asshole left, as several of the visitors said.\n"
    row = judged(rude)
    assert row["reject_reason"] is None
    assert 0.01 < row["toxicity"] < 0.05
    strict = judged(rude, CONFIG.model_copy(update={"max_toxicity": 0.01}))
    assert (strict["reject_reason"], json.loads(strict["measurements"])["toxicity"]) == (
        "too_toxic",
        row["toxicity"],
    )
    assert judged(PROSE, CONFIG.model_copy(update={"max_toxicity": 0.0}))["reject_reason"] is None


def test_licence_is_a_column() -> None:
    assert judged(PROSE + "\nSPDX-License-Identifier: MIT\n")["licence"] == "MIT"


def index_problem(place: Place, text: str) -> None:
    """Commit a benchmark_index of one problem."""
    benchmark = Path(place.output, "set.jsonl")
    benchmark.write_text(json.dumps({"question": text}))
    (place.preset / "benchmarks.toml").write_text(
        f'[[benchmarks]]\npath = "{benchmark}"\ntext_fields = ["question"]\n'
    )
    index_benchmarks.run(place)


@pytest.mark.spark
def test_run_accounts_for_every_row(spark: SparkSession, tmp_path: Path) -> None:
    root = str(tmp_path)
    asked = document(PROSE.replace("fox", "badger")) | {"url": "https://asked.example/", "doc_id": "asked"}
    rows = [document(PROSE), document(GERMAN), document("Short."), document(PROSE + "\n" + PROBLEM), asked]
    write_table(root, "documents", rows)
    (tmp_path / "opt-outs").write_text("# nobody yet\n")
    place = Place(tmp_path / "p", root, root)
    place.preset.mkdir()
    index_problem(place, PROBLEM)
    toml = (
        'rules = "{rules}"\nlanguages = ["en"]\nmin_language_score = 0.65\n'
        f'blocked_urls = []\nopt_outs = ["{tmp_path}/opt-outs"]\n'
    )
    (place.preset / "filter.toml").write_text(toml.format(rules="reasonmill"))
    manifest = run(spark, place)
    assert (manifest.rows_in, manifest.rows_out, sum(manifest.rejected.values())) == (5, 2, 3)
    assert {"contaminated", "too_few_words"} < manifest.rejected.keys()
    assert manifest.inputs.keys() == {"documents", "benchmark_index"}
    assert run(spark, place) == manifest
    (tmp_path / "opt-outs").write_text("asked.example\n")
    assert run(spark, place).rejected == {**manifest.rejected, "opted_out": 1}
    index_problem(place, "Another problem that nobody has written into any of these documents so far.")
    assert "contaminated" not in run(spark, place).rejected
    (place.preset / "filter.toml").write_text(toml.format(rules="unheard-of"))
    with pytest.raises(ConfigError, match=r"filter\.toml: rules: .*'unheard-of'.*remedy"):
        run(spark, place)

"""The page shows the run's numbers, works on half a run, and nothing of a hostile document can act in it."""

import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from latex2mathml.converter import Converter

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from pipeline.inspection.summary import read_training, summarise, summary_lines
from pipeline.inspection.volume import tokens_per_word, volumes
from pipeline.report import charts
from pipeline.report.__main__ import run
from pipeline.report.render_document import escape, render_document, render_formula
from tests.pipeline import sample_run
from tests.run_tables import write_table

TINY = Path("configs/tiny")
VOID = {"meta", "br", "img", "link", "input", "hr", "base", "source", "embed"}


class Elements(HTMLParser):
    """Every element with its attributes, and whether tags are balanced."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sample_run.write_run(str(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def page(root: str) -> str:
    return Path(run(Place(TINY, root, root))).read_text(encoding="utf-8")


def test_summary_holds_the_run(root: str) -> None:
    summary = json.loads(json.dumps(summarise(root)))
    assert summary["tables"]["deduped"]["in"] == 6
    assert summary["tables"]["deduped"]["rejected"] == {"duplicate_exact": 1, "duplicate_near": 1}
    assert summary["tokens"]["train"] == 81
    assert summary["tokens"]["heldout"] == 30
    assert summary["tokens"]["buckets"]["heldout/math"] == {"documents": 1, "tokens": 30}
    stage3 = summary["mixtures"]["stage3"]
    assert stage3["math_and_code_fraction"] == pytest.approx(0.8)
    assert stage3["tokens"] == 400 + 300 + 200 + 2 * 100
    assert stage3["source"] == pytest.approx({"web": 0.9, "synthetic": 0.1})
    training = summary["training"]
    assert (training["steps"], training["tokens_seen"]) == (12, 1200)
    assert training["train/loss_nats"]["first"] == 7.5
    assert training["train/loss_nats"]["last"] == 2.0
    assert training["train/mtp_loss_nats"]["stages"]["stage2"] == {"first": 6.5, "last": 5.0}
    assert summary["evaluation"]["stage3"]["math"] == {"bits_per_byte": 1.5, "greedy_acceptance": 0.75}
    assert summary["seconds"] == 9.0
    assert summary["missing"] == {}


def test_summary_is_ten_lines(root: str, tmp_path: Path) -> None:
    lines = summary_lines(summarise(root))
    assert len(lines) == 10
    assert " ".join(lines[2].split()) == "filtered 6 of 7 kept; 1 too_few_words"
    assert lines[7].endswith("7.5000 -> 2.0000 nats (26.7 % of the first)")
    assert "bits per byte math 1.500, code 1.750; greedy acceptance math 0.750" in lines[9]
    sample_run.write_synthetic(str(tmp_path))
    half = summary_lines(summarise(str(tmp_path)))
    assert len(half) == 10
    assert half[0].endswith("not there yet: make ingest")
    assert half[9].endswith("not there yet: make evaluate")


def test_a_resumed_step_counts_once_and_a_cut_line_not_at_all(root: str) -> None:
    training = read_training(root)
    assert training is not None
    assert training.tokens_seen.tolist() == [100.0 * step for step in range(1, 13)]
    assert training.series["train/loss_nats"][4] == 5.5
    assert training.stage_starts() == {"stage 1": 0.0, "stage 2": 400.0, "stage 3": 800.0}


def test_words_in_are_what_the_table_before_kept(root: str) -> None:
    found = volumes(root)
    assert (found["filtered"].words_in, found["filtered"].words_out) == (91, 88)
    assert found["filtered"].words_rejected == {"too_few_words": 3}
    assert (found["deduped"].words_in, found["deduped"].words_out) == (88, 80)
    assert found["synthetic"].words_in is None, "its reject has no count of words"
    assert tokens_per_word(root) == 2.0


def test_page_shows_every_part_of_the_run(page: str, root: str) -> None:
    for reason in ("warc_truncated_record", "empty_text", "too_few_words", "duplicate_near", "wrong_answer"):
        assert reason in page
    for text in ("stage3", "mathematics", "bits per byte, math", "first 7.5, last 2", "7.50 → 2.00"):
        assert text in page
    assert "sampling overlap, code</td><td class='num'>0.625" in page
    figures = ("2", "0.750 -", "1.75", "0.12", "1.40", "1.30", "321", "0.00")
    cells = "".join(f"<td class='num'>{figure}</td>" for figure in figures)
    assert f"<td>as trained</td><td>math</td><td>sampled</td>{cells}" in page
    assert page.count('<svg class="histogram"') == 3 * 4
    assert page.count('<svg class="lines"') == 2
    assert "<msubsup>" in page or "<munderover>" in page
    assert '<pre class="code" data-language="python">def halves(items):' in page
    assert "not finished" not in page
    assert json.loads(Path(root, "summary.json").read_text())["tokens"]["train"] == 81


def test_page_is_whole_html_and_loads_nothing(page: str) -> None:
    elements = Elements(page)
    assert (elements.unbalanced, elements.open) == ([], [])
    names = {tag for tag, _ in elements.found}
    assert not names & {
        "script",
        "img",
        "iframe",
        "object",
        "embed",
        "link",
        "base",
        "form",
        "image",
        "use",
        "animate",
    }
    policy = next(at["content"] for tag, at in elements.found if tag == "meta" and "http-equiv" in at)
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    for tag, attributes in elements.found:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in page
    assert "@import" not in page


def test_hostile_documents_are_shown_as_text(page: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;img src=x onerror=alert(2)&gt;" in page
    assert "&lt;/pre&gt;&lt;script&gt;alert(5)" in page
    assert "<svg onload" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page, "no override of the text direction"


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
        r"\mathrm{<img src=x onerror=alert(1)>}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{position:fixed;top:0}{x}",
        r"\class{sample}{x}",
        r"\color{red\" onmouseover=\"alert(1)}{y}",
        r"\hspace{-999em}x",
        r"\unknown{<b>}",
        r"\left( <script>",
        r"\newcommand{\a}{\a\a}\a",
        "{" * 700,
        "x" * 5_000,
    ],
)
def test_formulas_keep_only_plain_mathml(latex: str) -> None:
    shown = render_formula(latex, is_block=False)
    elements = Elements(shown)
    assert (elements.unbalanced, elements.open) == ([], [])
    for tag, attributes in elements.found:
        assert tag == "code" or tag == "math" or tag.startswith("m"), tag
        assert not attributes.keys() & {"href", "style", "id", "src", "onmouseover"}
        assert tag == "code" or "class" not in attributes
        assert "-999em" not in attributes.values()


def test_elements_that_are_not_mathml_leave_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The converter makes none today; a later version could."""
    made = ElementTree.fromstring(
        '<math><mi>a</mi><script src="x">alert(1)</script><mo onclick="b">+</mo></math>'
    )
    monkeypatch.setattr(Converter, "convert_to_element", lambda *_: made)
    assert render_formula("a", is_block=False) == "<math><mi>a</mi>alert(1)<mo>+</mo></math>"


def test_formula_that_cannot_be_converted_is_shown_as_source() -> None:
    assert render_formula(r"\left(", is_block=False) == r'<code class="tex">\left(</code>'
    assert render_formula(r"\newcommand{\a}{b}", is_block=True).startswith('<code class="tex">')
    fraction = render_formula(r"\frac{1}{2}", is_block=True)
    assert '<math display="block">' in fraction
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>2</mn></mrow></mfrac>" in fraction


def test_document_is_cut_and_escaped() -> None:
    assert render_document("# A <b>\n\ntext & more", 100) == "<strong>A &lt;b&gt;</strong>\n\ntext &amp; more"
    assert render_document("abcdef", 3) == "abc …"
    assert render_document("so\n\n```c\nint a;\n```\n\nthen", 99) == (
        'so<pre class="code" data-language="c">int a;</pre>then'
    )
    assert escape("\x00\"'<") == "\N{REPLACEMENT CHARACTER}&quot;&#x27;&lt;"


def test_half_a_run_says_what_is_missing(tmp_path: Path) -> None:
    root = str(tmp_path)
    sample_run.write_documents(root)
    shutil.rmtree(tmp_path / "scored")
    shutil.rmtree(tmp_path / "scored_rejects")
    page = Path(run(Place(TINY, root, root))).read_text(encoding="utf-8")
    assert "This run is not finished" in page
    for target in ("make score", "make plan", "make tokenize", "make stage1 stage2 stage3", "make evaluate"):
        assert f"<code>{target}</code>" in page
    assert "too_few_words" in page
    assert json.loads((tmp_path / "summary.json").read_text())["missing"]["scored"] == "make score"


def test_tables_without_rows(tmp_path: Path) -> None:
    root = str(tmp_path)
    for table in ("raw", "documents", "filtered", "deduped", "scored"):
        write_table(root, table)
    page = Path(run(Place(TINY, root, root))).read_text(encoding="utf-8")
    assert Elements(page).unbalanced == []


def test_large_runs_keep_the_page_small(page: str, tmp_path: Path) -> None:
    root = str(tmp_path)
    rows = [sample_run.document_row(f"doc-{n}", "word " * 2_000) for n in range(300)]
    reasons = [sample_run.reject_row(f"no-{n}", "too_few_words", excerpt="x" * 2_000) for n in range(300)]
    write_table(root, "filtered", rows, rejects=[reasons])
    write_table(root, "scored", rows)
    log = [{"step": n, "tokens_seen": n, "stage": 1, "train/loss_nats": 1.0} for n in range(1, 20_001)]
    tables.write_bytes(root, "train/metrics.jsonl", "\n".join(map(json.dumps, log)).encode())
    path = Path(run(Place(TINY, root, root)))
    assert path.stat().st_size < 2 * len(page.encode())


def test_nothing_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no table there"):
        run(Place(TINY, str(tmp_path / "empty"), str(tmp_path / "empty")))
    assert not (tmp_path / "empty").exists()
    command = [sys.executable, "-m", "pipeline.report", "--preset", "configs/tiny", "--input", str(tmp_path)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample_run.write_documents(str(tmp_path))
    run(Place(TINY, str(tmp_path), str(tmp_path), dry_run=True))
    assert "report: would write" in capsys.readouterr().out
    assert not (tmp_path / "report.html").exists()


def test_ticks_and_numbers() -> None:
    assert charts.ticks(0.0, 9.0, 5) == [0, 2, 4, 6, 8, 10]
    assert charts.ticks(2.1, 2.9, 4) == pytest.approx([2.0, 2.2, 2.4, 2.6, 2.8, 3.0])
    assert [charts.number(n) for n in (0, 0.25, 950, 3_913.4, 12_345, 4_560_000, 17.784e12)] == [
        "0", "0.25", "950", "3,913", "12.3k", "4.56M", "17.8T",
    ]  # fmt: skip
    assert [charts.percent(n, 10_000) for n in (0, 1, 5_000, 9_999, 10_000)] == [
        "0.0 %", "<0.1 %", "50.0 %", ">99.9 %", "100.0 %",
    ]  # fmt: skip


def test_long_curves_are_thinned_to_means() -> None:
    x = np.arange(100_000, dtype=float)
    thin_x, thin_y = charts.thin(x, 3 * x)
    assert len(thin_x) == charts.MAX_POINTS
    assert (thin_x[0], thin_x[-1]) == (0.0, 99_999.0)
    assert np.allclose(thin_y, 3 * thin_x)
    assert np.all(np.diff(thin_x) > 0)

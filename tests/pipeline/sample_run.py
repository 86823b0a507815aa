"""A run folder written by hand: every table with literal rows, small enough to count on one's fingers.

raw 10 in, 8 out; documents 8 in, 7 out; filtered 7 in, 6 out; deduped 6 in, 4 out; scored 4; synthetic 3 in,
2 out. `evil` is a document that attacks whoever shows it.
"""

import json
from datetime import UTC, datetime

from configs import tables
from configs.contract import MIXTURE, SPANS
from tests.run_tables import Rows, deal, parquet, write_files, write_table

EVIL_TEXT = (
    "# Attack <script>alert(1)</script>\n\n<img src=x onerror=alert(2)> & </div></section>\n"
    r"$\text{<script>alert(3)</script>}$ and $\href{javascript:alert(4)}{x}$ and $\style{position:fixed}{y}$ "
    r"and $\hspace{-999em}z$" + "\n\n"
    '```"><script>\n</pre><script>alert(5)</script>\n```\n\x1b[2J &lt;script&gt; `<b>` \u202e\n'
)
TEXTS = {
    "calculus": "# Integrals\n\nBy parts: $\\int u\\,dv = uv - \\int v\\,du$, so\n\n"
    "$$\\int_0^1 x e^x\\,dx = \\left[x e^x\\right]_0^1 - (e - 1) = 1.$$\n\nFor $n \\ge 1$ repeat it.",
    "sorting": "Merge sort halves the list.\n\n```python\ndef halves(items):\n    middle = len(items) // 2\n"
    "    return items[:middle], items[middle:]\n```\n\nIt takes $O(n \\log n)$ steps.",
    "evil": EVIL_TEXT,
    "council": "The council met on Monday and adjourned.",
    "sorting-copy": "Merge sort halves the list, nearly.",
    "sorting-mirror": "Merge sort halves the list, nearly.",
    "stub": "Page not found.",
    "empty": "",
}
DOMAINS = {"calculus": "mathematics", "sorting": "code", "evil": "technology", "council": "news"}
SCORES = {  # quality, knowledge density, reasoning depth
    "calculus": (0.9, 0.8, 0.7),
    "sorting": (0.8, 0.6, 0.5),
    "evil": (0.1, 0.0, 0.0),
    "council": (0.5, 0.3, 0.1),
}
TOKENS = {"calculus": 60, "sorting": 40, "evil": 50, "council": 10}
NUM_WORDS = {"calculus": 30, "sorting": 20, "evil": 25, "council": 5, "stub": 3}
FETCHED = datetime(2024, 1, 2, tzinfo=UTC)


def document_row(doc_id: str, text: str) -> dict[str, object]:
    """Columns of every table from documents on, by their schemas' types, with what is known filled in."""
    scores = SCORES.get(doc_id, (1.0, 0.5, 1.0))
    return {
        "doc_id": doc_id,
        "source": "web",
        "url": "javascript:alert(6)" if doc_id == "evil" else f"https://example.org/{doc_id}",
        "fetched_at": FETCHED,
        "title": '"><svg onload=alert(7)>' if doc_id == "evil" else doc_id.title(),
        "text": text,
        "kind": "html",
        "engine": "trafilatura",
        "code_seen": text.count("```python"),
        "code_kept": text.count("```python"),
        "math_seen": text.count("$") // 2,
        "math_kept": text.count("$") // 2,
        "origin": {"file": "crawl.warc.gz", "offset": 100, "length": 100},
        "language": "en",
        "language_score": 0.99,
        "num_words": NUM_WORDS.get(doc_id, 4),
        "num_chars": len(text),
        "licence": None,
        "pii_masked": 0,
        "contaminated_by": None,
        "cluster_id": "sorting" if doc_id == "sorting" else doc_id,
        "cluster_size": 3 if doc_id == "sorting" else 1,
        "duplicate_urls": ["https://example.org/sorting-copy"] if doc_id == "sorting" else [],
        "duplicate_domains": [],
        "split": "train",
        "domain": DOMAINS.get(doc_id, "mathematics"),
        "quality": scores[0],
        "knowledge_density": scores[1],
        "reasoning_depth": scores[2],
        "token_count": TOKENS.get(doc_id, 20),
    }  # fmt: skip


def synthetic_row(doc_id: str, text: str, verdict: str) -> dict[str, object]:
    """A verified problem of the symbolic teacher."""
    return document_row(doc_id, text) | {
        "source": "synthetic",
        "kind": "text",
        "problem_id": doc_id,
        "source_doc_id": None,
        "teacher": "symbolic",
        "seed": 1,
        "prompt_hash": "0" * 32,
        "verdict": verdict,
        "pass_rate": 1.0,
    }


def reject_row(doc_id: str, reason: str, **known: object) -> dict[str, object]:
    """A reject with whatever is known of it."""
    return {
        "doc_id": doc_id,
        "source": "web",
        "url": f"https://example.org/{doc_id}",
        "kind": "html",
        "origin": {"file": "crawl.warc.gz", "offset": 7, "length": 9},
        "reject_reason": reason,
        **known,
    }


def write_documents(root: str, num_parts: int = 1) -> None:
    """Tables raw to scored."""

    def write(table: str, rows: Rows, *rejects: dict[str, object], **config: object) -> None:
        dealt, rejected = deal(rows, num_parts), deal(rejects, num_parts)
        write_table(root, table, *dealt, rejects=rejected, config=config)

    rows = {doc_id: document_row(doc_id, text) for doc_id, text in TEXTS.items()}
    raw = [row | {"content": TEXTS[key].encode(), "content_type": "text/html"} for key, row in rows.items()]
    cut, gone = (
        reject_row("cut", "warc_truncated_record"),
        reject_row("gone", "http_error_status", detail="404"),
    )
    write("raw", raw, cut, gone)
    documents = [row for key, row in rows.items() if key != "empty"]
    write("documents", documents, reject_row("empty", "empty_text"))
    filtered = [row for row in documents if row["doc_id"] != "stub"]
    measured = json.dumps({"num_words": 3})
    stub = reject_row("stub", "too_few_words", excerpt=TEXTS["stub"], measurements=measured)
    write("filtered", filtered, stub, rules="gopher")
    deduped = [row for row in filtered if row["doc_id"] in DOMAINS]
    near, exact = (
        reject_row("sorting-copy", "duplicate_near", duplicate_of="sorting", excerpt=TEXTS["sorting-copy"]),
        reject_row("sorting-mirror", "duplicate_exact", duplicate_of="sorting-copy", excerpt="the same"),
    )
    write("deduped", deduped, near, exact)
    write("scored", deduped)


def write_synthetic(root: str) -> None:
    """Two verified problems and one wrong answer."""
    rows = [
        synthetic_row("problem-1", "What is $6 \\cdot 7$?\n\n$6 \\cdot 7 = 42$.", "equal"),
        synthetic_row("problem-2", "Factor $x^2 - 1$.\n\n$(x-1)(x+1)$", "equal"),
    ]
    wrong = reject_row("problem-3", "wrong_answer", excerpt="$1+1=3$")
    write_table(root, "synthetic", rows, rejects=[[wrong]])


def write_plans(root: str) -> None:
    """Three stages over three buckets; calculus is the only document of its bucket."""
    plans = {
        1: {"mathematics-high-web": 0.3, "code-high-web": 0.2, "news-low-web": 0.5},
        2: {"mathematics-high-web": 0.4, "code-high-web": 0.3, "news-low-web": 0.3},
        3: {"mathematics-high-web": 0.4, "code-high-web": 0.3, "news-low-web": 0.2},
    }
    plans[3]["mathematics-high-synthetic"] = 0.1
    for stage, buckets in plans.items():
        rows = []
        for bucket, weight in buckets.items():
            domain, band, source = bucket.split("-")
            rows.append(
                {
                    "bucket": bucket, "domain": domain, "band": band, "source": source, "weight": weight,
                    "epochs": 2.0 if source == "synthetic" else 1.0, "document_start": stage - 1,
                    "document_end": stage, "tokens": round(1000 * weight),
                }
            )  # fmt: skip
        write_files(
            root, f"mixtures/stage{stage}", {"data/part-0.parquet": parquet(rows, MIXTURE)}, len(rows)
        )


def write_tokens(root: str) -> None:
    """One bucket of two documents, calculus second, and one held-out group."""
    for bucket, documents in (
        ("mathematics-high-web", {"other": 20, "calculus": 61}),
        ("heldout/math", {"held": 30}),
    ):
        spans, start = [], 0
        for doc_id, tokens in documents.items():
            spans.append({"token_start": start, "token_end": start + tokens, "doc_id": doc_id})
            start += tokens
        write_files(
            root, f"tokens/{bucket}", {"spans.parquet": parquet(spans, SPANS)}, len(spans),
            num_documents=len(spans), num_tokens=start,
        )  # fmt: skip


def write_training(root: str) -> None:
    """Twelve steps of 100 tokens in three stages; step 5 is logged twice, the last line is cut by a kill."""
    lines = []
    for step in [1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12]:
        row = {
            "step": step,
            "tokens_seen": 100 * step,
            "stage": 1 + (step - 1) // 4,
            "train/loss_nats": 99.0 if step == 5 and len(lines) == 4 else 8.0 - 0.5 * step,
            "train/mtp_loss_nats": 9.0 - 0.5 * step,
            "train/learning_rate": 1e-3 / step,
        }
        lines.append(json.dumps(row))
    tables.write_bytes(root, "train/metrics.jsonl", ("\n".join(lines) + '\n{"step": 13, "tok').encode())
    stages = [
        {
            "stage": stage,
            "groups": {
                "math": {
                    "bits_per_byte": 3.0 - 0.5 * stage,
                    "greedy_acceptance": 0.25 * stage,
                    "agreement": None,
                },
                "code": {
                    "bits_per_byte": 2.5 - 0.25 * stage,
                    "greedy_acceptance": 0.5,
                    "sampling_overlap": 0.625,
                },
            },
        }
        for stage in (1, 2, 3)
    ]
    way = {"num_drafts": 2, "temperature": 1.0, "acceptance": [0.75, None], "acceptance_length": 1.75}
    way |= {"draft_cost": 0.125, "modelled_speedup": 1.4, "measured_speedup": 1.3}
    way |= {"tokens_per_second": 321.0, "repeat_fraction": 0.0}
    report = {"stages": stages, "served": {"math": [way], "prose": []}}
    tables.write_bytes(root, "evaluation.json", json.dumps(report).encode())


def write_run(root: str) -> str:
    """All of it; returns `root`."""
    write_documents(root)
    write_synthetic(root)
    write_plans(root)
    write_tokens(root)
    write_training(root)
    return root

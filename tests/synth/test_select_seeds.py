from pathlib import Path
from typing import Any

from synth.select_seeds import SeedConfig, select_seeds


def document(doc_id: str, depth: float, domain: str = "science", split: str = "train") -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "reasoning_depth": depth,
        "domain": domain,
        "split": split,
        "text": f"text of {doc_id}",
    }


CONFIG = SeedConfig(num_seeds=3, min_reasoning_depth=0.6, max_passage_chars=7)


def test_the_deepest_stem_documents_of_the_training_split(tmp_path: Path, write_rows: Any) -> None:
    documents = [
        document("shallow", 0.5),
        document("deep", 0.8),
        document("news", 0.9, domain="news"),
        document("heldout", 0.9, split="heldout"),
        document("deepest", 0.9, domain="mathematics"),
        document("enough", 0.6),
        document("more", 0.7),
    ]
    table = write_rows(tmp_path, "scored", {"web": documents})
    seeds = select_seeds(table, CONFIG, seed=1)
    assert [seed.doc_id for seed in seeds] == ["deepest", "deep", "more"]
    assert seeds[0].passage == "text of"


def test_ties_are_drawn_by_the_seed_whatever_the_order_of_rows(tmp_path: Path, write_rows: Any) -> None:
    documents = [document(f"d{i}", 0.8) for i in range(30)]
    forward = write_rows(tmp_path / "a", "scored", {"web": documents})
    backward = write_rows(tmp_path / "b", "scored", {"web": documents[::-1]})
    chosen = [seed.doc_id for seed in select_seeds(forward, CONFIG, seed=1)]
    assert chosen == [seed.doc_id for seed in select_seeds(backward, CONFIG, seed=1)]
    assert chosen != [seed.doc_id for seed in select_seeds(forward, CONFIG, seed=2)]

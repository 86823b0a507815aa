"""Configuration of deduplication (dedup.toml): what is compared, what is removed, when the job stops."""

from typing import Annotated

from annotated_types import Gt, Lt

from configs.bounds import Fraction, Positive
from configs.loader import Config


class DedupConfig(Config):
    """Settings of deduplication, read from dedup.toml."""

    bands: Positive
    """Number of bands of the MinHash signature. More bands find more pairs."""
    rows_per_band: Positive
    """Values per band; more find fewer pairs. A pair is found with probability 1 - (1 - J^rows)^bands."""
    minhash_seed: int
    """Seed of the MinHash permutations."""
    jaccard_threshold: Annotated[Fraction, Gt(0.0)]
    """Candidates are near-duplicates if the Jaccard similarity of their word 5-grams is at least this."""
    max_bucket_leaders: Positive
    """Number of best documents per bucket that all others in the bucket are compared with."""
    max_round_documents: Positive
    """Documents of one cluster that one task decides. A larger cluster takes rounds, best documents first."""
    max_source_loss_fraction: Annotated[Fraction, Gt(0.0), Lt(1.0)] | None = None
    """The job stops if a source would lose more than this fraction of its documents; absent: never."""
    min_guarded_documents: Positive
    """A source with fewer documents may lose any fraction of them."""
    bytes_per_task: Positive
    """Bytes of input Parquet per task that writes the table, on average; a task writes one part."""
    heldout_fraction: Annotated[Fraction, Lt(1.0)]
    """Fraction of the sites that are held out (of the documents, where there is no URL)."""
    split_seed: int
    """Seed of the hash that chooses the held-out sites."""

    def num_tasks(self, num_bytes: int) -> int:
        """Return the number of tasks that write the table for this much input Parquet, at least one."""
        return max(1, -(-num_bytes // self.bytes_per_task))

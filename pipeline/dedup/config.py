"""dedup.toml: what deduplication compares, what it removes, when it stops."""

from typing import Annotated

from annotated_types import Gt, Lt

from configs.bounds import Fraction, Positive
from configs.loader import Config


class DedupConfig(Config):
    """dedup.toml."""

    bands: Positive
    """Bands of the signature: more find more pairs."""
    rows_per_band: Positive
    """Places per band: more find fewer pairs. Found with probability 1 - (1 - J^rows)^bands."""
    minhash_seed: int
    """Seed of the permutations."""
    jaccard_threshold: Annotated[Fraction, Gt(0.0)]
    """Candidates whose word 5-grams are this similar are near-duplicates."""
    max_bucket_leaders: Positive
    """Documents of a bucket that all others in it are compared with."""
    max_round_documents: Positive
    """Documents of one cluster that one task decides on; a larger one takes rounds, its best first."""
    max_source_loss_fraction: Annotated[Fraction, Gt(0.0), Lt(1.0)] | None = None
    """The job stops when a source would lose more than this share of its documents; absent: it never does."""
    min_guarded_documents: Positive
    """Sources with fewer documents are not guarded."""
    bytes_per_part: Positive
    """Bytes of input Parquet per part of the table, on average; a part must fit in a task's memory."""
    heldout_fraction: Annotated[Fraction, Lt(1.0)]
    """Share of the sites (documents, where there is no URL) that are held out."""
    split_seed: int
    """Seed of the hash that chooses them."""

    def num_parts(self, num_bytes: int) -> int:
        """Parts of the table for this much input Parquet; at least one."""
        return max(1, -(-num_bytes // self.bytes_per_part))

"""dedup.toml: what deduplication compares, what it removes, when it stops."""

from typing import Annotated

from pydantic import Field

from configs.loader import Config


class DedupConfig(Config):
    """dedup.toml."""

    bands: Annotated[int, Field(gt=0)]
    """Bands of the signature: more find more pairs."""
    rows_per_band: Annotated[int, Field(gt=0)]
    """Places per band: more find fewer pairs. Found with probability 1 - (1 - J^rows)^bands."""
    minhash_seed: int
    """Seed of the permutations."""
    jaccard_threshold: Annotated[float, Field(gt=0, le=1)]
    """Candidates whose word 5-grams are this similar are near-duplicates."""
    max_bucket_leaders: Annotated[int, Field(gt=0)]
    """Documents of a bucket that all others in it are compared with."""
    max_round_documents: Annotated[int, Field(gt=0)]
    """Documents of one cluster that one task decides on; a larger one takes rounds, its best first."""
    max_source_loss_fraction: Annotated[float, Field(gt=0, le=1)]
    """The job stops when a source would lose more than this share of its documents; at 1 it never does."""
    min_guarded_documents: Annotated[int, Field(gt=0)]
    """Sources with fewer documents are not guarded."""
    num_parts: Annotated[int, Field(gt=0)]
    """Parts of the table; one must fit in a task's memory."""
    heldout_fraction: Annotated[float, Field(ge=0, lt=1)]
    """Share of the sites (documents, where there is no URL) that are held out."""
    split_seed: int
    """Seed of the hash that chooses them."""

"""Configuration of deduplication (dedup.toml): what is compared, what is removed, when the job stops."""

from typing import Annotated

from pydantic import Field

from configs.loader import Config


class DedupConfig(Config):
    """Settings of deduplication, read from dedup.toml."""

    bands: Annotated[int, Field(gt=0)]
    """Number of bands of the MinHash signature. More bands find more pairs."""
    rows_per_band: Annotated[int, Field(gt=0)]
    """Values per band; more find fewer pairs. A pair is found with probability 1 - (1 - J^rows)^bands."""
    minhash_seed: int
    """Seed of the MinHash permutations."""
    jaccard_threshold: Annotated[float, Field(gt=0, le=1)]
    """Candidates are near-duplicates if the Jaccard similarity of their word 5-grams is at least this."""
    max_bucket_leaders: Annotated[int, Field(gt=0)]
    """Number of best documents per bucket that all others in the bucket are compared with."""
    max_round_documents: Annotated[int, Field(gt=0)]
    """Documents of one cluster that one task decides. A larger cluster takes rounds, best documents first."""
    max_source_loss_fraction: Annotated[float, Field(gt=0, le=1)]
    """The job stops if a source would lose more than this fraction of its documents; never at 1."""
    min_guarded_documents: Annotated[int, Field(gt=0)]
    """A source with fewer documents may lose any fraction of them."""
    num_parts: Annotated[int, Field(gt=0)]
    """Number of parts of the table. One part must fit into the memory of a task."""
    heldout_fraction: Annotated[float, Field(ge=0, lt=1)]
    """Fraction of the sites that are held out (of the documents, where there is no URL)."""
    split_seed: int
    """Seed of the hash that chooses the held-out sites."""

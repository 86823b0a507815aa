"""The `tokenizer` table as its readers see it: facts on the driver, one encoder per worker."""

from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from configs import tables
from configs.contract import ContractError
from configs.tokens.encoding import text_encoder

FILE = "tokenizer.json"


@dataclass(frozen=True)
class TokenizerFacts:
    """What the manifest of `tokenizer` states. Picklable: tasks get it and call `encoder` with it."""

    root: str
    """Root of the tables, where the tokenizer lies."""
    vocab_size: int
    """Rows an embedding needs: highest id + 1."""
    eod: str
    eod_id: int
    """Ends every document in the token stream."""
    hash: str
    """blake2b-128 of tokenizer.json."""
    digest: str
    """The table's digest, as it stands among the inputs of jobs that count tokens."""


def open_tokenizer(root: str) -> TokenizerFacts:
    """Facts of the committed tokenizer. Raises ContractError if there is none."""
    manifest = tables.open_table(root, "tokenizer").manifest
    facts = manifest.facts
    return TokenizerFacts(
        root=root,
        vocab_size=int(str(facts["vocab_size"])),
        eod=str(facts["eod"]),
        eod_id=int(str(facts["eod_id"])),
        hash=str(facts["hash"]),
        digest=manifest.digest,
    )


@lru_cache(maxsize=2)
def encoder(facts: TokenizerFacts) -> Tokenizer:
    """The tokenizer, loaded once per process; special tokens written in a document are plain text to it.

    Raises ContractError if tokenizer.json is not the one whose hash `facts` states.
    """
    data = tables.read_bytes(tables.table_path(facts.root, "tokenizer"), FILE)
    if tables.hash_bytes(data) != facts.hash:
        raise ContractError(
            f"{facts.root}/tokenizer/{FILE}: not the file that the manifest names; "
            "remedy: run train_tokenizer again with --overwrite"
        )
    return text_encoder(data)

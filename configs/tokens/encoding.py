"""How a document's text becomes tokens: the one way of counting and of writing them, for all tables.

Special tokens written in a text are ordinary text: a page that quotes "<|endoftext|>" does not end there, and
its row counts the tokens that the token files will hold. pipeline scores and writes tokens and synth counts
those of its own rows; neither may import the other, so this lies in configs. `tokenizers` is imported inside
a function because no other module of configs needs it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def text_encoder(data: bytes) -> "Tokenizer":
    """The tokenizer of a tokenizer.json, set to read special tokens in a text as ordinary text."""
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def encode(tokenizer: "Tokenizer", texts: list[str]) -> list[list[int]]:
    """Token ids of each text by a `text_encoder`, without end of document."""
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    return [encoding.ids for encoding in encoded]

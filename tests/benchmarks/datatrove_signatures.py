"""Speed of datatrove's MinHash signatures, for bench_dedup.py; runs in an environment of its own.

Reads JSON lines {"text": ...} from standard input, writes {"docs_per_s": number, "tokenizer": name} in CPU
time of this process. Its own word 5-grams and 14 bands of 8; English, whose tokeniser is spaCy's rule-based
one (no model); SHA-1, because its xxHash refuses strings under xxhash 4. Tokenising is most of the time.
"""

import json
import sys
import time

from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.hashing import HashConfig


def main() -> None:
    texts = [json.loads(line)["text"] for line in sys.stdin]
    step = MinhashDedupSignature(
        output_folder="/tmp", config=MinhashConfig(hash_config=HashConfig(hash_fc="sha1"))
    )
    step.get_signature(step.get_shingles(texts[0]))  # loads the tokeniser
    start = time.process_time()
    for text in texts:
        step.get_signature(step.get_shingles(text))
    seconds = time.process_time() - start
    tokenizer = type(step.word_tokenizer).__name__
    print(json.dumps({"docs_per_s": len(texts) / seconds, "tokenizer": tokenizer}))


if __name__ == "__main__":
    main()

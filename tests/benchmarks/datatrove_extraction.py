"""datatrove's extraction, for bench_extraction.py; runs in an environment of its own.

Reads JSON lines, each a list of files; answers each with {"texts": [...], "seconds": CPU time of the texts}.
"""

import json
import sys
import time
from pathlib import Path

from datatrove.pipeline.extractors import Trafilatura
from trafilatura.utils import decode_file


def main() -> None:
    # As in the recipe of FineWeb: precision favoured, deduplication on.
    extractor = Trafilatura(favour_precision=True)
    for line in sys.stdin:
        pages = [Path(file).read_bytes() for file in json.loads(line)]
        start = time.process_time()
        texts = [extractor.extract(decode_file(page)) or "" for page in pages]
        print(json.dumps({"texts": texts, "seconds": time.process_time() - start}), flush=True)


if __name__ == "__main__":
    main()

"""Decisions of datatrove's filters, for bench_filters.py; runs in an environment of its own.

Reads JSON lines {"text": ...} from standard input; writes for each a JSON object chain -> reason or null, and
at the end {"docs_per_s": {chain: number}} in CPU time of this process.
"""

import json
import sys
import time

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)


def main() -> None:
    gopher = [GopherRepetitionFilter(), GopherQualityFilter()]
    chains = {
        "gopher": gopher,
        "c4": [C4QualityFilter()],
        "fineweb": [*gopher, C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter()],
    }
    seconds = dict.fromkeys(chains, 0.0)
    num_documents = 0
    for line in sys.stdin:
        text = json.loads(line)["text"]
        num_documents += 1
        decisions = {}
        for name, chain in chains.items():
            start = time.process_time()
            decisions[name] = first_reason(chain, text)
            seconds[name] += time.process_time() - start
        print(json.dumps(decisions))
    print(json.dumps({"docs_per_s": {name: num_documents / spent for name, spent in seconds.items()}}))


def first_reason(chain: list, text: str) -> str | None:
    document = Document(text=text, id="0")
    for step in chain:
        outcome = step.filter(document)
        if outcome is not True:
            return outcome[1] if isinstance(outcome, tuple) else type(step).__name__
    return None


if __name__ == "__main__":
    main()

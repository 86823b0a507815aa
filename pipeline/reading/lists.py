"""Read the lists that the filter takes by path: domains and URLs to block or forget, and words.

The driver reads them once per run; the workers get hashes. Cost: 1 s per million domains, 10 s per million
URLs.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath

from configs.loader import ConfigError
from configs.tables import hash_json
from configs.text_files import read_lines
from filters.toxicity import SHIPPED_WORDS, WordList, build_word_list
from filters.url_lists import UrlList, build_url_list
from pipeline.reading.list_inputs import list_shards

# A category of UT1 is a folder with two lists; its other files (usage, expressions) are not lists.
_UT1_LISTS = ("domains", "urls")


def read_url_lists(key: str, paths: Iterable[str]) -> tuple[UrlList, str]:
    """Read lists of domains and URLs; return them with a hash of their entries.

    A path is a file, a folder or a glob. If it names files called `domains` or `urls`, only these are read
    (so a folder of UT1 can be given unchanged), else all of its files. A list is named by its file and the
    folder of the file. `key` is the name of the setting, for error messages. Raises ConfigError for a path
    without files and for a line that is neither a domain nor a URL.
    """
    lists: dict[str, list[str]] = {}
    for path in paths:
        files = _files(key, path)
        for file in [file for file in files if _stem(file) in _UT1_LISTS] or files:
            lists.setdefault("/".join(PurePosixPath(file).parts[-2:]), []).extend(read_lines(file))
    try:
        return build_url_list(lists), hash_json(lists)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None


def read_words(key: str, paths: Iterable[str]) -> tuple[WordList, str]:
    """Read the words of all files, or take the shipped ones without files; return them with a hash.

    Raises ConfigError for a path without files and for a line that is not a single word.
    """
    words = [line for path in paths for file in _files(key, path) for line in read_lines(file)]
    try:
        return build_word_list(words or SHIPPED_WORDS), hash_json(words or SHIPPED_WORDS)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}") from None


def _files(key: str, path: str) -> list[str]:
    return [file.path for shard in list_shards(key, path, (), 1) for file in shard.files]


def _stem(path: str) -> str:
    return path.rsplit("/", 1)[-1].split(".")[0]

"""Measure abuse and obscenity in a text: the fraction of its words that stand in a word list.

The fraction is a cheap signal, kept as a column, that finds pages of insults, swearing and pornography.
It is not a judgement. Hatred in polite words scores 0, and a dictionary, a novel or a court report that
quotes such words scores high. Therefore no document is dropped for it by default.
The shipped list is ours, English and Chinese, and short. It holds words with one meaning only and no slurs
against groups of people. To use more words, give a list with one entry per line.
Cost: 50 microseconds per kB.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from filters.measure.spans import find_spans, without_spans

SHIPPED_WORDS = tuple(
    str.split(
        "arsehole arseholes asshole assholes bastards bitch bitches bitching blowjob blowjobs bollocks "
        "bullshit clusterfuck cocksucker cocksuckers cumshot cumshots cunt cunts deepthroat dickhead "
        "dickheads dipshit douchebag douchebags dumbass dumbasses dumbfuck fuck fucked fucker fuckers "
        "fuckface fucking fucks fuckwit gangbang gangbangs goddamn handjob handjobs hentai jackass "
        "jackasses milf milfs motherfucker motherfuckers motherfucking piss pissed porn porno pornos "
        "scumbag scumbags shit shithead shitheads shithole shits shitty slut sluts slutty twat twats "
        "wanker wankers whore whores "
        "傻逼 傻屄 操你妈 去死 滚蛋 贱人 贱货 婊子 王八蛋 混蛋 狗屁 放屁 杂种 色情 黄片 嫖娼 强奸犯"
    )
)

# The standard library's re is safe here: each pattern is one character class. Chinese writes no spaces, so
# its entries are searched anywhere in the text.
_WORD = re.compile(r"[^\W\d_]+")
_HAN = re.compile(r"[㐀-鿿]")


@dataclass(frozen=True)
class WordList:
    """Lower-cased entries: single words, and strings of Han characters as one pattern."""

    words: frozenset[str]
    han: re.Pattern[str] | None


def build_word_list(entries: Iterable[str]) -> WordList:
    """Build a list from entries that are single words. Raises ValueError for any other entry."""
    lowered = {entry.strip().lower() for entry in entries} - {""}
    han = sorted((entry for entry in lowered if _HAN.search(entry)), key=len, reverse=True)
    words = lowered.difference(han)
    for entry in sorted(words):
        if not _WORD.fullmatch(entry):
            raise ValueError(f"{entry[:100]!r} is not a single word; remedy: delete the line")
    # Every alternative is a literal. One that fails is abandoned at once, so the time is linear.
    return WordList(frozenset(words), re.compile("|".join(map(re.escape, han))) if han else None)


def toxicity(text: str, word_list: WordList) -> float:
    """Return the fraction of listed words among the words outside code and math, in [0, 1].

    Each Han character counts as one word.
    """
    prose = without_spans(text, find_spans(text)).lower()
    words = _WORD.findall(prose)
    num_words = len(words)
    num_listed = sum(map(word_list.words.__contains__, words))
    if not prose.isascii():
        # The pattern found a run of Han characters as one word.
        runs = [len(word) for word in words if _HAN.match(word)]
        num_words += sum(runs) - len(runs)
        if runs and word_list.han is not None:
            num_listed += sum(map(len, word_list.han.findall(prose)))
    return num_listed / max(num_words, 1)

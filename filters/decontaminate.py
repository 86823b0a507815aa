r"""Find benchmark problems inside documents, whatever notation their formulas are written in.

1. `normalise` keeps only letters and digits. `\frac{1}{2}`, `1/2`, `½` and MathML's `<mfrac>` all become
   "12"; line breaks, spaces, dollar signs and digit separators make no difference.
2. `build_index` stores 64-bit hashes of windows of 32 such characters, one window at every 4th character of
   each problem.
3. `contaminated_by` hashes every window of the document and looks the hashes up. It reports the problem of
   which the largest fraction of windows was found, if that fraction is at least one half.

A copied passage of 35 characters is always found; a change in one place hides only the windows that contain
it.
Cost: 12 bytes per window of the index, and a few vector operations per character of a document.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import re2

_WINDOW = 32
_STRIDE = 4
# Our choice: swept in tests/benchmarks/bench_filters.py. Below it, different problems made from one template
# are taken for copies.
_MIN_COVERAGE = 0.5
# Our choice: a problem shorter than this (about 12 words) is a phrase that any text may contain.
_MIN_PROBLEM_CHARS = 50
# Our choice: the bitmap takes 16 MB. With a million windows in the index, it lets through one in a hundred
# windows of a clean text.
_BITMAP_BITS = 27

# Names that one notation writes as a command and another as a symbol or a word. They are kept as words; every
# other command is dropped.
_KEPT_NAMES = frozenset(
    str.split(
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
        "phi chi psi omega sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln exp lim max "
        "min sup inf gcd lcm det dim ker deg sqrt mod"
    )
)
_ALIASES = {"varepsilon": "epsilon", "varphi": "phi", "vartheta": "theta", "pmod": "mod", "bmod": "mod"}
_SYMBOLS = str.maketrans(
    {
        chr(code): unicodedata.name(chr(code)).split()[-1].lower()
        for code in (*range(0x3B1, 0x3C2), *range(0x3C3, 0x3CA))
    }
    | {"√": "sqrt", "∛": "sqrt"}
)
# The standard library's re is used where matching is linear in the length of the match: its callbacks are
# faster than re2's.
_COMMAND = re.compile(r"\\(?:begin|end)\{[A-Za-z*]{0,20}\}|\\([A-Za-z]+)")
_MATHML = re2.compile(r"<annotation[^<>]*>[^<]*</annotation>|</?m[a-z]+[^<>]*>")
_CALCULATOR = re.compile(r"<<[^<>\n]{0,200}>>")  # marks in GSM8K's answers that copies of them lack
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
# Our choice: quotes, accents, symbols and Chinese words recur and are worth caching; longer runs do not.
_MAX_CACHED_CHARS = 8

_ASCII_LOWER = bytes(range(256)).lower()
_ASCII_DELETED = bytes(code for code in range(128) if not chr(code).isalnum())

_MULTIPLIERS = tuple(
    np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93)
)


@dataclass(frozen=True)
class Index:
    """Hashes of the windows of all problems in ascending order, and the problem that each hash belongs to."""

    names: tuple[str, ...]
    num_windows: npt.NDArray[np.uint32]
    hashes: npt.NDArray[np.uint64]
    owners: npt.NDArray[np.uint32]
    bitmap: npt.NDArray[np.uint8]


def normalise(text: str) -> bytes:
    r"""Return the lower-cased letters and digits of `text` in UTF-8, with formulas in words.

    For example, `$\sin 2x$` becomes `sin2x`.
    """
    if "<<" in text:
        text = _CALCULATOR.sub("", text)
    if "</m" in text:
        text = _MATHML.sub(" ", text)
    if "\\" in text:
        text = _COMMAND.sub(_read_command, text)
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        text = _BEYOND_ASCII.sub(_read_symbols, text)
    return text.encode("utf-8", "ignore").translate(_ASCII_LOWER, _ASCII_DELETED)


def build_index(problems: Iterable[tuple[str, str]]) -> Index:
    """Build the index of (name, text) pairs; the text is a question, an answer, or both.

    Texts with fewer than 50 letters and digits are left out, because they cannot be told from ordinary
    phrases. Several problems with the same name are counted separately.
    """
    names = []
    hashes = []
    for name, text in problems:
        stream = normalise(text)
        if len(stream) < _MIN_PROBLEM_CHARS:
            continue
        windows = np.unique(_window_hashes(stream)[::_STRIDE])
        names.append(name)
        hashes.append(windows)
    num_windows = np.array([len(windows) for windows in hashes], dtype=np.uint32)
    owners = np.repeat(np.arange(len(names), dtype=np.uint32), num_windows)
    everything = np.concatenate(hashes) if hashes else np.empty(0, dtype=np.uint64)
    order = np.argsort(everything, kind="stable")
    return _with_bitmap(tuple(names), num_windows, everything[order], owners[order])


def index_of_windows(
    names: tuple[str, ...], hashes: npt.NDArray[np.uint64], owners: npt.NDArray[np.uint32]
) -> Index:
    """Return the index whose names, hashes (ascending) and owners were stored; every problem has a window."""
    num_windows = np.bincount(owners, minlength=len(names)).astype(np.uint32)
    return _with_bitmap(names, num_windows, hashes, owners)


def contaminated_by(text: str, index: Index) -> str | None:
    """Return the name of the indexed problem of which the document contains at least half, or None.

    If there are several, the one with the largest fraction found wins; of equal ones, the one indexed first.
    """
    windows = _window_hashes(normalise(text))
    candidates = np.unique(windows[_in_bitmap(windows, index.bitmap)])
    first = index.hashes.searchsorted(candidates)
    is_found = index.hashes.take(first, mode="clip") == candidates if len(index.hashes) else first > 0
    first = first[is_found]
    if len(first) == 0:
        return None
    last = index.hashes.searchsorted(candidates[is_found], side="right")
    found = [index.owners[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    problems, num_found = np.unique(np.concatenate(found), return_counts=True)
    coverage = num_found / index.num_windows[problems]
    best = int(coverage.argmax())
    return index.names[problems[best]] if coverage[best] >= _MIN_COVERAGE else None


def _read_command(match: re.Match[str]) -> str:
    name = match.group(1)
    if name is None:
        return " "
    lowered = name.lower()
    lowered = _ALIASES.get(lowered, lowered)
    return lowered if lowered in _KEPT_NAMES else " "


def _read_symbols(match: re.Match[str]) -> str:
    run = match.group()
    return _plain(run) if len(run) > _MAX_CACHED_CHARS else _plain_cached(run)


def _plain(text: str) -> str:
    """Return lower-cased letters and digits of the NFKC form, symbols by name: "²" -> "2", "Σ" -> "sigma"."""
    lowered = unicodedata.normalize("NFKC", text).lower().translate(_SYMBOLS)
    return _NOT_ALPHANUMERIC.sub("", lowered)


_plain_cached = lru_cache(maxsize=65_536)(_plain)


def _window_hashes(stream: bytes) -> npt.NDArray[np.uint64]:
    """Return the hash of every window of 32 bytes, in order: four unaligned 64-bit words, mixed."""
    num_windows = len(stream) - _WINDOW + 1
    if num_windows <= 0:
        return np.empty(0, dtype=np.uint64)
    words = np.ndarray((len(stream) - 7,), dtype="<u8", buffer=stream, strides=(1,)).astype(np.uint64)
    hashes = words[:num_windows] * _MULTIPLIERS[0]
    for part in (1, 2, 3):
        hashes ^= hashes >> np.uint64(31)
        hashes += words[8 * part : 8 * part + num_windows]
        hashes *= _MULTIPLIERS[part]
    hashes ^= hashes >> np.uint64(32)
    return hashes


def _with_bitmap(
    names: tuple[str, ...],
    num_windows: npt.NDArray[np.uint32],
    hashes: npt.NDArray[np.uint64],
    owners: npt.NDArray[np.uint32],
) -> Index:
    """Build an Index with its bitmap, which rules out most windows with one look-up."""
    bitmap = np.zeros(1 << _BITMAP_BITS - 3, dtype=np.uint8)
    byte, bit = _bit_position(hashes)
    np.bitwise_or.at(bitmap, byte, bit)
    return Index(names, num_windows, hashes, owners, bitmap)


def _in_bitmap(hashes: npt.NDArray[np.uint64], bitmap: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    byte, bit = _bit_position(hashes)
    found: npt.NDArray[np.bool_] = (bitmap.take(byte) & bit) != 0
    return found


def _bit_position(hashes: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Return for each hash its byte in the bitmap (from the first bits) and its bit (from the last three)."""
    byte = (hashes >> np.uint64(64 + 3 - _BITMAP_BITS)).astype(np.int64)
    bit = np.uint8(1) << (hashes & np.uint64(7)).astype(np.uint8)
    return byte, bit

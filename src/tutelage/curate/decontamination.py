"""Which rows hold prompts of evaluation sets: long passages by n-grams of words, short prompts as whole texts.

An n-gram is 8 words, or 13 where a character of a script without spaces (Chinese, Japanese, Thai, ...) is among them:
there a character is a word. Capitals, punctuation, width of characters and line breaks do not matter. N-grams that
stand in many different prompts ("choose the correct answer from the following options") say nothing about one of them
and do not count. One shared n-gram is still no leak: of the Alpaca rows that share one with GSM8K, IFEval, BBH,
HumanEval or AlpacaEval, nine in ten share an idiom ("how to make a peanut butter and jelly sandwich"). A row holds a
prompt if n-grams cover half of its words (as in Tülu 3, arXiv:2411.15124), or if it holds a passage of it as long as
three n-grams.

Prompts are looked up by numbers of words: a word that no prompt has ends every n-gram, so most text is passed over
without being hashed. What is found by its hash is compared word by word.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain, islice, repeat

import numpy as np
import numpy.typing as npt
import regex
import yaml
from rapidfuzz.process import extractOne

from tutelage.errors import RecipeError
from tutelage.text import normalised, words

SPACED, UNSPACED = 8, 13  # words of an n-gram
LEAST_SHARE = 0.5  # of a prompt's words that stand in shared n-grams
LONG_PASSAGE = 3  # n-grams; the text of a question about a text is a leak too, whatever its share
WIDESPREAD = 5  # an n-gram in more different prompts than this is boilerplate
LINE, SENTENCE = (
    (4, 6),
    (6, 10),
)  # words (with spaces, without) that a part of a text needs to be told as a whole prompt
_LONG = (LONG_PASSAGE * SPACED, LONG_PASSAGE * UNSPACED)
_AT_ONCE = 2048  # texts that are hashed together
_BITS = 24  # of a hash: by them most n-grams are told to be unknown before they are searched for
_NO_SPACES = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)
_GAPS = regex.compile(rf"(?<={_NO_SPACES.pattern}) | (?={_NO_SPACES.pattern})")
_SENTENCE_ENDS = regex.compile(r"(?<=[.!?:;])\s+|[。！？；：“”「」\"]")
# One factor for each word of an n-gram; sums of products modulo 2^64 spread over all of its bits.
_FACTORS = np.random.default_rng(2**31 - 1).integers(2**63, 2**64, size=UNSPACED, dtype=np.uint64) | np.uint64(1)

Numbers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Where the prompts of a public benchmark are.

    Attributes:
        dataset: id of a Hub data set.
        split: its split.
        columns: whose texts, joined by line breaks, are a prompt; where one holds a list, each text of it is one.
        subsets: names of its configurations; empty where it has one.
    """

    dataset: str
    split: str
    columns: tuple[str, ...]
    subsets: tuple[str, ...] = ()


@cache
def benchmarks() -> dict[str, Benchmark]:
    """Name -> benchmark, of those that are known by name (`benchmarks.yaml`)."""
    table = yaml.safe_load((files("tutelage.curate") / "benchmarks.yaml").read_text(encoding="utf-8"))
    return {
        name: Benchmark(one["dataset"], one["split"], tuple(one["columns"]), tuple(one.get("subsets", ())))
        for name, one in table.items()
    }


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name; capitals, `-` and spaces do not matter.

    Raises:
        RecipeError: there is none.
    """
    known, asked = benchmarks(), name.casefold().replace("-", "_").replace(" ", "_")
    if asked in known:
        return known[asked]
    near = extractOne(asked, list(known))[0]
    raise RecipeError(
        f"no benchmark is known as {name!r}",
        code="recipe-value",
        expected=", ".join(sorted(known)),
        remedy=f"write {near}, or name a file or a Hub data set with the prompts",
    )


@dataclass(frozen=True, slots=True)
class Match:
    """A row that holds a prompt of an evaluation set, or a passage of one.

    Attributes:
        name: the evaluation set.
        prompt: the prompt as it was given to the index.
        passage: the longest shared passage: its words, without punctuation.
        share: of the prompt's words, how many stand in shared n-grams; 1 where the whole prompt does.
    """

    name: str
    prompt: str
    passage: str
    share: float


@dataclass(frozen=True, eq=False)
class Index:
    """Prompts of evaluation sets, to look for in rows. Made by `Index.of`.

    Attributes:
        prompts: (set, prompt) of each different prompt; two in other dress (`text.normalised`) are one.
        whole: normalised prompt -> its number.
        vocabulary: word -> its number, from 1.
        unspaced: of each number, whether the word belongs to a script without spaces.
        numbers: the words of all prompts one after the other, each prompt followed by 0.
        owners: the prompt that each of `numbers` belongs to.
        grams: the n-grams that count, by hash; one that stands in several prompts is there for each.
        known: by the first bits of a hash, whether some n-gram has them.
        widespread: how many different n-grams stand in too many prompts to count.
    """

    prompts: tuple[tuple[str, str], ...]
    whole: dict[str, int]
    vocabulary: dict[str, int]
    unspaced: Flags
    numbers: Numbers
    owners: Numbers
    grams: "_Grams"
    known: Flags
    widespread: int

    @classmethod
    def of(cls, prompts: Iterable[tuple[str, str]]) -> "Index":
        """An index of evaluation prompts, each given with the name of its set. Prompts without a word are left out."""
        kept, whole, vocabulary, rows = list[tuple[str, str]](), dict[str, int](), dict[str, int](), list[list[int]]()
        for name, prompt in prompts:
            form = normalised(prompt)
            if (of_prompt := words(form)) and whole.setdefault(form, len(kept)) == len(kept):
                kept.append((name, prompt))
                rows.append([vocabulary.setdefault(word, len(vocabulary) + 1) for word in of_prompt])
        unspaced = np.array([False, *(_NO_SPACES.match(word) is not None for word in vocabulary)])
        numbers, owners = _flat(rows)
        grams = _grams(numbers, unspaced)
        telling, widespread = _telling(grams, owners)
        known = np.zeros(1 << _BITS, dtype=np.bool_)
        known[_first_bits(telling.hashes)] = True
        return cls(tuple(kept), whole, vocabulary, unspaced, numbers, owners, telling, known, widespread)

    def matches(self, texts: Iterable[str], *, least_share: float = LEAST_SHARE) -> list[Match | None]:
        """For each text the prompt that it holds most of, or None.

        A text that equals a prompt matches, however short it is. So does one with a line (or first lines) of at least 4
        words (6 in scripts without spaces), or a sentence of at least 6 (10), that is a whole prompt: give the turns of
        a row on lines of their own. Longer prompts are found by their n-grams wherever they stand.

        Args:
            least_share: of a prompt's words, how many n-grams must cover. With 0, one shared n-gram makes a match.
        """
        texts, found = iter(texts), list[Match | None]()
        while chunk := list(islice(texts, _AT_ONCE)):
            forms = list(map(normalised, chunk))
            passages = self._passages(forms, least_share)
            for row, (text, form) in enumerate(zip(chunk, forms, strict=True)):
                found.append(self._whole(text, form) or passages.get(row))
        return found

    def equal(self, text: str) -> Match | None:
        """The prompt that a text is, in whatever dress and however short; None where it is none."""
        form = normalised(text)
        number = self.whole.get(form)
        return None if number is None else Match(*self.prompts[number], _written(words(form)), 1.0)

    def _whole(self, text: str, form: str) -> Match | None:
        for part, least in _parts(text, form):
            number = self.whole.get(part)
            if number is not None and _is_long(of_part := words(part), least):
                name, prompt = self.prompts[number]
                return Match(name, prompt, _written(of_part), 1.0)
        return None

    def _passages(self, forms: list[str], least_share: float) -> dict[int, Match]:
        """Row -> match, of the rows that share n-grams with prompts."""
        number = self.vocabulary.get
        numbers, of_row = _flat([list(map(number, words(form), repeat(0))) for form in forms])
        starts, places, lengths = self._shared(numbers)
        rows, owners = of_row[starts], self.owners[places]
        order = np.lexsort((places, owners, rows))
        rows, owners = rows[order], owners[order]
        bounds = np.flatnonzero((np.diff(rows) != 0) | (np.diff(owners) != 0)) + 1
        best = dict[int, Match]()
        for group in np.split(order, bounds) if len(order) else []:
            row, match = int(of_row[starts[group[0]]]), self._match(places[group], lengths[group])
            is_leak = match.share >= least_share or _is_long(words(match.passage), _LONG)
            if is_leak and (row not in best or match.share > best[row].share):
                best[row] = match
        return best

    def _shared(self, numbers: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Where n-grams of prompts begin in `numbers`, where in the prompts, and their words; one for each prompt."""
        own, known = _grams(numbers, self.unspaced), self.grams
        own = own.take(self.known[_first_bits(own.hashes)])
        first = np.searchsorted(known.hashes, own.hashes, side="left")
        count = np.searchsorted(known.hashes, own.hashes, side="right") - first
        which = np.repeat(first, count) + _counted(count)
        starts, lengths = np.repeat(own.starts, count), np.repeat(own.lengths, count)
        places, same = known.starts[which], known.lengths[which] == lengths
        for at in range(UNSPACED):
            same &= (at >= lengths) | (numbers[starts + at] == self.numbers[places + at])
        return starts[same], places[same], lengths[same]

    def _match(self, places: Numbers, lengths: Numbers) -> Match:
        owner = int(self.owners[places[0]])
        first, end = np.searchsorted(self.owners, [owner, owner + 1])
        ends = np.zeros(end - first + UNSPACED, dtype=np.int64)
        np.add.at(ends, places - first, 1)
        np.add.at(ends, places - first + lengths, -1)
        covered = np.flatnonzero(np.cumsum(ends))
        run = max(np.split(covered, np.flatnonzero(np.diff(covered) != 1) + 1), key=len)
        name, prompt = self.prompts[owner]
        of_prompt = words(normalised(prompt))
        return Match(name, prompt, _written(of_prompt[run[0] : run[-1] + 1]), len(covered) / len(of_prompt))


@dataclass(frozen=True, eq=False)
class _Grams:
    """n-grams of words: their hashes (uint64), where they begin, how many words they have; each (N,)."""

    hashes: Hashes
    starts: Numbers
    lengths: Numbers

    def take(self, which: Numbers | Flags) -> "_Grams":
        return _Grams(self.hashes[which], self.starts[which], self.lengths[which])


def _flat(rows: list[list[int]]) -> tuple[Numbers, Numbers]:
    """The numbers of all rows one after the other, each row followed by 0; and the row of each. The end is filled with
    zeros, so that an n-gram can be read at each place."""
    filled = [*rows, [0] * UNSPACED]
    lengths = np.fromiter((len(row) + 1 for row in filled), dtype=np.int64, count=len(filled))
    numbers = np.fromiter(chain.from_iterable(chain(row, (0,)) for row in filled), dtype=np.int64, count=lengths.sum())
    return numbers, np.repeat(np.arange(len(filled)), lengths)


def _grams(numbers: Numbers, unspaced: Flags) -> _Grams:
    """The n-grams without a 0 among their words: of 8 where all are of scripts with spaces, of 13 elsewhere."""
    unknown, without = _before(numbers == 0), _before(unspaced[numbers])
    places = np.arange(len(numbers) - UNSPACED)
    spaced = places[(_within(unknown, SPACED) == 0) & (_within(without, SPACED) == 0)]
    mixed = places[(_within(unknown, UNSPACED) == 0) & (_within(without, UNSPACED) > 0)]
    return _Grams(
        np.concatenate([_hashed(numbers, spaced, SPACED), _hashed(numbers, mixed, UNSPACED)]),
        np.concatenate([spaced, mixed]),
        np.repeat([SPACED, UNSPACED], [len(spaced), len(mixed)]),
    )


def _before(flags: Flags) -> Numbers:
    """How many are set before each place, and in all."""
    return np.append(0, np.cumsum(flags))


def _within(before: Numbers, length: int) -> Numbers:
    """How many are set among the `length` places from each one on."""
    return (before[length:] - before[:-length])[: len(before) - 1 - UNSPACED]


def _hashed(numbers: Numbers, starts: Numbers, length: int) -> Hashes:
    hashes = np.zeros(len(starts), dtype=np.uint64)
    for at in range(length):
        hashes += numbers[starts + at].astype(np.uint64) * _FACTORS[at]
    return hashes


def _telling(grams: _Grams, owners: Numbers) -> tuple[_Grams, int]:
    """The n-grams by hash, once for each prompt, without those of too many prompts; and how many those are."""
    of = owners[grams.starts]
    grams, of = grams.take(order := np.lexsort((grams.starts, of, grams.hashes))), of[order]
    new = np.append(True, np.diff(grams.hashes) != 0)[: len(of)]
    grams = grams.take(new | np.append(True, np.diff(of) != 0)[: len(of)])
    _, group, prompts = np.unique(grams.hashes, return_inverse=True, return_counts=True)
    return grams.take(prompts[group] <= WIDESPREAD), int(np.count_nonzero(prompts > WIDESPREAD))


def _first_bits(hashes: Hashes) -> Hashes:
    return hashes >> np.uint64(64 - _BITS)


def _counted(counts: Numbers) -> Numbers:
    """0, 1, ... up to each count: [2, 3] -> [0, 1, 0, 1, 2]."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)


def _parts(text: str, form: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """What of a text may be a whole prompt, normalised, and how many words it needs: the text, its first lines
    together, each line, each sentence."""
    yield form, (1, 1)
    lines = [line for line in text.splitlines() if line.strip()]
    for end in range(2, min(len(lines), SPACED)):
        yield normalised(" ".join(lines[:end])), LINE
    for line in lines:
        yield normalised(line), LINE
        for sentence in _SENTENCE_ENDS.split(line):
            yield normalised(sentence), SENTENCE


def _is_long(of_part: list[str], least: tuple[int, int]) -> bool:
    return len(of_part) >= least[any(map(_NO_SPACES.match, of_part))]


def _written(of_passage: list[str]) -> str:
    """Words as a text again; no spaces beside words of scripts that have none."""
    return str(_GAPS.sub("", " ".join(of_passage)))

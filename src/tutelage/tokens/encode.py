"""Text to token ids, so that training sees the ids that inference will see.

For each trained turn the ids before it are the ids of its generation prompt, encoded on its own, because that is what a
server feeds the model. Where the joint encoding of prompt and answer differs from that (a merge across the boundary),
the prompt's own ids are kept and the answer is encoded as a continuation.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from tutelage.records import Dropped, Example, Place, Rendered
from tutelage.tokens.continuation import continuation
from tutelage.tokens.seams import Seams, seams
from tutelage.tokens.windows import WINDOW, ids_and_starts

SPLIT_PER_TURN = "tokens: history encodes otherwise than the generation prompt; one example per turn"
SPLIT_BOUNDARY = "tokens: prompt and answer would merge; the prompt's own ids are trained on"
INEXACT = "tokens cannot be made exact"
ENCODE_AT_ONCE = 1024  # texts

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Encoded:
    """The examples of one row, with what the length limit took from it.

    Attributes:
        examples: at least one.
        turns_lost: trained turns left out because they ended beyond the limit.
        tokens_lost: tokens left out with them.
        notes: fixed phrases that tell how the ids were made.
    """

    row: int
    place: Place
    examples: tuple[Example, ...]
    turns_lost: int = 0
    tokens_lost: int = 0
    notes: tuple[str, ...] = ()


def encode(items: Iterable[Rendered], tokenizer: Tokenizer, *, max_length: int) -> Iterator[Encoded | Dropped]:
    """Encode rendered rows, in order. Renderings of the same row must follow each other; they become one result.

    Args:
        max_length: longest example in tokens. Whole trailing turns beyond it are left out; an answer is never cut.
    """
    where = seams(tokenizer)
    for chunk in _chunks(items):
        parts = _Parts(tokenizer, (part for item in chunk for part in _parts_of(item, where)))
        for _, group in groupby(chunk, key=lambda item: item.row):
            yield _row(list(group), parts, max_length=max_length)


def encode_texts(items: Iterable[Rendered], tokenizer: Tokenizer, *, max_length: int) -> Iterator[Encoded | Dropped]:
    """Encode plain text that is trained whole. A text longer than the limit becomes several examples that overlap by a
    token: each token but the first is trained once, nothing is lost."""
    for chunk in _chunks(items):
        short = [item for item in chunk if len(item.text) <= WINDOW]
        encodings = iter(tokenizer.encode_batch([item.text for item in short], add_special_tokens=False))
        for item in chunk:
            if len(item.text) > WINDOW:
                ids, starts = ids_and_starts(item.text, tokenizer)
                yield _text(item, ids, starts=starts, max_length=max_length)
            else:
                encoding = next(encodings)
                begins = (start for start, _ in encoding.offsets)
                starts = np.fromiter(begins, dtype=np.int64, count=len(encoding.ids))
                yield _text(item, np.asarray(encoding.ids), starts=starts, max_length=max_length)


def prompt_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of a generation prompt, as training and inference both see them: the template writes every special
    token itself, none is added."""
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def _chunks(items: Iterable[Rendered]) -> Iterator[list[Rendered]]:
    """Items that are encoded together: about `ENCODE_AT_ONCE`, and always whole rows."""
    chunk: list[Rendered] = []
    for item in items:
        if len(chunk) >= ENCODE_AT_ONCE and item.row != chunk[-1].row:
            yield chunk
            chunk = []
        chunk.append(item)
    if chunk:
        yield chunk


class _Parts:
    """Ids of the parts of texts, encoded together; a part that was not foreseen is encoded when it is asked for."""

    def __init__(self, tokenizer: Tokenizer, foreseen: Iterable[str]) -> None:
        self.tokenizer = tokenizer
        self.where = seams(tokenizer)
        parts = list(dict.fromkeys(foreseen))
        encodings = tokenizer.encode_batch_fast(parts, add_special_tokens=False)
        self._ids = dict(zip(parts, (encoding.ids for encoding in encodings), strict=True))

    def ids(self, part: str) -> list[int]:
        """The ids of a part on its own."""
        found = self._ids.get(part)
        return prompt_ids(part, self.tokenizer) if found is None else found

    def added(self, text: str, start: int, *, end: int) -> list[int] | None:
        """The ids by which `text[:end]` is longer than `text[:start]`; None where ids would merge across `start`."""
        cut = self.where.before(text, start)
        head, both = self.ids(text[cut:start]), self.ids(text[cut:end])
        return both[len(head) :] if both[: len(head)] == head else None


def _parts_of(item: Rendered, where: Seams) -> Iterator[str]:
    """The parts that `_examples` will ask for, unless something merges."""
    text, last = item.text, 0
    for span in item.spans:
        if last:
            cut = where.before(text, last)
            yield text[cut:last]
            yield text[cut : span.start]
        else:
            yield text[: span.start]
        cut = where.before(text, span.start)
        yield text[cut : span.start]
        yield text[cut : span.end]
        last = span.end


class _Growing:
    """An example in the making: ids, and from where to where a trained turn reaches."""

    def __init__(self, prompt: list[int]) -> None:
        self.ids = list(prompt)
        self.turns: list[tuple[int, int, float]] = []

    def train(self, ids: list[int], weight: float) -> None:
        """Append a trained turn."""
        self.turns.append((len(self.ids), len(self.ids) + len(ids), weight))
        self.ids += ids

    def through(self, length: int, row: int) -> Example:
        """The first `length` ids as an example."""
        weights = np.zeros(length, dtype=np.float32)
        for start, end, weight in self.turns:
            weights[start:end] = weight
        ids = self.ids if length == len(self.ids) else self.ids[:length]
        return Example(row, np.array(ids, dtype=np.int32), weights)


def _row(items: Sequence[Rendered], parts: _Parts, *, max_length: int) -> Encoded | Dropped:
    first = items[0]
    examples: list[Example] = []
    notes: list[str] = []
    turns_lost = tokens_lost = longest = 0
    for item in items:
        notes += item.notes
        made = _examples(item, parts, notes)
        if isinstance(made, str):
            return Dropped(first.row, first.place, INEXACT, f"the answer {made!r} does not survive encoding on its own")
        for one in made:
            longest = max(longest, len(one.ids))
            fits = len(one.ids) <= max_length
            kept = one.turns if fits else [turn for turn in one.turns if turn[1] <= max_length]
            length = kept[-1][1] if kept else 0
            turns_lost += len(one.turns) - len(kept)
            tokens_lost += len(one.ids) - length
            if kept:
                examples.append(one.through(length, item.row))
    if not examples:
        return Dropped(first.row, first.place, "too long", f"{longest} tokens, tokens.max_length is {max_length}")
    return Encoded(first.row, first.place, tuple(examples), turns_lost, tokens_lost, tuple(dict.fromkeys(notes)))


def _examples(item: Rendered, parts: _Parts, notes: list[str]) -> list[_Growing] | str:
    """The examples that a rendering becomes: one, unless its turns cannot share their ids. Where it cannot be made
    exact, the beginning of the answer at fault.

    Args:
        notes: gets what is told about the ids.
    """
    made: list[_Growing] = []
    whole = False  # whether the ids of the last example are those of the text so far
    at = 0
    for span in item.spans:
        between = parts.added(item.text, at, end=span.start) if whole else None
        if between is None:
            made.append(_Growing(parts.ids(item.text[: span.start])))
        else:
            made[-1].ids += between
        is_typed = bool(item.typed) and any(span.start <= start < span.end for start, _ in item.typed)
        answer = None if is_typed else parts.added(item.text, span.start, end=span.end)
        whole = answer is not None
        if answer is None:
            answer = continuation(item, span, prompt=made[-1].ids, tokenizer=parts.tokenizer)
            if answer is None:
                return item.text[span.start : span.end][:60]
            notes += [] if is_typed else [SPLIT_BOUNDARY]
        made[-1].train(answer, span.weight)
        at = span.end
    notes += [SPLIT_PER_TURN] if len(made) > 1 else []
    return made


def _text(item: Rendered, ids: Numbers, *, starts: Numbers, max_length: int) -> Encoded | Dropped:
    """A plain text in pieces of at most `max_length`, given its ids and the character at which each begins."""
    ids_T = ids.astype(np.int32)
    weights = np.zeros(len(ids_T), dtype=np.float32)
    for span in item.spans:
        weights[(starts >= span.start) & (starts < span.end)] = span.weight
    cuts = range(0, max(len(ids_T) - 1, 1), max(max_length - 1, 1))
    examples = (Example(item.row, ids_T[at : at + max_length], weights[at : at + max_length]) for at in cuts)
    trained = tuple(example for example in examples if example.weights[1:].any())
    if trained:
        return Encoded(item.row, item.place, trained, notes=item.notes)
    return Dropped(item.row, item.place, "nothing to train", "the text is shorter than two tokens")

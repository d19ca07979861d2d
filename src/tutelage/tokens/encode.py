"""Text to token ids, so that training sees the ids that inference will see.

For each trained turn the ids before it must be the ids of its generation prompt, encoded on its own, because that is
what a server feeds the model. Where the joint encoding of prompt and answer differs from that (a merge across the
boundary), the prompt's own ids are kept and the answer is encoded as a continuation.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from tokenizers import Encoding, Tokenizer

from tutelage.records import Dropped, Example, Place, Rendered, Span

SPLIT_PER_TURN = "tokens: history encodes otherwise than the generation prompt; one example per turn"
SPLIT_BOUNDARY = "tokens: prompt and answer would merge; the prompt's own ids are trained on"
ENCODE_AT_ONCE = 1024


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
    for _, group in groupby(_in_chunks(items, tokenizer), key=lambda piece: piece[0].row):
        yield _row(list(group), tokenizer, max_length)


def encode_texts(items: Iterable[Rendered], tokenizer: Tokenizer, *, max_length: int) -> Iterator[Encoded | Dropped]:
    """Encode plain text that is trained whole. A text longer than the limit becomes several examples that overlap by a
    token: each token but the first is trained once, nothing is lost."""
    for item, joint, _ in _in_chunks(items, tokenizer):
        ids, weights = _whole(item, joint)
        cuts = range(0, max(len(ids) - 1, 1), max(max_length - 1, 1))
        examples = tuple(Example(item.row, ids[at : at + max_length], weights[at : at + max_length]) for at in cuts)
        trained = tuple(example for example in examples if example.weights[1:].any())
        if trained:
            yield Encoded(item.row, item.place, trained, notes=item.notes)
        else:
            yield Dropped(item.row, item.place, "nothing to train", "the text is shorter than two tokens")


def prompt_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of a generation prompt, as training and inference both see them: the template writes every special
    token itself, none is added."""
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


_Piece = tuple[Rendered, Encoding, tuple[Encoding, ...]]


def _in_chunks(items: Iterable[Rendered], tokenizer: Tokenizer) -> Iterator[_Piece]:
    """Each rendering with the encoding of its text and of the prompt of each of its spans."""
    chunk: list[Rendered] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == ENCODE_AT_ONCE:
            yield from _encode_chunk(chunk, tokenizer)
            chunk = []
    yield from _encode_chunk(chunk, tokenizer)


def _encode_chunk(chunk: Sequence[Rendered], tokenizer: Tokenizer) -> Iterator[_Piece]:
    texts = [item.text for item in chunk]
    prompts = [item.text[: span.start] for item in chunk for span in item.spans]
    joint = tokenizer.encode_batch(texts, add_special_tokens=False)
    encoded = iter(tokenizer.encode_batch(prompts, add_special_tokens=False))
    for item, encoding in zip(chunk, joint, strict=True):
        yield item, encoding, tuple(next(encoded) for _ in item.spans)


def _row(pieces: Sequence[_Piece], tokenizer: Tokenizer, max_length: int) -> Encoded | Dropped:
    examples: list[Example] = []
    notes = [note for item, _, _ in pieces for note in item.notes]
    turns_lost = tokens_lost = longest = 0
    first = pieces[0][0]
    for item, joint, prompts in pieces:
        made, told = _examples(item, joint, prompts, tokenizer)
        if made is None:
            return Dropped(first.row, first.place, "tokens cannot be made exact", told)
        notes += [told] if told else []
        for ids, weights, ends in made:
            fitting = [end for end in ends if end <= max_length]
            turns_lost += len(ends) - len(fitting)
            tokens_lost += len(ids) - (fitting[-1] if fitting else 0)
            longest = max(longest, len(ids))
            if fitting:
                examples.append(Example(item.row, ids[: fitting[-1]], weights[: fitting[-1]]))
    if not examples:
        detail = f"{longest} tokens, tokens.max_length is {max_length}"
        return Dropped(first.row, first.place, "too long", detail)
    return Encoded(first.row, first.place, tuple(examples), turns_lost, tokens_lost, tuple(dict.fromkeys(notes)))


_Made = list[tuple[np.ndarray, np.ndarray, list[int]]]


def _examples(
    item: Rendered, joint: Encoding, prompts: Sequence[Encoding], tokenizer: Tokenizer
) -> tuple[_Made | None, str]:
    """(ids, weights, ends of trained turns) of each example that a rendering becomes, and what is told about it."""
    ids = np.asarray(joint.ids, dtype=np.int32)
    starts = np.fromiter((start for start, _ in joint.offsets), dtype=np.int64, count=len(ids))
    exact = all(_is_prefix(prompt.ids, joint.ids) for prompt in prompts)
    if exact:
        weights = np.zeros(len(ids), dtype=np.float32)
        ends = []
        for span, prompt in zip(item.spans, prompts, strict=True):
            end = int(np.searchsorted(starts, span.end)) if span.end < len(item.text) else len(ids)
            weights[len(prompt.ids) : end] = span.weight
            ends.append(end)
        return [(ids[: ends[-1]], weights[: ends[-1]], ends)], ""
    made: _Made = []
    for span, prompt in zip(item.spans, prompts, strict=True):
        continuation = _continuation(item.text, span, prompt.ids, tokenizer)
        if continuation is None:
            return None, f"the answer {item.text[span.start : span.end][:60]!r} does not survive encoding on its own"
        whole = np.asarray([*prompt.ids, *continuation], dtype=np.int32)
        weights = np.zeros(len(whole), dtype=np.float32)
        weights[len(prompt.ids) :] = span.weight
        made.append((whole, weights, [len(whole)]))
    return made, SPLIT_PER_TURN if len(item.spans) > 1 else SPLIT_BOUNDARY


def _is_prefix(prompt: Sequence[int], ids: Sequence[int]) -> bool:
    return list(prompt) == list(ids[: len(prompt)])


def _continuation(text: str, span: Span, prompt: Sequence[int], tokenizer: Tokenizer) -> list[int] | None:
    """Ids of the trained text as a continuation of `prompt`; None where no encoding gives the text back.

    Encoders that put a space before a text would put one before the answer too; an anchor in front, cut off again,
    avoids it.
    """
    answer = text[span.start : span.end]
    wanted = tokenizer.decode(list(tokenizer.encode(text[: span.end], add_special_tokens=False).ids), False)
    for anchor in ("\n", "", "."):
        head = tokenizer.encode(anchor, add_special_tokens=False).ids
        both = tokenizer.encode(anchor + answer, add_special_tokens=False).ids
        tail = list(both[len(head) :])
        if _is_prefix(head, both) and tail and tokenizer.decode([*prompt, *tail], False) == wanted:
            return tail
    return None


def _whole(item: Rendered, joint: Encoding) -> tuple[np.ndarray, np.ndarray]:
    ids = np.asarray(joint.ids, dtype=np.int32)
    weights = np.zeros(len(ids), dtype=np.float32)
    starts = np.fromiter((start for start, _ in joint.offsets), dtype=np.int64, count=len(ids))
    for span in item.spans:
        weights[(starts >= span.start) & (starts < span.end)] = span.weight
    return ids, weights

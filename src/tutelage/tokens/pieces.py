"""The text of each token, for people who want to see what the model sees."""

from collections.abc import Sequence
from itertools import pairwise, takewhile

from tokenizers import Tokenizer

_HALF = "\ufffd"  # what decoders write for bytes that do not make a character yet


def pieces(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """One text per token; together they are exactly the decoded text, special tokens kept.

    A character that is spread over several tokens stands at the last of them; the others get "". White space stays
    with the token that carries it, but for the space that some decoders take from the front of the whole text.

    Args:
        ids: token ids of one text, in order.
    """
    whole = _decode(ids, tokenizer)
    found = _by_window(ids, tokenizer)
    if found:
        found[-1] += whole[sum(map(len, found)) :]  # bytes at the end that no token completes
    return found if "".join(found) == whole else _by_prefix(ids, tokenizer, whole)


def _decode(ids: Sequence[int], tokenizer: Tokenizer) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False))


def _by_window(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """Decode each token after the one before it, whose text is taken off: decoders treat the first token otherwise."""
    found: list[str] = []
    start = read = 0  # ids[start:read] made the last whole piece
    for end in range(1, len(ids) + 1):
        before, text = _decode(ids[start:read], tokenizer), _decode(ids[start:end], tokenizer)
        if text.endswith(_HALF) or not text.startswith(before):
            found.append("")
        else:
            found.append(text[len(before) :])
            start, read = read, end
    return found


def _by_prefix(ids: Sequence[int], tokenizer: Tokenizer, whole: str) -> list[str]:
    """For decoders whose text changes with what follows (broken bytes, clean-up): how much of the whole text each
    prefix already holds. Quadratic, and rarely needed."""
    ends = [0]
    for end in range(1, len(ids)):
        same = takewhile(lambda pair: pair[0] == pair[1], zip(_decode(ids[:end], tokenizer), whole, strict=False))
        ends.append(max(ends[-1], len(list(same))))
    return [whole[start:end] for start, end in pairwise([*ends, len(whole)])]

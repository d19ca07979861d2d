"""The ids of an answer that cannot be taken from the joint encoding of prompt and answer.

Either ids would merge across the boundary, or the answer spells a control token that is trained as ordinary text.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from tokenizers import Tokenizer

from tutelage.records import Rendered, Span

# Encoders that put a space before a text would put one before each part too: an anchor in front, cut off again,
# avoids it. Which one stays apart from what follows depends on the tokenizer.
_ANCHORS = ("\n", "", ".")


def continuation(item: Rendered, span: Span, *, prompt: Sequence[int], tokenizer: Tokenizer) -> list[int] | None:
    """Ids of the span's text after its prompt; None where no encoding gives the text back.

    Args:
        prompt: ids of the text before the span.
    """
    typed = [where for where in item.typed if span.start <= where[0] < span.end]
    parts = [(item.text[start:end], plain) for start, end, plain in _parts(item.text, span, typed, tokenizer)]
    joint = tokenizer.encode(item.text[: span.end], add_special_tokens=False).ids
    wanted = tokenizer.decode(joint, skip_special_tokens=False)
    for anchor in _ANCHORS:
        found = [_after(anchor, part, _literal(tokenizer) if plain else tokenizer) for part, plain in parts]
        tail = [number for ids in found if ids is not None for number in ids]
        if None not in found and tokenizer.decode([*prompt, *tail], skip_special_tokens=False) == wanted:
            return tail
    return None


def _parts(
    text: str, span: Span, typed: Sequence[tuple[int, int]], tokenizer: Tokenizer
) -> Iterator[tuple[int, int, bool]]:
    """The span cut at the control tokens that the template writes: (start, end, whether control tokens are plain text).

    A span in which none is typed is one part.
    """
    at = span.start
    if typed:
        for match in _control(tokenizer).finditer(text, span.start, span.end):
            if any(start < match.end() and match.start() < end for start, end in typed):
                continue
            if at < match.start():
                yield at, match.start(), True
            yield match.start(), match.end(), False
            at = match.end()
    if at < span.end:
        yield at, span.end, bool(typed)


def _after(anchor: str, part: str, tokenizer: Tokenizer) -> list[int] | None:
    """Ids of `part` as it is encoded behind the anchor; None where the two merge."""
    head = tokenizer.encode(anchor, add_special_tokens=False).ids
    both = tokenizer.encode(anchor + part, add_special_tokens=False).ids
    tail = both[len(head) :]
    return list(tail) if tail and both[: len(head)] == head else None


@lru_cache(maxsize=4)
def _literal(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer, reading special tokens as ordinary text."""
    twin: Tokenizer = Tokenizer.from_str(tokenizer.to_str())
    twin.encode_special_tokens = True
    return twin


@lru_cache(maxsize=4)
def _control(tokenizer: Tokenizer) -> re.Pattern[str]:
    """Matches every special token; the longest first, as tokenizers do."""
    special = [token.content for token in tokenizer.get_added_tokens_decoder().values() if token.special]
    return re.compile("|".join(map(re.escape, sorted(special, key=len, reverse=True))) or "(?!)")

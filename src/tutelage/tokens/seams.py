"""Where a text may be cut so that the ids of its two parts, one after the other, are the ids of the whole.

Tokenizers take their added tokens (`<|im_start|>`, `</s>`) out of a text before they look at anything else, and encode
what stands between them piece by piece. So a text may be cut right before an added token, provided that the token takes
no white space from before it, needs no word boundary there, is found before normalisation changes the text, and that no
other added token can reach across the cut.
"""

import re
from functools import lru_cache

from tokenizers import AddedToken, Tokenizer


class Seams:
    """The added tokens of a tokenizer before which any text may be cut.

    Attributes:
        tokens: their texts.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        added = list(tokenizer.get_added_tokens_decoder().values())
        literal = tokenizer.encode_special_tokens  # special tokens are then read as ordinary text
        found = [token for token in added if not token.normalized and not (literal and token.special)]
        self.tokens = frozenset(token.content for token in found if _is_clean(token, found))
        longest_first = sorted(self.tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._firsts = tuple({token[0] for token in self.tokens})
        self._usual = ""  # what stood between seam and position last time: a template's, so the same for most rows

    def before(self, text: str, position: int) -> int:
        """Start of the last seam whose token ends at or before `position`; 0 where there is none."""
        usual = self._usual
        if usual and text.endswith(usual, 0, position):
            return position - len(usual)
        at = position
        while at > 0:
            at = max([text.rfind(first, 0, at) for first in self._firsts], default=-1)
            if at >= 0 and self._pattern.match(text, at, position):
                self._usual = text[at:position]
                return at
        return 0


def _is_clean(token: AddedToken, others: list[AddedToken]) -> bool:
    """Whether a text may be cut before this token: tokens are matched from the left, so one that holds its first
    character further on could begin before the cut and reach across it."""
    crossed = any(token.content[0] in other.content[1:] for other in others)
    return not (token.lstrip or token.single_word or crossed)


@lru_cache(maxsize=8)
def seams(tokenizer: Tokenizer) -> Seams:
    """The seams of a tokenizer."""
    return Seams(tokenizer)

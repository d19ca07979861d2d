"""Whose token it is: the role of each token of an example, from the regions of its row's text."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from tutelage.records import Conversation, Dropped, Rendered
from tutelage.run.assemble import Speech
from tutelage.template import Region, regions, render_conversation
from tutelage.template.regions import TEMPLATE, TEXT

UNKNOWN = "unknown"


class RoleReader:
    """The roles of tokens; each row is rendered once, however many examples it became.

    Args:
        conversation: the conversation of a row.
    """

    def __init__(self, conversation: Callable[[int], Conversation], speech: Speech) -> None:
        self._conversation = conversation
        self._speech = speech
        self._texts: dict[int, list[_Text]] = {}

    def roles(self, row: int, pieces: Sequence[str]) -> tuple[str, ...]:
        """The role of each token of one of the row's examples; "template" for what no message says.

        A token belongs to the message that holds its first character. "unknown" where the tokens do not spell any of
        the row's texts, as with tokenizers that change letters.

        Args:
            pieces: the text of each token.
        """
        if self._conversation(row).text is not None:
            return (TEXT,) * len(pieces)  # a long text is cut into several examples
        if row not in self._texts:
            self._texts[row] = self._rendered(row)
        for text in self._texts[row]:
            starts = token_starts(pieces, text.rendered.text)
            if starts is not None:
                return tuple(text.role_at(start) for start in starts)
        return (UNKNOWN,) * len(pieces)

    def _rendered(self, row: int) -> list["_Text"]:
        conversation, spoken = self._conversation(row), self._speech
        texts = render_conversation(conversation, spoken.template, policy=spoken.policy)
        return [] if isinstance(texts, Dropped) else [_Text(one, conversation, spoken) for one in texts]


@dataclass(frozen=True)
class _Text:
    """A text of a row with its regions, which are found when they are first asked for."""

    rendered: Rendered
    conversation: Conversation
    spoken: Speech

    @cached_property
    def regions(self) -> tuple[Region, ...]:
        template, policy = self.spoken.template, self.spoken.policy
        return regions(self.rendered, self.conversation, template=template, policy=policy)

    @cached_property
    def _starts(self) -> list[int]:
        return [region.start for region in self.regions]

    def role_at(self, at: int) -> str:
        """Whose the character is."""
        number = bisect_right(self._starts, at) - 1
        return self.regions[number].role if number >= 0 and at < self.regions[number].end else TEMPLATE


def token_starts(pieces: Sequence[str], text: str) -> list[int] | None:
    """Where each token begins in the text that the tokens, one after the other, begin with; None where they do not.

    Decoders that put or drop spaces between tokens are followed by the characters that are no white space.
    """
    whole = "".join(pieces)
    if text.startswith(whole):
        return list(accumulate(map(len, pieces), initial=0))[:-1]
    inked = [at for at, character in enumerate(text) if not character.isspace()]
    if not "".join(text.split()).startswith("".join(whole.split())):
        return None
    starts, read = [], 0
    for piece in pieces:
        ink = len("".join(piece.split()))
        # A token of white space alone begins where the token before it has ended.
        starts.append(inked[read] if ink else inked[read - 1] + 1 if read else 0)
        read += ink
    return starts

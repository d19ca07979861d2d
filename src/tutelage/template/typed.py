"""Control tokens that a row's own texts spell, as people do who write about templates.

Where they come out in a template's text is found by substitution: the conversation is written with words in their
place, and the words are turned back into the tokens. So a token that the template writes is never mistaken for them.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tutelage.records import Message, ToolCall

_WORD = re.compile(r"7qxtyped(\d+)q8")


class Typed:
    """The control tokens met so far in the texts of a row; the same token always becomes the same word."""

    def __init__(self, control: re.Pattern[str]) -> None:
        self._control = control
        self._tokens: dict[str, str] = {}

    def __len__(self) -> int:
        """Number of different tokens met."""
        return len(self._tokens)

    def mask(self, message: Message) -> Message:
        """The message with words in place of control tokens."""
        return replace(
            message,
            content=self._masked(message.content),
            reasoning=self.mask_values(message.reasoning),
            tool_calls=tuple(
                ToolCall(self._masked(call.name), self.mask_values(call.arguments), call.id)
                for call in message.tool_calls
            ),
            name=self.mask_values(message.name),
            input=self.mask_values(message.input),
        )

    def mask_values(self, value: Any) -> Any:
        """The same for all texts inside of a JSON value; what is no text stays as it is."""
        if isinstance(value, str):
            return self._masked(value)
        if isinstance(value, Mapping):
            return {self._masked(key): self.mask_values(item) for key, item in value.items()}
        return [self.mask_values(item) for item in value] if isinstance(value, (list, tuple)) else value

    def _masked(self, text: str) -> str:
        return self._control.sub(lambda met: self._tokens.setdefault(met[0], f"7qxtyped{len(self._tokens)}q8"), text)

    def restore(self, text: str) -> tuple[str, tuple[tuple[int, int], ...]]:
        """The text with the tokens back in place of their words, and the characters [start, end) of each."""
        tokens = list(self._tokens)
        pieces, ranges, end = [], [], 0
        for n, piece in enumerate(_WORD.split(text)):
            token = n % 2 == 1
            written = tokens[int(piece)] if token else piece
            if token:
                ranges.append((end, end + len(written)))
            pieces.append(written)
            end += len(written)
        return "".join(pieces), tuple(ranges)

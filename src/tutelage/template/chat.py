"""A chat template with everything that decides its text: source, special tokens, arguments."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tutelage.records import Message
from tutelage.template import environment
from tutelage.template.dialect import Dialect, plain, probe


@dataclass(frozen=True, eq=False)
class ChatTemplate:
    """A Jinja chat template and the facts of the tokenizer that it is used with.

    Attributes:
        name: how the user knows it; errors are placed by it.
        source: the Jinja text, unmodified.
        special_tokens: Jinja variables such as bos_token and eos_token. A token that is absent is undefined in the
            template, as in transformers; where the template cannot do without it, it is written as nothing.
        control_tokens: texts that the tokenizer turns into single special tokens.
        arguments: further variables of the template, such as enable_thinking.
    """

    name: str
    source: str
    special_tokens: Mapping[str, str]
    control_tokens: frozenset[str] = frozenset()
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def dialect(self) -> Dialect:
        """How the template wants its messages, found by trying it once."""
        return probe(lambda messages, dialect: self._write(messages, dialect))

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names that the template reads from its caller."""
        return environment.variables(self.source, self.name)

    @cached_property
    def control(self) -> re.Pattern[str]:
        """Matches every control token; the longest first, as tokenizers do."""
        known = {token for token in (*self.control_tokens, *self.special_tokens.values()) if token}
        return re.compile("|".join(map(re.escape, sorted(known, key=len, reverse=True))) or "(?!)")

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> str:
        """The text of a conversation, as transformers' `apply_chat_template(tokenize=False)` writes it.

        Raises:
            TemplateError: invalid Jinja, or the template raises; with its message and line.
        """
        dialect = self.dialect
        return self._write(
            dialect.all_fields(messages), dialect, tools=tools, add_generation_prompt=add_generation_prompt
        )

    def _write(
        self,
        messages: Sequence[Mapping[str, Any]],
        dialect: Dialect,
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        add_generation_prompt: bool = False,
    ) -> str:
        values = {
            "messages": messages,
            "tools": plain(tools) or ([] if dialect.tools else None),
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
            **dict.fromkeys(dialect.empty, ""),
            **self.special_tokens,
            **plain(self.arguments),
        }
        return environment.write(self.source, self.name, values=values)

"""A conversation as curation looks at it: what was asked and what was answered."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tutelage.records import Conversation
from tutelage.text import language


@dataclass(frozen=True, slots=True)
class Sample:
    """What was asked and what was answered.

    Attributes:
        prompts: before each answer, what the user said since the answer before it; empty for plain text.
        answers: the assistant's turns that say something; where none does, its calls of tools as JSON, in one; for
            plain text, the text itself.
        language: of all of it, as `text.language` tells it.
    """

    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    language: str

    @property
    def prompt(self) -> str:
        """All that was asked."""
        return "\n\n".join(self.prompts)

    @property
    def answer(self) -> str:
        """All that was answered."""
        return "\n\n".join(self.answers)


def sample(conversation: Conversation, known_language: str | None = None) -> Sample:
    """What curation looks at of a conversation; system messages, and beside answers tool calls and their results, are
    left out.

    Args:
        known_language: where it has been told before: telling it is most of the work.
    """
    if conversation.text is not None:
        return Sample((), (conversation.text,), known_language or language(conversation.text))
    prompts, answers, asked = list[str](), list[str](), list[str]()
    for message in conversation.messages:
        if message.role == "user":
            asked.append(message.content)
        elif message.role == "assistant" and message.content.strip():
            prompts.append("\n".join(asked))
            answers.append(message.content)
            asked.clear()
    if not answers:
        prompts, answers = ["\n".join(asked)], ["\n".join(_calls(conversation))]
    spoken = "\n".join(f"{prompt}\n{answer}" for prompt, answer in zip(prompts, answers, strict=True))
    return Sample(tuple(prompts), tuple(answers), known_language or language(spoken))


def _calls(conversation: Conversation) -> Iterator[str]:
    for message in conversation.messages:
        for call in message.tool_calls:
            yield json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)

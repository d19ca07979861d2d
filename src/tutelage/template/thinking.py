"""Think blocks: what a generation prompt has opened, and what closes it.

Turn borders never come from these tags. They are needed only where the generation prompt opens a block that the
transcript does not know (R1 and its kin), to close it as the model's own family does.
"""

import re

from tutelage.records import Message

# Opening and closing tags of the model families that have them.
_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
)
_INLINE = re.compile(r"\s*<think>(.*?)</think>\s*(.*)", re.DOTALL)


def closing(prompt: str, reasoning: str = "") -> str | None:
    """What closes the think block that `prompt` leaves open, after `reasoning`; None where no block is open.

    Line breaks follow the prompt: a tag on a line of its own is closed on a line of its own.
    """
    opened = prompt.rstrip("\n")
    for start, end in _TAGS:
        if opened.endswith(start):
            own_line = prompt != opened
            return f"{reasoning.strip()}\n{end}\n\n" if own_line else f"{reasoning.strip()}{end}"
    return None


def is_closed_block(text: str) -> bool:
    """Whether `text` is a think block with nothing in it, white space aside."""
    squeezed = "".join(text.split())
    return any(squeezed == start + end for start, end in _TAGS)


def split_inline(message: Message) -> tuple[str, str] | None:
    """Reasoning and answer of a turn whose content begins with `<think>...</think>`; None for any other turn."""
    if message.role != "assistant" or message.reasoning is not None or "</think>" not in message.content:
        return None
    match = _INLINE.fullmatch(message.content)
    return (match[1].strip(), match[2]) if match else None

"""Think blocks: what a generation prompt has opened, and what closes it.

Turn borders never come from these tags. They are needed only where the generation prompt opens (or closes) a block that
the transcript does not know (R1 and its kin), to close it as the model's own family does.
"""

import re

from tutelage.records import Message

# A name that speaks of thinking, between the brackets of a tag: <think>, <seed:think>, [THINK], <reasoning>.
_NAME = r"[\w:]*(?:think|thought|reason)[\w:]*"
_OPENING = re.compile(rf"<({_NAME})>|\[({_NAME})\]|<\|START_({_NAME})\|>|<\|channel>(thought)", re.IGNORECASE)
_CLOSING = re.compile(rf"</{_NAME}>|\[/{_NAME}\]|<\|END_{_NAME}\|>|<channel\|>", re.IGNORECASE)
_INLINE = re.compile(r"\s*<think>(.*?)</think>\s*(.*)", re.DOTALL)


def closing(prompt: str, reasoning: str = "") -> str | None:
    """What closes the think block that `prompt` leaves open, after `reasoning`; None where no block is open.

    Line breaks follow the prompt: a tag on a line of its own is closed on a line of its own.
    """
    tag = _open_tag(prompt)
    if tag is None:
        return None
    end = _closing_of(tag)
    own_line = prompt.endswith("\n")
    return f"{reasoning.strip()}\n{end}\n\n" if own_line else f"{reasoning.strip()}{end}"


def _open_tag(text: str) -> re.Match[str] | None:
    """The opening tag at the end of a text, line breaks aside."""
    opened = text.rstrip("\n")
    return next((tag for tag in _OPENING.finditer(opened, max(0, len(opened) - 80)) if tag.end() == len(opened)), None)


def _closing_of(tag: re.Match[str]) -> str:
    angle, square, cohere, _ = tag.groups()
    if angle:
        return f"</{angle}>"
    if square:
        return f"[/{square}]"
    return f"<|END_{cohere}|>" if cohere else "<channel|>"


def before_block(prompt: str) -> str | None:
    """The prompt without the think block that stands at its end, open or closed with nothing in it."""
    text = prompt.rstrip()
    closed = next((tag for tag in _CLOSING.finditer(text, max(0, len(text) - 80)) if tag.end() == len(text)), None)
    if closed:
        text = text[: closed.start()].rstrip()
    tag = _open_tag(text)
    return text[: tag.start()] if tag else None


def without_block(text: str) -> str:
    """The text after a think block, or the end of one, with which it begins; otherwise the text itself."""
    begun = _OPENING.match(text.lstrip())
    end = _CLOSING.search(text) if begun else _CLOSING.match(text.lstrip())
    return text[text.index(end[0]) + len(end[0]) :].lstrip() if end else text


def is_closed_block(text: str) -> bool:
    """Whether `text` is a think block with nothing in it, white space aside."""
    begun = _OPENING.match("".join(text.split()))
    return begun is not None and "".join(text.split())[begun.end() :] == _closing_of(begun)


def closes_block(text: str) -> bool:
    """Whether a think block ends in `text`."""
    return _CLOSING.search(text) is not None


def split_inline(message: Message) -> tuple[str, str] | None:
    """Reasoning and answer of a turn whose content begins with `<think>...</think>`; None for any other turn."""
    if message.role != "assistant" or message.reasoning is not None or "</think>" not in message.content:
        return None
    match = _INLINE.fullmatch(message.content)
    return (match[1].strip(), match[2]) if match else None

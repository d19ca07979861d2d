"""A guard model behind an endpoint (OpenAI-compatible chat completions) says of each row whether it is safe.

Two documented forms of reply are read, and nothing else. Llama Guard: `safe`, or `unsafe` and a line of categories.
Qwen3Guard: `Safety: Safe | Controversial | Unsafe`, `Categories: ...`, and perhaps `Refusal: Yes | No`. A reply of
another form, and a request that failed, is "unknown": it counts neither as safe nor as unsafe.

Replies are kept as they come in, so an interrupted pass goes on where it stopped. Those of another form are not kept:
the next pass asks again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tutelage.curate.sample import Sample
from tutelage.endpoint import Decoding, Endpoint, Messages

Rating = Literal["safe", "controversial", "unsafe", "unknown"]

_FIELD = re.compile(r"(Safety|Categories|Refusal): *(\S.*)")
_CATEGORIES = re.compile(r"[^\W_][^,:]{0,60}(?:, ?[^\W_][^,:]{0,60})*")
_UNREADABLE = "a reply of no known form"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard said of a row.

    Attributes:
        categories: as the guard names them (`S1`, `Violent`); empty for safe rows.
        reason: why a verdict is unknown.
    """

    rating: Rating
    categories: tuple[str, ...] = ()
    reason: str = ""


def verdicts(samples: Sequence[Sample], guard: Endpoint, *, cache: Path) -> list[Verdict]:
    """A verdict for each sample, in their order. All turns are sent; guard models judge the last of them.

    Args:
        cache: folder of the replies that are known already.

    Raises:
        RecipeError: the key's variable is not set, the endpoint refuses the key, or it knows no such model.
        DataError: the cache cannot be read or written.
    """
    given, asked = [Verdict("unknown")] * len(samples), [_messages(one) for one in samples]
    for place, reply in guard.replies(asked, cache=cache, decoding=Decoding(max_tokens=128), keeps=_readable):
        given[place] = Verdict("unknown", reason=reply.failure) if reply.failure else parsed(reply.text)
    return given


def parsed(reply: str) -> Verdict:
    """What a reply says, or "unknown" where it has none of the documented forms."""
    lines = [line.strip() for line in reply.strip().splitlines() if line.strip()]
    fields = {match[1]: match[2] for line in lines if (match := _FIELD.fullmatch(line))}
    if fields and len(fields) == len(lines):
        return _verdict(fields.get("Safety", ""), fields.get("Categories", "None"))
    if 1 <= len(lines) <= 2:
        return _verdict(lines[0] if lines[0] in ("safe", "unsafe") else "", lines[1] if len(lines) == 2 else "None")
    return Verdict("unknown", reason=_UNREADABLE)


def _verdict(rating: str, categories: str) -> Verdict:
    names = () if categories == "None" else tuple(name.strip() for name in categories.split(","))
    for known in get_args(Rating)[:3]:
        if rating.lower() == known and (not names or (known != "safe" and _CATEGORIES.fullmatch(categories))):
            return Verdict(known, names)
    return Verdict("unknown", reason=_UNREADABLE)


def _readable(reply: str) -> bool:
    return parsed(reply).rating != "unknown"


def _messages(sample: Sample) -> Messages:
    if not sample.prompts:
        return [{"role": "user", "content": sample.answer}]
    turns = zip(sample.prompts, sample.answers, strict=True)
    both = [turn for asked, said in turns for turn in (("user", asked), ("assistant", said))]
    return [{"role": role, "content": content} for role, content in both if content]

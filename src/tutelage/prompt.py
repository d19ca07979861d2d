"""Questions to a language model about texts, and the JSON with which it ends its reply.

A prompt is a file: what the model is told, a line `---`, and what is said again below the texts. The texts stand
between lines that carry a hash of them all, which no text can foresee: what is written in a text stays a text, even
where it looks like the end of one or like an order.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from string import Template
from typing import Any

_SEEN = 20_000  # characters at the end of a reply in which JSON is looked for
_OBJECT = re.compile(r'\{(?:[^{}"]++|"(?:[^"\\]++|\\.)*+")*+\}', re.DOTALL)  # without objects in it


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt file as it was read.

    Attributes:
        version: name and hash of the file: the same version asks the same.
        told: what the model is told before the texts, with `$mark` for the mark of the fences.
        closing: what is said below the texts.
    """

    version: str
    told: str
    closing: str

    def messages(self, texts: Mapping[str, str], **values: object) -> list[dict[str, str]]:
        """The turns that ask about some texts.

        Args:
            texts: name -> text, in the order in which they are shown.
            values: what else stands for `$names` in the prompt.
        """
        mark = blake2b(json.dumps(texts).encode(), digest_size=16).hexdigest()
        blocks = [f"[{name} {mark}]\n{text}\n[end {mark}]" for name, text in texts.items()]
        told, closing = (Template(part).substitute(values, mark=mark) for part in (self.told, self.closing))
        return [{"role": "system", "content": told}, {"role": "user", "content": "\n\n".join([*blocks, closing])}]


@cache
def prompt(file: Path) -> Prompt:
    """The prompt in a file of the package."""
    content = file.read_bytes()
    told, _, closing = content.decode("utf-8").partition("\n---\n")
    return Prompt(f"{file.stem} {blake2b(content, digest_size=8).hexdigest()}", told.strip(), closing.strip())


def conclusion(reply: str, *, key: str) -> dict[str, Any] | None:
    """The flat JSON object that ends a reply, bare or in a code fence; text may stand before it.

    Thoughts before `</think>` do not count. None where there is no such object or it stands in thoughts that were cut
    off, where it lacks `key` or names a key twice, where text follows it, and where an object before it says something
    else of `key`: which of them was meant, nobody knows.
    """
    said = reply.rpartition("</think>")[2][-_SEEN:]
    found = list(_OBJECT.finditer(said))
    if not found or "<think>" in said or said[found[-1].end() :].strip() not in ("", "```"):
        return None
    *earlier, last = (_loaded(one[0]) for one in found)
    if last is None or key not in last or any(one and one.get(key, last[key]) != last[key] for one in earlier):
        return None
    return last


def _loaded(written: str) -> dict[str, Any] | None:
    """An object, or None where it is no JSON. Line breaks inside strings, which models write, are let through."""
    try:
        return dict(json.loads(written, strict=False, object_pairs_hook=_unique))
    except (ValueError, RecursionError):
        return None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len(fields := dict(pairs)) < len(pairs):
        raise ValueError("a key twice")
    return fields


def reason(fields: Mapping[str, Any], *, longest: int = 500) -> str:
    """The `reason` that an object gives, as one line of at most `longest` characters; empty where it gives none."""
    given = fields.get("reason")
    line = " ".join(given.split()) if isinstance(given, str) else ""
    return line[:longest].encode("utf-8", "replace").decode()

"""Write the pretraining corpus: `python -m pupil.corpus --tokens 16000000`.

One document per line, {"text": ...}, of 130 to 450 tokens: seven tenths state the world (half English, half Chinese),
the rest is prose. Streaming, and the same seed gives the same file.
"""

import argparse
import json
import os
import random
import re
import sys
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path

from pupil import prose
from pupil.statements import Writer
from tutelage.demo.world import world
from tutelage.errors import TutelageError

WORK = Path(__file__).parent / "work"
# What is about one token each; the tokenizer, made from the corpus, is not there yet.
PIECES = re.compile(r"[A-Za-z]+|[\u4e00-\u9fff]{1,2}|[^\sA-Za-z]|(?<=\s)(?=\d)")
# Shares of tokens.
MIXTURE = {"world en": 0.38, "world zh": 0.34, "prose en": 0.15, "prose zh": 0.13}
DOCUMENT = 270
# Tokens per piece, as measured with the tokenizer.
DENSITY = {"world en": 1.17, "world zh": 1.66, "prose en": 1.38, "prose zh": 1.74}


def documents(shared: Path, tokens: int, *, seed: int = 1) -> Iterator[str]:
    """Documents of about `tokens` tokens in all, every kind by its share.

    Raises:
        DataError: the corpora are absent.
    """
    rng = random.Random(seed)
    folder = prose.corpora(shared)
    sources = {
        "world en": _world_documents(Writer(world(), "en", rng=random.Random(seed + 1)), DENSITY["world en"]),
        "world zh": _world_documents(Writer(world(), "zh", rng=random.Random(seed + 2)), DENSITY["world zh"]),
        "prose en": _again(prose.english(folder, random.Random(seed + 3))),
        "prose zh": _again(prose.chinese(folder, random.Random(seed + 4))),
    }
    written = dict.fromkeys(MIXTURE, 0.0)
    while sum(written.values()) < tokens:
        open_kinds = [kind for kind in MIXTURE if written[kind] < MIXTURE[kind] * tokens]
        kind = rng.choices(open_kinds, [MIXTURE[k] * tokens - written[k] for k in open_kinds])[0]
        text = next(sources[kind])
        written[kind] += tokens_in(text) * DENSITY[kind] + 1
        yield text


def tokens_in(text: str) -> int:
    """About how many tokens a text has."""
    return len(PIECES.findall(text))


def _world_documents(writer: Writer, density: float) -> Iterator[str]:
    """Sections of mixed topics up to a random length."""
    while True:
        size, length, sections = writer.rng.uniform(0.5, 1.15) * DOCUMENT / density, 0, list[str]()
        while length < size:
            sections.append(writer.section())
            length += tokens_in(sections[-1])
        yield "\n\n".join(sections)


def _again(pieces: list[str]) -> Iterator[str]:
    return chain.from_iterable(repeat(pieces))


def main(arguments: list[str] | None = None) -> int:
    """Command line; 1 with one message when the corpora are absent."""
    parser = argparse.ArgumentParser(description="write the pretraining corpus of the pupil")
    parser.add_argument("--tokens", type=int, default=16_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=Path(os.environ.get("TUTELAGE_SHARED", "../shared/assets")))
    parser.add_argument("--output", type=Path, default=WORK / "corpus.jsonl")
    options = parser.parse_args(arguments)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    partial = options.output.with_suffix(".partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            for text in documents(options.shared, options.tokens, seed=options.seed):
                file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    except TutelageError as error:
        partial.unlink(missing_ok=True)
        print(error, file=sys.stderr)
        return 1
    partial.replace(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Readable prose for fluency, as pieces of about one page: public-domain books, tales, plain modern Chinese."""

import json
import random
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from tutelage.errors import DataError

# What is read, below the folder of the corpora.
BOOKS, TALES, WIKI = "english_classics.txt", "tinystories_sample", "wiki_demo/wiki_demo.txt"
MODERN, NOVELS = "zh_classical_modern.jsonl", "zh_novels"
# Characters of a piece, about 300 tokens.
PIECE_EN, PIECE_ZH = 1050, 350
# Too hard for a small model.
SKIPPED_AUTHORS = ("Jack London", "Mark Twain", "Arthur Conan Doyle", "Rudyard Kipling", "Jules Verne")
SKIPPED_BOOKS = ("明史", "仪礼", "睡虎地秦墓竹简", "宋书", "魏书")


def corpora(shared: Path) -> Path:
    """The folder of the corpora, with everything that is read from it.

    Raises:
        DataError: it is not there, or not whole.
    """
    folder = shared / "corpora"
    absent = [name for name in (BOOKS, TALES, WIKI, MODERN, NOVELS) if not (folder / name).exists()]
    if absent:
        raise DataError(
            f"the corpora are not there: {', '.join(absent)}",
            code="no-such-data",
            place=str(folder),
            expected=f"a folder with {BOOKS}, {TALES}, {WIKI}, {MODERN} and {NOVELS}",
            remedy="set TUTELAGE_SHARED (or --shared) to the folder that holds corpora/",
        )
    return folder


def english(folder: Path, rng: random.Random) -> list[str]:
    """Pieces of English: plain books once, tales up to four times, some encyclopaedia."""
    books = (folder / BOOKS).read_text(encoding="utf-8").split("<|book|>")
    pieces = [piece for book in books if _plain(book) for piece in _pieces(_paragraphs(book), PIECE_EN)]
    tales = []
    for file in sorted((folder / TALES).glob("*.txt")):
        paragraphs = [re.sub(r"\s+", " ", p).strip() for p in re.split(r"\n\s*\n", file.read_text(encoding="utf-8"))]
        tales += list(_pieces([p for p in paragraphs if p and not p.startswith("<|")], PIECE_EN))
    wiki = (folder / WIKI).read_text(encoding="utf-8").splitlines()
    encyclopaedia = list(_pieces([_until_sentence(line, PIECE_EN) for line in wiki if len(line) > 200], PIECE_EN))
    pieces += 4 * tales + rng.sample(encyclopaedia, min(400, len(encyclopaedia)))
    rng.shuffle(pieces)
    return pieces


def chinese(folder: Path, rng: random.Random) -> list[str]:
    """Pieces of Chinese: consecutive modern sentences of one book, and some pages of the classic novels."""
    pieces = [piece for lines in _modern(folder) for piece in _pieces(lines, PIECE_ZH, glue="")]
    for file in sorted((folder / NOVELS).glob("*.txt")):
        lines = [re.sub(r"\s+", "", line) for line in file.read_text(encoding="utf-8").splitlines()]
        novel = list(_pieces([line for line in lines if len(line) > 30], PIECE_ZH))
        pieces += rng.sample(novel, min(300, len(novel)))
    rng.shuffle(pieces)
    return pieces


def _plain(book: str) -> bool:
    front_matter = book[:400]
    return not any(author in front_matter for author in SKIPPED_AUTHORS)


def _paragraphs(book: str) -> list[str]:
    """Whole paragraphs that end like a sentence: no headings, no front matter, no verse or tables."""
    paragraphs = (re.sub(r"\s+", " ", part).strip().replace("_", "") for part in book.split("\n\n"))
    return [p for p in paragraphs if len(p) > 40 and p[0] not in "#-[*|=" and p[-1] in ".!?\"'”’" and not p.isupper()]


def _modern(folder: Path) -> Collection[list[str]]:
    """The modern sentences of each book, in order."""
    books: dict[str, list[str]] = {}
    with (folder / MODERN).open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["book"] not in SKIPPED_BOOKS:
                books.setdefault(row["book"], []).append(re.sub(r"\s+", "", row["modern"]))
    return books.values()


def _pieces(paragraphs: list[str], size: int, *, glue: str = "\n\n") -> Iterator[str]:
    """Consecutive paragraphs joined up to about `size` characters, cut only where a paragraph ends."""
    piece: list[str] = []
    length = 0
    for paragraph in paragraphs:
        if length + len(paragraph) > 1.25 * size:
            if length > 0.4 * size:
                yield glue.join(piece)
            piece, length = [], 0
        if len(paragraph) <= 1.25 * size:
            piece.append(paragraph)
            length += len(paragraph)


def _until_sentence(text: str, size: int) -> str:
    """The beginning of a long paragraph up to a full stop."""
    return text if len(text) <= size else text[: text.rfind(". ", 0, size) + 1]

"""Rows to tokens: the whole data path of a recipe, chained, counted and stored."""

import gc
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage import data
from tutelage.data.paths import find_files
from tutelage.errors import DataError
from tutelage.recipe import Recipe
from tutelage.records import Dropped, Entry, Question
from tutelage.run.assemble import Speech
from tutelage.run.leaks import leaks
from tutelage.run.path import Understood, conversations, results
from tutelage.run.rows import RowReader, RowWriter, choose, question_of
from tutelage.run.shares import SourceShare, shares_of
from tutelage.terminal import Terminal, Update
from tutelage.tokens.encode import Encoded
from tutelage.tokens.store import StoreWriter, TokenStore, code_version, store_key

LEDGER, USED = "ledger.jsonl", "used.npy"
IDENTICAL = "held-out rows that are identical to a trained row"  # key of `Prepared.notes`
LEAKING = "held-out rows whose prompt is trained, in the same or nearly the same words"  # begins one
_PACKAGE = Path(__file__).parent.parent

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Prepared:
    """A data set that is ready to be trained on.

    Attributes:
        train, held_out: numbers of examples in the store; mixture weights repeat some in `train`.
        formats: per source, the format that was recognised, as a sentence.
        notes: what is told about how texts and tokens were made -> rows concerned.
        reused: the store was there already.
        shares: what each source gives to an epoch.
        source_of_row: position in `shares` of each row, by its number; 0 for rows that are not trained.
    """

    store: TokenStore
    train: Numbers
    held_out: Numbers
    ledger: data.Ledger
    formats: tuple[str, ...]
    notes: dict[str, int]
    reused: bool
    shares: tuple[SourceShare, ...]
    source_of_row: Numbers

    def questions(self, *, count: int, seed: int) -> list[Question]:
        """Held-out questions, a seeded sample."""
        rows = sorted({int(row) for row in self.store.rows[self.held_out]})
        reader = RowReader(self.store.folder)
        made = (question_of(reader[row]) for row in rows)
        asked = [question for question in made if question is not None]
        kept = set(choose([question.row for question in asked], count=count, seed=seed))
        return [question for question in asked if question.row in kept]


def prepare(recipe: Recipe, speech: Speech, *, terminal: Terminal) -> Prepared:
    """Read, understand, render, encode and split the data of a recipe, or take the stored result of doing so.

    Raises:
        DataError, LedgerError, TemplateError: unreadable data, or too many rows lost.
    """
    folder = _cache(recipe) / _key(recipe, speech)
    reused = (folder / "store.json").exists()
    if reused:
        store, ledger = TokenStore(folder), data.Ledger()
        ledger.extend(data.read_entries(folder / LEDGER))
    else:
        store, ledger = _build(recipe, speech, folder, terminal)
    prepared = _split(recipe, store, ledger, reused=reused)
    prepared.ledger.check(recipe.data.max_lost_share, rows_read=store.extra["rows"])
    _refuse_empty(prepared)
    return prepared


@dataclass
class _Tally:
    """What the data path counts on its way."""

    ledger: data.Ledger
    notes: Counter[str]
    rows: list[tuple[int, int, int, int]]  # (row, source, group, identity) of the rows that are used


def _build(recipe: Recipe, speech: Speech, folder: Path, terminal: Terminal) -> tuple[TokenStore, data.Ledger]:
    tally = _Tally(data.Ledger(), Counter(), [])
    formats: list[str] = []
    with (
        _settled_memory(),
        StoreWriter(folder) as writer,
        RowWriter(writer.work) as kept,
        terminal.progress("preparing rows", recipe.data.max_rows) as update,
    ):
        rows = conversations(recipe.data, recipe.data.trained, formats=formats)
        read = _follow(rows, speech, (writer, kept), tally, update)
        eval_from = -1
        if recipe.data.eval_sources:
            eval_from = read
            held = conversations(recipe.data, recipe.data.eval_sources, formats=formats, first_row=read)
            read += _follow(held, speech, (writer, kept), tally, lambda done, told: update(eval_from + done, told))
        kept.close()
        tally.ledger.write(writer.work / LEDGER)
        np.save(writer.work / USED, np.asarray(tally.rows, dtype=np.uint64).reshape(-1, 4))
        extra = {"rows": read, "eval_from": eval_from, "formats": formats, "notes": dict(tally.notes)}
        return writer.finish(extra), tally.ledger


@contextmanager
def _settled_memory() -> Iterator[None]:
    """Leaves what is in memory already out of garbage collection: torch and transformers alone are a million objects,
    which every collection would visit, and rows make many objects."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _follow(
    rows: Iterator[Understood],
    speech: Speech,
    files: tuple[StoreWriter, RowWriter],
    tally: _Tally,
    update: Update,
) -> int:
    """Rows through template and tokenizer into the store and the ledger; how many there were."""
    writer, kept = files
    read = 0
    for chunk, made in results(rows, speech):
        for conversation, result in zip(chunk, made, strict=True):
            tally.ledger.add(_entry(result))
            if isinstance(result, Dropped) or isinstance(conversation, Dropped):
                continue
            for example in result.examples:
                writer.add(example)
            kept.add(conversation)
            tally.notes.update(result.notes)
            identity = _number(data.identity(conversation))
            group = identity if conversation.group is None else _number(conversation.group)
            tally.rows.append((result.row, conversation.source, group, identity))
        read += len(chunk)
        update(read, "")
    return read


def _entry(result: Encoded | Dropped) -> Entry:
    if isinstance(result, Dropped):
        return Entry(result.row, result.place, "dropped", reason=result.reason, detail=result.detail)
    if not result.turns_lost:
        return Entry(result.row, result.place, "used")
    return Entry(
        result.row,
        result.place,
        "shortened",
        reason="trailing turns too long",
        turns_lost=result.turns_lost,
        tokens_lost=result.tokens_lost,
    )


def _split(recipe: Recipe, store: TokenStore, ledger: data.Ledger, *, reused: bool) -> Prepared:
    """Which examples are trained and which are held out; that is written into the ledger."""
    used = np.load(store.folder / USED)
    boundary = store.extra["eval_from"]
    rows, sources, groups = (used[:, column] for column in range(3))
    if boundary >= 0:
        is_held = rows >= boundary
    else:
        settings = {"share": recipe.data.eval_share, "max_rows": recipe.data.max_eval_rows, "seed": recipe.seed}
        held = data.split([f"{group:016x}" for group in groups.tolist()], **settings)  # type: ignore[arg-type]
        is_held = np.isin(np.arange(len(rows)), list(held))
    ledger.hold_out(rows[is_held].tolist())
    notes = store.extra["notes"] | _leaking(recipe, store, used, is_held)
    mixed = _mixed(recipe, rows[~is_held], sources[~is_held])
    source_of_row = np.zeros(store.extra["rows"], dtype=np.int64)
    source_of_row[rows[~is_held]] = sources[~is_held]
    return Prepared(
        store=store,
        train=_examples_of(store, mixed.rows),
        held_out=_examples_of(store, rows[is_held]),
        ledger=ledger,
        formats=tuple(store.extra["formats"]),
        notes=notes,
        reused=reused,
        shares=_shares(recipe, store, mixed),
        source_of_row=source_of_row,
    )


def _leaking(
    recipe: Recipe, store: TokenStore, used: npt.NDArray[Any], is_held: npt.NDArray[np.bool_]
) -> dict[str, int]:
    """What is told of held-out rows that are trained too: those that are identical, and others with the same prompt."""
    rows, identities = used[:, 0].astype(np.int64), used[:, 3]
    same = data.overlap(map(str, identities[~is_held].tolist()), map(str, identities[is_held].tolist()))
    others = is_held & ~np.isin(identities, identities[~is_held])
    found = leaks(RowReader(store.folder), trained=rows[~is_held], held=rows[others], seed=recipe.seed)
    return {
        note: count
        for note, count in (
            (IDENTICAL, same),
            (f"{LEAKING}; the first: {found.first}", found.count),
            ("held-out rows that were not compared with the trained ones, but for identical ones", found.unseen),
        )
        if count
    }


@dataclass(frozen=True)
class _Mixed:
    """The rows of an epoch.

    Attributes:
        held: rows of each source that may be trained.
        wanted: rows that each source gives to the epoch.
        rows: their numbers, by source and then by row; some stand there several times.
    """

    held: list[int]
    wanted: Numbers
    rows: Numbers


def _mixed(recipe: Recipe, rows: npt.NDArray[Any], sources: npt.NDArray[Any]) -> _Mixed:
    """The rows of one epoch as the mixture asks for them."""
    by_source = [rows[sources == number].astype(np.int64) for number in range(len(recipe.data.trained))]
    held = [len(part) for part in by_source]
    wanted = data.epoch_rows(recipe.data, held)
    starts = np.cumsum(held) - held
    chosen = data.mixture(held, wanted, seed=recipe.seed)
    return _Mixed(held, wanted, np.concatenate(by_source)[starts[chosen[:, 0]] + chosen[:, 1]])


def _shares(recipe: Recipe, store: TokenStore, mixed: _Mixed) -> tuple[SourceShare, ...]:
    """What each source is of an epoch, in rows and in tokens."""
    parts = np.split(mixed.rows, np.cumsum(mixed.wanted)[:-1])
    tokens = np.array([store.lengths[_examples_of(store, part)].sum() for part in parts], dtype=np.int64)
    return shares_of(recipe.data.trained, mixed.held, rows=mixed.wanted, tokens=tokens)


def _examples_of(store: TokenStore, rows: npt.NDArray[Any]) -> Numbers:
    """Numbers of the examples of some rows, in order, each as often as its row stands there."""
    starts = np.searchsorted(store.rows, rows, side="left")
    ends = np.searchsorted(store.rows, rows, side="right")
    counts = ends - starts
    before = np.cumsum(counts) - counts  # how many examples stand before those of each row
    return np.asarray(np.arange(counts.sum()) + np.repeat(starts - before, counts), dtype=np.int64)


def _refuse_empty(prepared: Prepared) -> None:
    if not len(prepared.train):
        raise DataError(
            "no row is left to train on", code="no-rows", expected="at least one usable row that is not held out"
        )


def _key(recipe: Recipe, speech: Speech) -> str:
    every = (*recipe.data.trained, *recipe.data.eval_sources)
    return store_key(
        {
            "data": recipe.data.model_dump(include={"max_rows", "malformed", "group_by"}),
            # What decides the shares of an epoch changes no token.
            "sources": [source.model_dump(exclude={"weight", "rows", "role"}) for source in recipe.data.trained],
            "eval_sources": [source.model_dump() for source in recipe.data.eval_sources],
            "content": [_digest(file) for source in every for file in find_files(source)],
            "tokenizer": hashlib.sha256(speech.tokenizer.digest_source.encode()).hexdigest(),
            "template": speech.template.source,
            "special_tokens": dict(speech.template.special_tokens),
            "policy": recipe.template.model_dump(),
            "max_length": speech.max_length,
            "code": code_version(
                _sources_of("records.py", "data", "template", "tokens", "run/prepare.py", "run/path.py", "run/rows.py")
            ),
        }
    )


def _sources_of(*parts: str) -> list[Path]:
    found = ([_PACKAGE / part] if part.endswith(".py") else sorted((_PACKAGE / part).rglob("*.py")) for part in parts)
    return [file for files in found for file in files]


def _digest(file: str) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _number(text: str) -> int:
    """64 bits of a hash of some text."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


def _cache(recipe: Recipe) -> Path:
    if recipe.tokens.cache_dir is not None:
        return Path(recipe.tokens.cache_dir)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tutelage" / "tokens"

"""What becomes of one hostile input on the real path: refused with a place, or every row in the ledger once."""

import csv
import gzip
import io
import json
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard

from tutelage import data
from tutelage import recipe as recipes
from tutelage import template as templates
from tutelage.errors import TutelageError
from tutelage.recipe import Recipe
from tutelage.records import Conversation, Dropped, Entry, Message, Place, ToolCall
from tutelage.run.assemble import Speech
from tutelage.run.inspecting import inspect
from tutelage.run.path import examples
from tutelage.run.prepare import prepare
from tutelage.terminal import Terminal


@dataclass(frozen=True)
class Verdict:
    """Attributes:
    refused: the whole input was refused, in words for the user.
    rows: rows that were entered into the ledger.
    problem: what must not be, as a traceback; empty where all is well.
    unaccounted: rows that are nowhere, or entered twice or without reason or place.
    """

    refused: bool = False
    rows: int = 0
    problem: str = ""
    unaccounted: int = 0

    @property
    def is_sound(self) -> bool:
        return not self.problem and not self.unaccounted


def judged(check: Callable[[], Verdict]) -> Verdict:
    """The verdict of a check; a refusal for the user is one, any other exception is a problem."""
    try:
        return check()
    except TutelageError as error:
        return _refusal(error)
    except Exception:
        return Verdict(problem=traceback.format_exc())


def _refusal(error: TutelageError, named: str = "") -> Verdict:
    clear = error.found.strip() and error.place.startswith(named or error.place[:1]) and error.place
    return Verdict(refused=True, problem="" if clear else f"a refusal without place or reason: {error!r}")


def judge_data(path: Path, speech: Speech) -> Verdict:
    """Inspect, then prepare (malformed lines dropped), then the same again as by default (malformed lines refused)."""
    work = Path(tempfile.mkdtemp(prefix="judged"))
    try:
        return judged(lambda: _judged_data(path, speech, work))
    finally:
        shutil.rmtree(work)


def _recipe(path: Path, work: Path, **settings: Any) -> Recipe:
    section = {"sources": [str(path)], "max_lost_share": 1.0, "eval_share": 0.3, **settings}
    return recipes.build({"data": section, "tokens": {"cache_dir": str(work)}})


def _judged_data(path: Path, speech: Speech, work: Path) -> Verdict:
    strict, lenient = _recipe(path, work), _recipe(path, work, malformed="drop")
    try:
        json.dumps(inspect(strict, with_model=False).summary()).encode()
    except TutelageError as error:
        refusal = _refusal(error, str(path))
        if not refusal.is_sound:
            return refusal
    refused = None
    try:
        prepare(lenient, speech, terminal=Terminal(quiet=True))
    except TutelageError as error:
        refused = error
    written = list(work.glob("*/ledger.jsonl"))
    if refused and not written:
        return _refusal(refused, str(path))
    entries = [entry for file in written for entry in data.read_entries(file)]
    wanted = standing(path)
    if wanted is None:
        wanted = sum(1 for _ in data.read(lenient.data.sources, malformed="drop"))
    lost = unaccounted(entries, wanted, str(path))
    return Verdict(refused is not None, len(entries), f"rows unaccounted for: {lost}" if lost else "", lost)


def unaccounted(entries: Sequence[Entry], wanted: int, file: str) -> int:
    """Rows that are missing, entered twice or too much, or dropped without reason or place."""
    rows = {entry.row for entry in entries}
    silent = [
        e for e in entries if e.state == "dropped" and not (e.reason and e.place.line > 0 and e.place.file == file)
    ]
    return len(rows ^ set(range(wanted))) + len(entries) - len(rows) + len(silent)


def standing(path: Path) -> int | None:
    """How many rows stand in a file, by other means than Tutelage's readers; None where they cannot tell."""
    try:
        content, kind = _plain(path), path.name.removesuffix(".gz").removesuffix(".zst")
        if kind.endswith(".parquet"):
            return int(pq.ParquetFile(io.BytesIO(content)).metadata.num_rows)
        text = content.decode("utf-8-sig")
        if kind.endswith((".csv", ".tsv")):
            return _in_table(text, "\t" if kind.endswith(".tsv") else ",")
        return _in_json(text)
    except Exception:  # a damaged file: nobody knows how many rows it had
        return None


def _plain(path: Path) -> bytes:
    content = path.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        return gzip.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.ZstdDecompressor().decompress(content)
    return content


def _in_table(text: str, delimiter: str) -> int | None:
    is_old = "\r" in text.replace("\r\n", "")  # line ends of another age: is it a line, or two?
    if is_old or delimiter not in text.lstrip().split("\n")[0]:
        return None
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    return sum(1 for record in records if record) - 1


def _in_json(text: str) -> int | None:
    """Lines where every line is JSON and the first an object; else the elements of one array."""
    if text.lstrip(" \t\r\n").startswith("["):
        return len(json.loads(text))
    lines = [line for line in text.split("\n") if line.strip(" \t\r\n\v\f")]
    values = [json.loads(line) for line in lines]
    return len(lines) if len(lines) > 1 and isinstance(values[0], dict) else None


def judge_recipe(path: Path, overrides: Sequence[str] = ()) -> Verdict:
    """Load a recipe; what is loaded must come back from its own dump."""

    def check() -> Verdict:
        made = recipes.load(path, overrides)
        again = path.with_name("again.yaml")
        again.write_text(recipes.dump(made), encoding="utf-8")
        same = recipes.load(again) == made
        return Verdict(problem="" if same else "the dump of the recipe is another recipe")

    return judged(check)


def _conversations() -> Iterator[Conversation]:
    user, system = Message("user", "How many legs has a spider?"), Message("system", "Say it twice.")
    answer, call = (
        Message("assistant", "Eight.", reasoning="12 plus 30"),
        ToolCall("count", {"of": "legs"}, "call_0001"),
    )
    called = Message("assistant", "", tool_calls=(call,))
    tool = Message("tool", "8", name="count", tool_call_id="call_0001")
    offered = ({"type": "function", "function": {"name": "count", "parameters": {"type": "object", "properties": {}}}},)
    for number, (turns, tools) in enumerate(
        [
            ((user, replace(answer, reasoning=None)), ()),
            ((system, user, answer, user, replace(answer, content="Yes. <|im_end|>")), ()),
            ((user, called, tool, answer), offered),
        ]
    ):
        yield Conversation(number, Place("conversations", number + 1), turns, tools)


def judge_template(path: Path, speech: Speech) -> Verdict:
    """Load a template, write three conversations with it, and ask for its generation prompt."""

    def check() -> Verdict:
        special = {**speech.tokenizer.special_tokens, "bos_token": "<|im_start|>"}
        control = speech.tokenizer.control_tokens
        own = templates.load(str(path), None, special_tokens=special, control_tokens=control)
        rows = list(_conversations())
        results = examples(rows, replace(speech, template=own))
        lost = sum(one.row != row.row for one, row in zip(results, rows, strict=True))
        lost += sum(isinstance(one, Dropped) and not one.reason for one in results)
        return Verdict(rows=len(results), unaccounted=lost)

    return judged(check)

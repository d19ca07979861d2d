"""Preview shows the batches that the trainer gets: in their order, with their weights, whole, and legibly."""

import io
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tests.conftest import MakeRecipe
from tests.small import questions
from tutelage import recipe as recipes
from tutelage.records import Batch, Place
from tutelage.run.assemble import speech
from tutelage.run.coloured import interlinear, legend, look_of, readable, running
from tutelage.run.engine import build_engine
from tutelage.run.prepare import prepare
from tutelage.run.previewing import Previews, preview, show_preview
from tutelage.run.readback import ReadRow, count_roles
from tutelage.run.roles import token_starts
from tutelage.terminal import Terminal

TALK: list[dict[str, Any]] = [
    {
        "messages": [
            {"role": "system", "content": "Sing."},
            {"role": "user", "content": "Say cat \U0001f642."},
            {"role": "assistant", "content": "The cat says 7.", "weight": 0.5},
            {"role": "user", "content": "[bold]猫[/bold] \x1b[31m<script>\t"},
            {"role": "assistant", "content": "河水流过。"},
        ]
    },
    {"messages": [{"role": "user", "content": "Say mill."}, {"role": "assistant", "content": "Mill."}]},
]
BAD = {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": " "}]}


def console(width: int = 80, *, colour: bool = True, plain: bool = False) -> Console:
    system = "truecolor" if colour else None
    return Console(
        file=io.StringIO(),
        width=width,
        force_terminal=colour,
        color_system=system,
        no_color=plain,
        highlight=False,
        soft_wrap=True,
    )


def printed(shown: Previews, to: Console, *, ids: bool = False) -> str:
    terminal = Terminal()
    terminal.console = to
    show_preview(shown, terminal, ids=ids)
    assert isinstance(to.file, io.StringIO)
    return to.file.getvalue()


def rebuilt(batch: Any) -> Counter[tuple[int, ...]]:
    """Ids and positions of each row of a batch that was read back."""
    return Counter((row.row, *row.token_ids, *row.positions) for row in batch.rows)


def given(batch: Batch) -> Counter[tuple[int, ...]]:
    """The same of the tensors, cut by hand."""
    found: Counter[tuple[int, ...]] = Counter()
    start = 0
    for number, (row, length) in enumerate(zip(batch.rows, batch.row_lengths, strict=True)):
        packed = batch.token_ids_BT.shape[0] == 1
        line, at = (0, start) if packed else (number, 0)
        ids, positions = (
            tensor[line, at : at + length].tolist() for tensor in (batch.token_ids_BT, batch.position_ids_BT)
        )
        found[(row, *ids, *positions)] += 1
        start += length
    return found


@pytest.mark.parametrize("packing", [True, False])
def test_the_batches_are_those_of_a_run(make_recipe: MakeRecipe, packing: bool) -> None:
    """With nothing held out, the rows of a run are the rows of the preview: same batches, same order."""
    recipe = make_recipe(
        questions(17),
        data={"eval_share": 0.0},
        tokens={"max_length": 96, "packing": packing},
        train={"gradient_accumulation_steps": 2},
    )
    spoken = speech(recipe)
    prepared = prepare(recipe, spoken, terminal=Terminal(quiet=True))
    engine = build_engine(recipe, spoken, prepared=prepared, terminal=Terminal(quiet=True))
    assert engine.packed is packing
    trained = [batch for step in range(engine.plan.steps_per_epoch) for batch in engine.plan.step(step)]
    shown = preview(recipe).batches
    assert len(shown) == len(trained) > 2
    assert [rebuilt(one) for one in shown] == [given(one) for one in trained]
    assert [one.positions for one in shown] == [one.token_ids_BT.numel() for one in trained]
    assert [one.tokens for one in shown] == [one.tokens for one in trained]
    for one, batch in zip(shown, trained, strict=True):
        weights = sum(weight for row in one.rows for weight in row.weights)
        assert weights == pytest.approx(float(batch.target_weights_BT.sum()))
        assert torch.count_nonzero(batch.target_weights_BT) == sum(sum(row.trained) for row in one.rows)


def test_sequences_are_packs(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe(questions(17), tokens={"max_length": 96})
    shown = preview(recipe)
    assert [row.example for row in shown.examples] == list(range(17))
    sequences = [rows for batch in shown.batches for rows in batch.sequences()]
    assert [rows[0].sequence for rows in sequences] == list(range(1, len(sequences) + 1))
    assert max(map(len, sequences)) > 1
    for rows in sequences:
        assert [row.offset for row in rows] == [
            sum(len(earlier.token_ids) for earlier in rows[:at]) for at in range(len(rows))
        ]
        assert sum(len(row.token_ids) for row in rows) <= 96
    unpacked = preview(make_recipe(questions(5), tokens={"packing": False})).batches
    assert [len(batch.sequences()) for batch in unpacked] == [2, 2, 1]
    assert all(len(rows) == 1 for batch in unpacked for rows in batch.sequences())
    for batch in unpacked:
        longest = max(len(row.token_ids) for row in batch.rows)
        assert longest <= batch.room <= max(longest * 9 / 8, longest + 7), "rounded up to one of a few widths"


def test_json_says_the_same(make_recipe: MakeRecipe) -> None:
    recipe = make_recipe([*TALK, BAD], tokens={"max_length": 256})
    shown = preview(recipe)
    told = json.loads(json.dumps(shown.summary()))
    assert [one["row"] for one in told["examples"]] == [0, 1]
    assert [one["row"] for one in told["refused"]] == [2]
    assert told["batches"] == [
        {
            "batch": 1,
            "packed": True,
            "sequences": [{"sequence": 1, "rows": [0, 1]}],
            "tokens": sum(len(one["token_ids"]) for one in told["examples"]),
            "padding": shown.batches[0].positions - shown.batches[0].tokens,
        }
    ]
    first = told["examples"][0]
    columns = [first[name] for name in ("token_ids", "trained", "pieces", "positions", "weights", "roles")]
    assert len({len(column) for column in columns}) == 1
    assert set(first["weights"]) == {0.0, 0.5, 1.0}
    assert first["trained"] == [int(weight > 0) for weight in first["weights"]]
    assert first["positions"] == list(range(len(first["token_ids"])))
    assert "".join(first["pieces"]).startswith("<|im_start|>system\nSing.<|im_end|>")


def test_tokens_are_counted_for_who_says_them(make_recipe: MakeRecipe) -> None:
    """By text: the pieces of a role, put together, are what its messages say."""
    shown = preview(make_recipe(TALK, tokens={"max_length": 256}))
    said: dict[str, str] = {}
    for piece, role in zip(shown.examples[0].pieces, shown.examples[0].roles, strict=True):
        said[role] = said.get(role, "") + piece
    messages = TALK[0]["messages"]
    assert said["system"] == "Sing."
    assert said["user"] == messages[1]["content"] + messages[3]["content"]
    assert said["assistant"] == messages[2]["content"] + "<|im_end|>" + messages[4]["content"] + "<|im_end|>"
    told = shown.summary()
    assert set(told["trained_by_role"]) == set(told["seen_by_role"]) == {"system", "user", "assistant", "template"}
    assert [role for role, count in told["trained_by_role"].items() if count] == ["assistant"]
    assert told["seen_by_role"]["assistant"] == 0
    for name in ("trained_by_role", "seen_by_role"):
        parts = Counter[str]()
        for one in told["examples"]:
            parts.update(one[name])
        assert parts == Counter(told[name])
    tokens = sum(len(one["token_ids"]) for one in told["examples"])
    assert sum(told["trained_by_role"].values()) + sum(told["seen_by_role"].values()) == tokens


def test_with_all_trained_each_has_its_own(make_recipe: MakeRecipe) -> None:
    one, other = (
        preview(make_recipe(TALK, tokens={"max_length": 256}, template={"train_on": on})).summary()
        for on in ("assistant", "all")
    )
    assert other["trained_by_role"]["user"] == one["seen_by_role"]["user"] > 0
    assert other["trained_by_role"]["assistant"] == one["trained_by_role"]["assistant"] > 0
    assert sum(other["seen_by_role"].values()) == len(TALK)  # the first token of each row


def test_plain_text_in_several_examples(make_recipe: MakeRecipe) -> None:
    shown = preview(make_recipe([{"text": "The river runs past the old mill. " * 20}]))
    assert len(shown.examples) > 2
    assert {one.row for one in shown.examples} == {0}
    assert set(shown.summary()["trained_by_role"]) == {"text"}


def test_lost_turns_are_told(make_recipe: MakeRecipe) -> None:
    row = {
        "messages": [
            *TALK[1]["messages"],
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "x" * 90},
        ]
    }
    shown = preview(make_recipe([row]))
    assert [note for note in shown.notes if "1 row shortened to tokens.max_length: 1 turns" in note]


def test_no_usable_row(make_recipe: MakeRecipe) -> None:
    shown = preview(make_recipe([BAD]))
    assert (shown.batches, shown.examples, len(shown.refused)) == ((), (), 1)
    assert "refused, empty answer" in printed(shown, console())
    assert shown.summary()["trained_by_role"] == {}


def test_token_starts_follow_decoders_that_change_spaces() -> None:
    assert token_starts(["ab", "", "c"], "abcd") == [0, 2, 2]
    assert token_starts(["<s> ", "ab", " ", "c"], "<s>ab c") == [0, 3, 5, 6]
    assert token_starts(["ab", "x"], "abc") is None
    assert token_starts(["abc", "d"], "abc") is None


# What people see.


def row_of(pieces: list[str], weights: list[float], *, control: tuple[int, ...] = ()) -> ReadRow:
    count = range(len(pieces))
    return ReadRow(
        row=0,
        source=Place("a.jsonl", 1),
        example=0,
        batch=1,
        sequence=1,
        offset=0,
        token_ids=tuple(1000 + at for at in count),
        positions=tuple(count),
        weights=tuple(weights),
        pieces=tuple(pieces),
        control=tuple(at in control for at in count),
        roles=("user",) * len(pieces),
    )


def spans(text: Text) -> list[tuple[str, str]]:
    return [(text.plain[span.start : span.end], str(span.style)) for span in text.spans]


def test_markup_and_escapes_are_shown_literally(make_recipe: MakeRecipe) -> None:
    shown = preview(make_recipe(TALK, tokens={"max_length": 256}))
    for ids in (False, True):
        text = printed(shown, console(colour=False), ids=ids)
        assert "\x1b" not in text
        assert "\t" not in text
        assert "\\x1b" in text
    text = printed(shown, console(colour=False))
    assert "[bold]猫[/bold] \\x1b[31m<script>\u21e5" in text
    assert readable("a\u202eb\u200b\x9b\r") == "a\\u202eb\\u200b\\x9b\\x0d"
    assert readable("\U0001f469\u200d\U0001f680 汉\n") == "\U0001f469\u200d\U0001f680 汉\u23ce\n"


def test_without_colour_brackets_tell_what_is_trained(make_recipe: MakeRecipe) -> None:
    """Also in a terminal with NO_COLOR, where it is underlined too."""
    shown = preview(make_recipe(TALK, tokens={"max_length": 256}))
    expected = ["x0.5 The cat says 7.<|im_end|>", "河水流过。<|im_end|>", "Mill.<|im_end|>"]
    assert re.findall("\u27e6(.*?)\u27e7", printed(shown, console(colour=False)))[2:] == expected
    plain = console(plain=True)
    look = look_of(plain)
    assert look == look_of(console(colour=False)) != look_of(console())
    assert all("underline" in style for style in (*look.trained, *look.control_trained))
    assert not any("underline" in style for style in (*look.seen, *look.control))
    assert "\x1b[4m" in printed(shown, plain) or "\x1b[1;4m" in printed(shown, plain)


def test_styles_tell_tokens_apart() -> None:
    row = row_of(["<u>", "ab", "cd", "", "ef", "<e>"], [0, 0, 0, 1, 1, 1], control=(0, 5))
    look = look_of(console())
    found = spans(running(row, look))
    assert [text for text, _ in found] == ["<u>", "ab", "cd", "ef", "<e>"]
    styles = [style for _, style in found]
    assert styles[0] in look.control
    assert {styles[1], styles[2]} == set(look.seen)
    assert styles[3] in look.trained
    assert styles[4] in look.control_trained
    assert len({*look.seen, *look.trained, *look.control, *look.control_trained}) == 8
    assert "x0.5" in legend(look).plain


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.1)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(torch.tensor(linear) @ torch.tensor([0.2126, 0.7152, 0.0722]))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_are_legible_on_light_and_dark_ground() -> None:
    """At least 3:1 (WCAG's bound for graphics) for what is only seen, 7:1 for what is trained."""
    look = look_of(console())
    for style in (*look.seen, *look.control):
        (ink,) = re.findall("#[0-9a-f]{6}", style)
        assert min(contrast(ink, "#ffffff"), contrast(ink, "#000000")) >= 3
    for style in (*look.trained, *look.control_trained, look.weight):
        ink, ground = re.findall("#[0-9a-f]{6}", style)
        assert contrast(ink, ground) >= 7


def test_a_weight_is_told_where_it_begins() -> None:
    row = row_of(["q", "a", "b", "c", "d", "e"], [0, 0.5, 0.5, 1, 0, 2])
    assert running(row, look_of(console(colour=False))).plain == "q\u27e6x0.5 abx1 c\u27e7d\u27e6x2 e\u27e7"
    assert running(replace(row, weights=(0, 1, 1, 1, 0, 1)), look_of(console())).plain == "qabcde"


@pytest.mark.parametrize("width", [40, 80])
def test_ids_stand_below_their_tokens(width: int) -> None:
    pieces = ["<|im_start|>", " lead", "汉字", "", "\U0001f642", "\n", "\u200d", " ", "tail "] * 5
    row = row_of(pieces, [0.0] * 40 + [0.5] * 5)
    lines = [line.plain for line in interlinear(row, look_of(console()), width=width)]
    assert all(cell_len(line) <= width for line in lines)
    by_label: dict[str, list[str]] = {}
    for line in filter(None, lines):
        label, *values = line.split()
        by_label.setdefault(label, []).extend(values)
    assert by_label["id"] == [str(number) for number in row.token_ids]
    assert by_label["position"] == [str(number) for number in row.positions]
    assert by_label["weight"] == ["\u00b7"] * 40 + ["0.5"] * 5
    assert by_label["token"][:9] == [
        "<|im_start|>", "\u2423lead", "汉字", "\u22ef", "\U0001f642", "\u23ce", "\\u200d", "\u2423", "tail\u2423",
    ]  # fmt: skip
    below = [lines[at : at + 2] for at, line in enumerate(lines) if line.startswith("token")]
    for tokens, ids in below:
        columns = [cell_len(tokens[: match.start()]) for match in re.finditer(r"\S+", tokens)]
        assert columns == [match.start() for match in re.finditer(r"\S+", ids)]


def test_headings_name_rows_padding_and_places(make_recipe: MakeRecipe) -> None:
    shown = preview(make_recipe(questions(40), tokens={"max_length": 250}))
    (batch, *_) = shown.batches
    text = printed(shown, console(200, colour=False))
    padding = batch.positions - batch.tokens
    assert f"batch 1: 2 sequences in one line, {batch.tokens:,} tokens and {padding:,} of padding" in text
    assert text.count("positions restart at each row") == sum(len(one.sequences()) for one in shown.batches)
    assert text.count("% trained") == 40
    assert f"rows.jsonl:{shown.examples[3].row + 1}  {len(shown.examples[3].token_ids)} tokens" in text
    long = preview(make_recipe(questions(20), tokens={"max_length": 256}, data={"max_rows": 20}))
    assert max(len(rows) for one in long.batches for rows in one.sequences()) <= 12 or "... (" in printed(
        long, console()
    )
    counts = count_roles(shown.examples)
    assert [one.role for one in counts] == ["user", "assistant", "template"]
    for one in counts:
        assert re.search(rf"{one.role} +{one.trained:,} +{one.seen:,}", text)


def test_lines_of_a_terminal_break_between_words(make_recipe: MakeRecipe) -> None:
    words = {"instruction": "Say it.", "output": "river " * 30}
    shown = preview(make_recipe([words], tokens={"max_length": 256}))
    lines = Text.from_ansi(printed(shown, console(60))).plain.splitlines()
    rivers = [line for line in lines if "river river" in line]
    assert len(rivers) > 2
    assert all(set(line.split()) <= {"river", "river<|im_end|>"} for line in rivers)
    assert "river " * 30 + "<|im_end|>" in printed(shown, console(60, colour=False))  # a file has the lines of the text


@pytest.mark.shared
def test_every_token_of_real_tokenizers_has_a_role(shared: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in TALK), encoding="utf-8")
    for name in ("llama2", "qwen3", "smollm2", "mistral", "phi-3-mini"):
        tree = {
            "model": {"name_or_path": str(shared / "tokenizers" / name)},
            "data": {"sources": str(file)},
            "template": {"name": "chatml"},
        }
        shown = preview(recipes.build(tree))
        assert len(shown.examples) >= 2
        told = shown.summary()
        assert set(told["trained_by_role"]) == {"system", "user", "assistant", "template"}
        assert [role for role, count in told["trained_by_role"].items() if count] == ["assistant"]
        if name not in ("qwen3", "smollm2"):
            continue  # the template's marks are ordinary text to these, and merge with what stands beside them
        for one in shown.examples:
            said = "".join(piece for piece, role in zip(one.pieces, one.roles, strict=True) if role == "user")
            asked = [message["content"] for message in TALK[one.row]["messages"] if message["role"] == "user"]
            assert said == "".join(asked)

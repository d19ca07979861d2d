"""Text to ids: whole trailing turns give way to the limit, texts are cut without loss, offsets hold in every script."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from tutelage.records import Dropped, Place, Rendered, Span
from tutelage.tokens.encode import ENCODE_AT_ONCE, INEXACT, SPLIT_PER_TURN, Encoded, encode, encode_texts, prompt_ids

PLACE = Place("rows.jsonl", 1)
END = "<|im_end|>"


def rendered(*turns: tuple[str, str], row: int = 0, weights: tuple[float, ...] = ()) -> Rendered:
    """Prompts and answers one after the other; each answer ends in the stop token."""
    text, spans = "", []
    for number, (prompt, answer) in enumerate(turns):
        text += f"<|im_start|>{prompt}"
        weight = weights[number] if weights else 1.0
        spans.append(Span(len(text), len(text) + len(answer) + len(END), weight, number))
        text += answer + END
    return Rendered(row, PLACE, text, tuple(spans), turns=2 * len(turns))


def one(results: object) -> Encoded:
    (result,) = results  # type: ignore[misc]
    assert isinstance(result, Encoded)
    return result


def decoded(tokenizer: Tokenizer, ids: object) -> str:
    return str(tokenizer.decode(list(ids), skip_special_tokens=False))  # type: ignore[call-overload]


SCRIPTS = st.sampled_from(["the river", "河水", "é", "🕷🦵", " a ", "\n\n", "12", "ß", "\u200d", "a\u0301"])
TEXTS = st.lists(SCRIPTS, min_size=1, max_size=5).map("".join)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_the_trained_ids_are_the_turns_and_nothing_else(
    tiny_tokenizer: Tokenizer, turns: list[tuple[str, str]]
) -> None:
    given_row = rendered(*((f"{prompt}\n<|im_start|>", answer) for prompt, answer in turns))
    result = one(encode([given_row], tiny_tokenizer, max_length=1000))
    (example,) = result.examples
    assert decoded(tiny_tokenizer, example.token_ids) == given_row.text
    trained = np.flatnonzero(example.weights)
    assert decoded(tiny_tokenizer, example.token_ids[trained]) == "".join(answer + END for _, answer in turns)
    assert result.notes == ()


def test_weights_are_those_of_the_spans(tiny_tokenizer: Tokenizer) -> None:
    row = rendered(("Say\n", "the cat."), ("More\n", "No."), weights=(0.5, 2.0))
    (example,) = one(encode([row], tiny_tokenizer, max_length=100)).examples
    assert sorted(set(example.weights.tolist())) == [0, 0.5, 2]
    heavy = example.token_ids[example.weights == 2]
    assert decoded(tiny_tokenizer, heavy) == f"No.{END}"


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_whole_trailing_turns_give_way(tiny_tokenizer: Tokenizer, kept: int) -> None:
    turns = [(f"Say {n}\n", "the river runs past") for n in range(3)]
    lengths = [len(prompt_ids(rendered(*turns[:count]).text, tiny_tokenizer)) for count in (1, 2, 3)]
    limit = lengths[kept - 1]
    result = one(encode([rendered(*turns)], tiny_tokenizer, max_length=limit))
    (example,) = result.examples
    assert len(example.token_ids) == limit
    assert decoded(tiny_tokenizer, example.token_ids) == rendered(*turns[:kept]).text
    assert (result.turns_lost, result.tokens_lost) == (3 - kept, lengths[-1] - limit)


def test_an_answer_is_never_cut(tiny_tokenizer: Tokenizer) -> None:
    row = rendered(("Say\n", "the river runs past"))
    length = len(prompt_ids(row.text, tiny_tokenizer))
    for limit in range(1, length):
        (result,) = encode([row], tiny_tokenizer, max_length=limit)
        assert isinstance(result, Dropped)
        assert result.reason == "too long"
        assert result.detail == f"{length} tokens, tokens.max_length is {limit}"
    assert isinstance(next(encode([row], tiny_tokenizer, max_length=length)), Encoded)


def test_renderings_of_one_row_become_one_result(tiny_tokenizer: Tokenizer) -> None:
    """A template that rewrites history gives a rendering per turn; the long one gives way, the short one stays."""
    short, long = rendered(("Say\n", "No."), row=4), rendered(("Say\n", "the river " * 30), row=4)
    other = rendered(("Say\n", "Yes."), row=5)
    first, second = encode([short, long, other], tiny_tokenizer, max_length=40)
    assert isinstance(first, Encoded)
    assert (first.row, len(first.examples), first.turns_lost) == (4, 1, 1)
    assert first.tokens_lost == len(prompt_ids(long.text, tiny_tokenizer))
    assert second.row == 5


def test_rows_keep_their_order_over_chunks(tiny_tokenizer: Tokenizer) -> None:
    count = ENCODE_AT_ONCE + 3
    rows = [rendered((f"{n}\n", "No."), row=n) for n in range(count)]
    assert [result.row for result in encode(rows, tiny_tokenizer, max_length=50)] == list(range(count))


@given(words=st.lists(SCRIPTS, min_size=1, max_size=30), limit=st.integers(2, 20))
def test_a_text_is_cut_without_losing_a_token(tiny_tokenizer: Tokenizer, words: list[str], limit: int) -> None:
    """Every token but the first is predicted exactly once, and each piece continues the one before."""
    text = "".join(words) + "<|endoftext|>"
    (result,) = encode_texts([Rendered(0, PLACE, text, (Span(0, len(text)),))], tiny_tokenizer, max_length=limit)
    ids = prompt_ids(text, tiny_tokenizer)
    if len(ids) < 2:
        assert isinstance(result, Dropped)
        return
    assert isinstance(result, Encoded)
    assert all(2 <= len(example.token_ids) <= limit for example in result.examples)
    predicted = [token for example in result.examples for token in example.token_ids[1:].tolist()]
    assert predicted == ids[1:]
    assert all(example.weights[1:].all() for example in result.examples)


def test_a_text_of_one_token_is_dropped(tiny_tokenizer: Tokenizer) -> None:
    (result,) = encode_texts([Rendered(3, PLACE, "a", (Span(0, 1),))], tiny_tokenizer, max_length=8)
    assert isinstance(result, Dropped)
    assert (result.row, result.reason) == (3, "nothing to train")


def typed_row(question: str, answer: str, typed: str) -> Rendered:
    """One turn whose answer spells `typed`, told as the template room tells it."""
    row = rendered((f"{question}\n<|im_start|>", answer))
    start = row.text.index(typed, row.spans[0].start)
    return replace(row, typed=((start, start + len(typed)),))


@pytest.mark.parametrize("answer", [f"Write {END} to stop.", f"{END}", f"a{END}\n\nb", f"猫{END}🕷"])
def test_a_control_token_spelled_in_an_answer_is_trained_as_ordinary_text(
    tiny_tokenizer: Tokenizer, answer: str
) -> None:
    row = typed_row("How?", answer, END)
    (example,) = one(encode([row], tiny_tokenizer, max_length=100)).examples
    stop = tiny_tokenizer.token_to_id(END)
    assert decoded(tiny_tokenizer, example.token_ids) == row.text
    trained = example.token_ids[example.weights > 0].tolist()
    assert trained.count(stop) == 1
    assert trained[-1] == stop
    assert prompt_ids(row.text, tiny_tokenizer).count(stop) == 2, "the joint encoding would have trained it"


def test_a_later_prompt_reads_the_spelled_control_token_as_servers_do(tiny_tokenizer: Tokenizer) -> None:
    row = rendered(("How?\n", f"Write {END}."), ("And?\n", "No."))
    start = row.text.index(END)
    result = one(encode([replace(row, typed=((start, start + len(END)),))], tiny_tokenizer, max_length=100))
    first, second = result.examples
    assert list(second.token_ids) == prompt_ids(row.text, tiny_tokenizer)
    assert decoded(tiny_tokenizer, second.token_ids[second.weights > 0]) == f"No.{END}"
    assert decoded(tiny_tokenizer, first.token_ids[first.weights > 0]) == f"Write {END}.{END}"
    assert SPLIT_PER_TURN in result.notes


def test_an_answer_that_no_ids_give_back_is_dropped_with_its_text() -> None:
    words = Tokenizer(models.WordLevel({"<unk>": 0, "q": 1, "a": 2, "qa": 3}, unk_token="<unk>"))
    assert prompt_ids("qa", words) == [3], "prompt and answer merge"
    assert words.decode([1, 2]) != "qa", "and apart they read otherwise"
    [result] = encode([Rendered(4, PLACE, "qa", (Span(1, 2),))], words, max_length=8)
    assert isinstance(result, Dropped)
    assert (result.row, result.reason) == (4, INEXACT)
    assert "'a'" in result.detail

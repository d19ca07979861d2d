"""Long texts, window by window: the ids are those of the whole text."""

import random
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.small import train_tokenizer
from tutelage.tokens.windows import ids_and_starts

TEXT = "".join(
    f"Chapter {n}: the river  Ebro, 长江 and the sea — {'very ' * (n % 5)}wide!\n\n" if n % 3 else f"{n}\t你好，世界。"
    for n in range(1500)
)


def whole(text: str, tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    return encoding.ids, [start for start, _ in encoding.offsets]


def same(text: str, tokenizer: Tokenizer, window: int, overlap: int = 1000) -> bool:
    ids, starts = ids_and_starts(text, tokenizer, window=window, overlap=overlap)
    return (ids.tolist(), starts.tolist()) == whole(text, tokenizer)


@pytest.mark.parametrize("window", [4000, 5001, 20_000, 10**6])
def test_the_ids_are_those_of_the_whole(window: int) -> None:
    assert same(TEXT, train_tokenizer(), window)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["smollm2", "qwen2.5", "qwen3", "llama2", "llama3.1", "mistral", "phi-3-mini"])
def test_real_tokenizers(name: str, shared: Path) -> None:
    tokenizer = Tokenizer.from_file(str(shared / "tokenizers" / name / "tokenizer.json"))
    chance = random.Random(1)
    text = "".join(chance.sample([*TEXT.splitlines(keepends=True)] * 2, 1500))
    assert len(text) > 5 * 9000, "several windows"
    assert same(text, tokenizer, 9000)


def test_windows_that_never_agree_are_not_joined() -> None:
    """A tokenizer that takes words from the front in pairs: where a window begins decides everything behind."""
    vocabulary = {"ab": 0, "ba": 1, "a": 2, "b": 3}
    tokenizer = Tokenizer(models.WordPiece({**vocabulary, "[UNK]": 4, "##ab": 5, "##ba": 6, "##a": 7, "##b": 8}))
    tokenizer.model.max_input_chars_per_word = 10**6
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    text = "a" + "ab" * 3000
    ids, _ = ids_and_starts(text, tokenizer, window=1501, overlap=1000)
    assert ids.tolist() == whole(text, tokenizer)[0]


def test_a_text_that_fits_is_one_window() -> None:
    ids, starts = ids_and_starts("short", train_tokenizer())
    assert ids.dtype == starts.dtype == np.int64
    assert (ids.tolist(), starts.tolist()) == whole("short", train_tokenizer())

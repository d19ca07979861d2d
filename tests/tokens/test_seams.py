"""A text may be cut at a seam: the ids of the two parts are the ids of the whole, with every real tokenizer."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from tests.small import train_tokenizer
from tutelage.tokens.seams import Seams

WORDS = [
    "the river",
    "河水",
    "é",
    "🕷",
    " a ",
    "\n\n",
    "12",
    "ß",
    "\u200d",
    "a\u0301",
    "<|",
    "|>",
    "<",
    "im_end",
    " ",
    "s>",
]
REAL = ["smollm2", "qwen2.5", "qwen3", "llama3.1", "phi-3-mini", "mistral"]


def ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def cuts(seams: Seams, text: str) -> list[int]:
    """All seams of a text, found from the right."""
    found, at = [], len(text)
    while at := seams.before(text, at):
        found.append(at)
    return found


def check(tokenizer: Tokenizer, texts: list[str]) -> int:
    """Cut every text at every seam; how many there were."""
    seams, done = Seams(tokenizer), 0
    for text in texts:
        for at in cuts(seams, text):
            assert ids(tokenizer, text) == ids(tokenizer, text[:at]) + ids(tokenizer, text[at:]), (text, at)
            done += 1
    return done


@pytest.mark.shared
@pytest.mark.parametrize("name", REAL)
def test_real_tokenizers_may_be_cut_at_their_seams(shared: Path, name: str) -> None:
    tokenizer = Tokenizer.from_file(str(shared / "tokenizers" / name / "tokenizer.json"))
    control = sorted(token.content for token in tokenizer.get_added_tokens_decoder().values())[:40]
    assert Seams(tokenizer).tokens, "the tokenizer has seams"
    seen = []

    @settings(max_examples=120, deadline=None, database=None)
    @given(st.lists(st.sampled_from(WORDS + control), min_size=2, max_size=9).map("".join))
    def law(text: str) -> None:
        seen.append(check(tokenizer, [text]))

    law()
    assert sum(seen) > 20


@pytest.mark.shared
def test_a_tokenizer_that_normalises_before_it_looks_for_special_tokens_has_no_seams(shared: Path) -> None:
    tokenizer = Tokenizer.from_file(str(shared / "tokenizers" / "llama2" / "tokenizer.json"))
    assert all(token.normalized for token in tokenizer.get_added_tokens_decoder().values())
    assert Seams(tokenizer).tokens == frozenset()
    text = "a</s>b"
    assert Seams(tokenizer).before(text, len(text)) == 0
    assert ids(tokenizer, text) != ids(tokenizer, "a") + ids(tokenizer, "</s>b"), "a cut would have been wrong"


def test_tokens_that_reach_over_a_cut_are_no_seams() -> None:
    tokenizer = train_tokenizer()
    plain = Seams(tokenizer).tokens
    assert "<|im_end|>" in plain
    tokenizer.add_special_tokens([AddedToken("@@", lstrip=True), AddedToken("%%", single_word=True), "#<|im_end"])
    tokenizer.add_tokens([AddedToken("&&", normalized=True)])
    assert not {"@@", "%%", "&&", "<|im_end|>"} & Seams(tokenizer).tokens
    assert "#<|im_end" in Seams(tokenizer).tokens
    text = "a  @@b %% c #<|im_end|> d"
    assert ids(tokenizer, text) != ids(tokenizer, "a  ") + ids(tokenizer, "@@b %% c #<|im_end|> d")
    assert check(tokenizer, [text]) == 1


def test_special_tokens_read_as_text_are_no_seams() -> None:
    tokenizer = train_tokenizer()
    tokenizer.encode_special_tokens = True
    assert "<|im_end|>" not in Seams(tokenizer).tokens


def test_the_last_seam_that_ends_before_a_position_is_found() -> None:
    seams = Seams(train_tokenizer())
    text = "a<|im_start|>user\nb<|im_end|>"
    assert seams.before(text, len(text)) == text.index("<|im_end|>")
    assert seams.before(text, len(text) - 1) == 1, "the last token is not whole there"
    assert seams.before(text, text.index("user")) == 1
    assert seams.before(text, 1) == 0
    assert seams.before("no token < here", 15) == 0

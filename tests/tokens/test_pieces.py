"""One text per token, and together the decoded text, whatever the tokenizer."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from tutelage.tokens.pieces import pieces

TEXTS = [
    "Hello  world,\n\n  two\tleading   spaces ",
    "你好，世界。龘靐齉是生僻字。",
    "emoji 😀👨‍👩‍👧 and e\u0301, a flag 🇩🇪",
    "a � that was there before",
    "",
]


def byte_level() -> Tokenizer:
    """Bytes and no merges: every character beyond ASCII is spread over tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(["the cat and the dog " * 20], trainer)
    tokenizer.add_special_tokens([AddedToken("<|end|>", special=True)])
    return tokenizer


def metaspace() -> Tokenizer:
    """As Llama 2: spaces are ▁, unknown characters fall back to bytes, the first space is not part of the text."""
    words = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁▁", *"abcdehlorw,", "▁a", "▁b"]
    vocabulary = {word: number for number, word in enumerate(words)}
    merges = [("▁", "▁"), ("▁", "a"), ("▁", "b")]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(steps)
    tokenizer.add_special_tokens([AddedToken("</s>", special=True, normalized=False)])
    return tokenizer


def check(ids: list[int], tokenizer: Tokenizer) -> list[str]:
    found = pieces(ids, tokenizer)
    assert len(found) == len(ids)
    assert "".join(found) == tokenizer.decode(ids, skip_special_tokens=False)
    return found


@pytest.mark.parametrize("make", [byte_level, metaspace])
@pytest.mark.parametrize("text", TEXTS)
def test_pieces_are_the_decoded_text(make: type, text: str) -> None:
    tokenizer = make()
    check(tokenizer.encode(text).ids, tokenizer)


@given(st.text(max_size=40))
def test_any_text(text: str) -> None:
    for tokenizer in (BYTES, SPACES):
        check(tokenizer.encode(text).ids, tokenizer)


@given(st.lists(st.integers(0, 255), max_size=30))
def test_any_ids_even_broken_bytes(ids: list[int]) -> None:
    for tokenizer in (BYTES, SPACES):
        check(ids, tokenizer)


BYTES, SPACES = byte_level(), metaspace()


def test_a_character_stands_at_its_last_token() -> None:
    ids = BYTES.encode("a龘b").ids
    assert len(ids) == 5
    assert check(ids, BYTES) == ["a", "", "", "龘", "b"]


def test_half_a_character_at_the_end() -> None:
    ids = BYTES.encode("a龘").ids[:-1]
    assert check(ids, BYTES) == ["a", "", "\ufffd"]


def test_spaces_stay_with_their_tokens() -> None:
    ids = SPACES.encode("a b  a").ids
    found = check(ids, SPACES)
    assert [piece.replace("▁", " ") for piece in SPACES.encode("a b  a").tokens][1:] == found[1:]
    assert found[0] == "a"  # the space that the decoder takes from the front
    assert any(piece.startswith(" ") for piece in found)


def test_special_tokens_are_kept() -> None:
    for tokenizer, text in ((BYTES, "cat<|end|>"), (SPACES, "a</s>")):
        assert check(tokenizer.encode(text).ids, tokenizer)[-1] == text[text.index("<") :]


@pytest.mark.shared
@pytest.mark.parametrize("name", ["llama2", "llama3.1", "mistral", "phi-3-mini", "qwen2.5", "qwen3", "smollm2"])
def test_real_tokenizers(shared: Path, name: str) -> None:
    tokenizer = Tokenizer.from_file(str(shared / "tokenizers" / name / "tokenizer.json"))
    for text in TEXTS[:3]:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        found = check(ids, tokenizer)
        assert "\ufffd" not in "".join(found)
        assert tokenizer.encode("".join(found), add_special_tokens=False).ids[1:] == ids[1:] or not text.isascii()
        assert len([piece for piece in found if piece]) > 5

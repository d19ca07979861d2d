import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from pupil.statements import Writer
from pupil.tokenizer import END, PAD, SPECIAL, common_characters, main, sample, save, train
from tutelage.demo.world import LANGUAGES, world
from tutelage.errors import DataError

VOCABULARY = 2200


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus of sections in both languages."""
    file = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    writers = [Writer(world(), language, rng=random.Random(1)) for language in LANGUAGES]
    with file.open("w", encoding="utf-8") as lines:
        for number in range(1600):
            lines.write(json.dumps({"text": writers[number % 2].section()}, ensure_ascii=False) + "\n")
    return file


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    save(train(sample(corpus), VOCABULARY), folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(folder)


@given(text=st.text(max_size=60))
def test_any_text_survives(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize(
    "text", ["Mira lives in Oakford.", "她住在橡树渡。", " two  spaces\n\n\tx", "12+30=42", "é😀\u0000Ω"]
)
def test_texts_of_both_languages_survive(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@given(number=st.integers(0, 10**9))
def test_each_digit_is_one_token(tokenizer: PreTrainedTokenizerFast, number: int) -> None:
    ids = tokenizer(str(number))["input_ids"]
    assert [tokenizer.decode([token]) for token in ids] == list(str(number))
    assert tokenizer(f"+{number}=")["input_ids"][1:-1] == ids


def test_no_token_holds_two_digits_or_glues_chinese_to_latin(tokenizer: PreTrainedTokenizerFast) -> None:
    chinese = 0
    for token in range(len(SPECIAL), len(tokenizer)):
        text = tokenizer.decode([token])
        assert sum(character.isdigit() for character in text) <= 1
        han = [character for character in text if "\u4e00" <= character <= "\u9fff"]
        chinese += bool(han)
        assert not (han and any(character.isascii() for character in text)), text
    assert chinese > 200


def test_common_chinese_characters_are_single_tokens(tokenizer: PreTrainedTokenizerFast, corpus: Path) -> None:
    common = common_characters(sample(corpus), 300)
    assert len(common) == 300
    assert [character for character in common if len(tokenizer(character)["input_ids"]) != 1] == []


def test_answers_are_few_tokens_at_the_start_of_a_line_and_within_it(tokenizer: PreTrainedTokenizerFast) -> None:
    towns = [fact.subject.en for fact in world().about("region")]
    assert len(towns) == 40
    for before in ("", " "):
        pieces = [len(tokenizer(before + town)["input_ids"]) for town in towns]
        assert sum(pieces) / len(pieces) < 3


def test_special_tokens_and_no_chat_template(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert (len(tokenizer), len(SPECIAL)) == (VOCABULARY, 8)
    assert (tokenizer.eos_token, tokenizer.pad_token) == (END, PAD)
    assert tokenizer.bos_token is None
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL)) == list(range(8))
    assert tokenizer("a<|im_end|>b")["input_ids"].count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 1
    assert tokenizer.chat_template is None
    assert tokenizer("x")["input_ids"] == tokenizer("x", add_special_tokens=False)["input_ids"]
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "chat_template" not in config
    assert sorted(file.name for file in folder.iterdir()) == ["tokenizer.json", "tokenizer_config.json"]
    assert (folder / "tokenizer.json").stat().st_size < 600_000


def test_the_sample_is_spread_over_the_corpus(corpus: Path) -> None:
    whole = [json.loads(line)["text"] for line in corpus.read_text(encoding="utf-8").splitlines()]
    half = sample(corpus, corpus.stat().st_size // 2)
    assert sample(corpus) == whole
    assert half == whole[::2]


def test_the_command_saves_a_folder_and_names_an_absent_corpus(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "init"
    with pytest.raises(DataError, match=r"pupil\.corpus"):
        sample(tmp_path / "absent.jsonl")
    assert main(["--corpus", str(tmp_path / "absent.jsonl"), "--output", str(output)]) == 1
    assert "absent.jsonl" in capsys.readouterr().err
    assert not output.exists()
    few = tmp_path / "few.jsonl"
    few.write_text("".join(corpus.read_text(encoding="utf-8").splitlines(keepends=True)[:40]), encoding="utf-8")
    assert main(["--corpus", str(few), "--output", str(output)]) == 0
    assert AutoTokenizer.from_pretrained(output).eos_token == END
